"""An update goes on where the version before it was; a version that is older than the ledger changes nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hive.ledger import Ledger
from hive.ledger.schema import APPLICATION_ID, migrate, migrations
from tests.commands import hive
from tests.hive.test_cli import CONFIG, complaint

ISSUE = "f:t/app#1"


def of_before(path: Path, newer: Path) -> None:
    """Write a ledger of the schema before this one, with the runs and turns of one of today."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, path, migrations()[:-1])
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("ATTACH ? AS newer", (str(newer),))
        for table in ("runs", "turns"):
            columns = ", ".join(f'"{row[1]}"' for row in db.execute(f"PRAGMA main.table_info({table})").fetchall())
            db.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}")  # noqa: S608  ours
        assert db.execute("PRAGMA user_version").fetchone() == (len(migrations()) - 1,)


def test_an_open_run_goes_on(tmp_path: Path) -> None:
    """A ledger of the version before opens under this one, and its open run takes its turn, is told more, and ends."""
    newer = Ledger(tmp_path / "newer.db")
    run = newer.runs.start("t", "iris", ISSUE, "k1", "do it")
    newer.close()
    of_before(tmp_path / "ledger.db", tmp_path / "newer.db")
    ledger = Ledger(tmp_path / "ledger.db")
    assert ledger.runs.start("t", "iris", ISSUE, "k1", "do it") == run
    turn = ledger.runs.claim("iris")
    assert turn is not None
    assert turn.message == "do it"
    ledger.runs.end_turn(turn, "pushed")
    assert ledger.runs.claim("iris") is None
    ledger.runs.end(run, "merged")
    found = ledger.runs.find(ISSUE)
    assert found is not None
    assert (found.id, found.state) != (run, "open")
    ledger.close()


@pytest.mark.parametrize(
    "words",
    [
        ("queue",),
        ("inbox", "iris"),
        ("run",),
        ("run", "1"),
        ("cost",),
        ("gc",),
        ("replay", "run:1"),
        ("enter", "iris"),
        ("adopt", "iris"),
        ("doctor",),
        ("web",),
        ("work",),
        ("backup", "b.tar"),
    ],
)
def test_a_newer_ledger(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Each command that opens the ledger says that it is of a newer version, and not one byte of it changes."""
    (tmp_path / "hive.yaml").write_text(CONFIG.replace("PORT", "0"))
    path = tmp_path / "state" / "ledger.db"
    Ledger(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {len(migrations()) + 1}")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    assert "is of a newer version of the hive" in complaint(hive(*words, cwd=tmp_path))
    assert path.read_bytes() == before
    assert not (tmp_path / "b.tar").exists()
