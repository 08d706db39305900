"""The ledger's file: made whole or not at all, and never mistaken for another one."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from hive.ledger import Ledger
from hive.ledger.errors import IncompatibleDatabase
from hive.ledger.schema import APPLICATION_ID, DIRECTORY, migrate, migrations, statements

GROW = "CREATE TABLE grown (id INTEGER PRIMARY KEY) STRICT; INSERT INTO grown VALUES (1);"
OPEN = "import sys; from pathlib import Path; from hive.ledger import Ledger; Ledger(Path(sys.argv[1])).close()"
KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from hive.ledger.schema import migrate, migrations
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
migrate(connection, Path(sys.argv[1]), [*migrations(), "CREATE TABLE half (id INTEGER); INSERT INTO half SELECT die();"])
"""


def connect(path: Path) -> closing[sqlite3.Connection]:
    """A connection that is closed at the end."""
    return closing(sqlite3.connect(path, isolation_level=None))


def tables(path: Path) -> dict[str, str]:
    """What is in a database, by name, as SQL."""
    with connect(path) as db:
        return dict(db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall())


def versions(path: Path) -> tuple[int, int]:
    """Whose a database is, and of which version."""
    with connect(path) as db:
        owner, version = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    return owner, version


def test_a_new_ledger(tmp_path: Path) -> None:
    """It bears the mark of a ledger and the number of migrations; what points to something points to what is there."""
    path = tmp_path / "ledger.db"
    Ledger(path).close()
    assert versions(path) == (APPLICATION_ID, len(migrations()))
    with connect(path) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')").fetchall():
            db.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608  ours
            for row in db.execute(f"PRAGMA foreign_key_list({name})").fetchall():
                assert row[2] in tables(path), f"{name} points to {row[2]}"


def test_many_open_it_at_once(tmp_path: Path) -> None:
    """Processes that start together make one ledger, and none of them fails."""
    path = tmp_path / "ledger.db"
    command = [sys.executable, "-c", OPEN, str(path)]
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda _: subprocess.run(command, capture_output=True, text=True), range(6)))
    assert [each.stderr for each in done] == [""] * 6
    assert versions(path) == (APPLICATION_ID, len(migrations()))


def test_a_killed_migration_changes_nothing(tmp_path: Path) -> None:
    """A process that is killed within a migration leaves the version of before, and the next one succeeds."""
    path = tmp_path / "ledger.db"
    Ledger(path).close()
    before = tables(path), versions(path)
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], capture_output=True, env={**os.environ})
    assert done.returncode == -signal.SIGKILL
    assert (tables(path), versions(path)) == before
    with connect(path) as db:
        migrate(db, path, [*migrations(), GROW])
    assert versions(path) == (APPLICATION_ID, len(migrations()) + 1)


def test_a_killed_first_migration(tmp_path: Path) -> None:
    """Killed before the first version was whole, the file is as good as new."""
    path = tmp_path / "ledger.db"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], capture_output=True, env={**os.environ})
    assert done.returncode == -signal.SIGKILL
    assert tables(path) == {}
    Ledger(path).close()
    assert versions(path) == (APPLICATION_ID, len(migrations()))


def test_a_statement_that_fails(tmp_path: Path) -> None:
    """Of a migration whose last statement fails nothing stays, nor of those before it in the same start."""
    path = tmp_path / "ledger.db"
    Ledger(path).close()
    before = tables(path), versions(path)
    with connect(path) as db:
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            migrate(db, path, [*migrations(), GROW, "CREATE TABLE half (id INTEGER); INSERT INTO nowhere VALUES (1);"])
        assert not db.in_transaction
    assert (tables(path), versions(path)) == before


def test_a_migration_keeps_what_is_known(tmp_path: Path) -> None:
    """A ledger of an earlier version gets what is new, once, and keeps its rows."""
    path = tmp_path / "ledger.db"
    ledger = Ledger(path)
    ledger.audit.add("mara", "issue_opened")
    ledger.close()
    for _ in range(2):
        with connect(path) as db:
            migrate(db, path, [*migrations(), GROW])
            assert db.execute("SELECT count(*) FROM grown").fetchone() == (1,)
            assert db.execute("SELECT actor FROM audit").fetchone() == ("mara",)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "CREATE TABLE deliveries (id); CREATE TABLE anchors (id); PRAGMA user_version = 16;",
            "before the hive's first release",
        ),
        (f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 999;", "newer version of the hive (999"),
        ("CREATE TABLE deliveries (id);", "another program"),
        ("PRAGMA user_version = 1;", "another program"),
        ("PRAGMA application_id = 77;", "another program"),
        (f"PRAGMA application_id = {APPLICATION_ID};", "another program"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, script: str, said: str) -> None:
    """A ledger from before the first release, a newer one and a stranger's file are named, and not one byte changes."""
    path = tmp_path / "ledger.db"
    with connect(path) as db:
        db.executescript(script)
    before = path.read_bytes()
    with pytest.raises(IncompatibleDatabase) as refused:
        Ledger(path)
    assert said in str(refused.value)
    assert str(refused.value).startswith(str(path))
    assert "; " in str(refused.value), "it says what to do"
    assert path.read_bytes() == before


def test_migrations_are_numbered(tmp_path: Path) -> None:
    """Each migration has the next number; what is none has no place beside them."""
    assert len(migrations()) == len(list(DIRECTORY.glob("*.sql")))
    (tmp_path / "0001_first.sql").write_text("SELECT 1;")
    (tmp_path / "0003_third.sql").write_text("SELECT 1;")
    with pytest.raises(ValueError, match="expected a migration named 0002_"):
        migrations(tmp_path)


def test_statements() -> None:
    """A semicolon within a text, a comment or a trigger ends no statement."""
    script = """-- one; two
    CREATE TABLE t (a TEXT DEFAULT ';'); /* ; */
    CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t; DELETE FROM t; END;
    """
    assert [each.split()[-1] for each in statements(script)] == ["';');", "END;"]
    with pytest.raises(ValueError, match="without its end"):
        list(statements("CREATE TABLE t (a); DELETE FROM"))


def test_money_is_kept_when_reviews_get_theirs(tmp_path: Path) -> None:
    """Bookings and holds of runs are kept by the migration that lets reviews have some, and no id of a hold comes twice."""
    path = tmp_path / "ledger.db"
    hold = (
        "INSERT INTO holds (owner, at, expires_at, team, agent, ref, run, turn, model, tokens_in, tokens_out, amount)"
        " VALUES ('x', 1, 1, 'acme', 'iris', 'r', {run}, 1, 'm', 1, 1, 7)"
    )
    with connect(path) as db:
        migrate(db, path, migrations()[:9])
        db.execute("PRAGMA foreign_keys = OFF")
        for _ in range(3):
            db.execute(hold.format(run=1))
        db.execute("DELETE FROM holds WHERE id > 1")
        db.execute(
            "INSERT INTO bookings (hold, at, team, agent, ref, run, turn, model, input, output, cache_read, cache_write, cost)"
            " VALUES (3, 1, 'acme', 'iris', 'r', 1, 1, 'm', 1, 2, 3, 4, 5)"
        )
        before = db.execute("SELECT * FROM bookings").fetchall(), db.execute("SELECT * FROM holds").fetchall()
        migrate(db, path, migrations()[:10])
        assert (db.execute("SELECT * FROM bookings").fetchall(), db.execute("SELECT * FROM holds").fetchall()) == before
        db.execute(hold.format(run="NULL"))
        assert db.execute("SELECT id, run FROM holds ORDER BY id").fetchall() == [(1, 1), (4, None)]
        db.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(sqlite3.IntegrityError):
            db.execute(hold.format(run=99))
