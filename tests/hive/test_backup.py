"""A backup brings back what cannot be made again, and neither reads nor writes anywhere else."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from hive.app.archive import MANIFEST
from hive.ledger import Act, Ledger
from tests.commands import hive
from tests.hive.test_cli import CONFIG, complaint

TOKEN = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A hive with a ledger, a secret, and an agent's notes."""
    (tmp_path / "hive.yaml").write_text(CONFIG.replace("PORT", "0"))
    state = tmp_path / "state"
    notes = state / "agents" / "iris" / "state"
    for folder in (notes, state / "secrets" / "f", state / "mirrors"):
        folder.mkdir(parents=True, mode=0o700)
    (notes / "notes.md").write_text("the tests need TZ=UTC\n")
    (state / "mirrors" / "big").write_text("made again")
    secret = state / "secrets" / "f" / "mara.token"
    secret.write_text(TOKEN)
    secret.chmod(0o600)
    ledger = Ledger(state / "ledger.db")
    ledger.audit.add("mara", Act.TURN_STARTED)
    ledger.close()
    return tmp_path


def told(*words: str, cwd: Path) -> str:
    """What a command says that succeeds."""
    done = hive(*words, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def acts(home: Path) -> list[str]:
    """Everything that the ledger has recorded."""
    ledger = Ledger(home / "state" / "ledger.db")
    try:
        return [row.action for row in ledger.audit.after(0)]
    finally:
        ledger.close()


def names(archive: Path) -> set[str]:
    """The members of an archive."""
    with tarfile.open(archive) as tar:
        return set(tar.getnames())


def test_a_hive_comes_back(home: Path) -> None:
    """What was lost with the state directory is there again: ledger, secrets, notes, each with its mode."""
    said = told("backup", "b.tar", cwd=home)
    assert "b.tar is complete" in said
    assert TOKEN not in said
    assert stat.S_IMODE((home / "b.tar").stat().st_mode) == 0o600
    shutil.rmtree(home / "state")
    said = told("restore", "b.tar", cwd=home)
    assert TOKEN not in said
    state = home / "state"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert (state / "agents/iris/state/notes.md").read_text() == "the tests need TZ=UTC\n"
    assert (state / "secrets/f/mara.token").read_text() == TOKEN
    assert stat.S_IMODE((state / "secrets/f/mara.token").stat().st_mode) == 0o600
    assert not (state / "mirrors").exists()
    assert acts(home) == ["turn_started", "backup_restored"]


def test_every_agents_name_comes_back(home: Path) -> None:
    """What a forge allows as a login is restored too: capitals, dots, underscores."""
    notes = home / "state" / "agents" / "Iris_2.b" / "state"
    notes.mkdir(parents=True)
    (notes / "notes.md").write_text("mine")
    told("backup", "b.tar", cwd=home)
    shutil.rmtree(home / "state")
    told("restore", "b.tar", cwd=home)
    assert (notes / "notes.md").read_text() == "mine"


def test_a_backup_is_recorded(home: Path) -> None:
    """The ledger knows that a backup was made, and when."""
    told("backup", "b.tar", cwd=home)
    assert acts(home) == ["turn_started", "backup_made"]


def test_what_is_written_meanwhile_is_whole(home: Path) -> None:
    """A ledger in use, with a transaction open and a log beside it, is copied as it was committed last."""
    ledger = Ledger(home / "state" / "ledger.db")
    ledger.audit.add("mara", Act.TURN_ENDED)  # still in the log
    assert (home / "state" / "ledger.db-wal").stat().st_size
    told("backup", "b.tar", cwd=home)
    ledger.close()
    shutil.rmtree(home / "state")
    told("restore", "b.tar", cwd=home)
    assert acts(home) == ["turn_started", "turn_ended", "backup_restored"]


def test_nothing_is_overwritten(home: Path) -> None:
    """Neither a backup nor a state directory is replaced; with --force the latter is moved aside."""
    (home / "b.tar").write_text("mine")
    assert "overwrites nothing" in complaint(hive("backup", "b.tar", cwd=home))
    assert (home / "b.tar").read_text() == "mine"
    told("backup", "c.tar", cwd=home)
    assert "is not empty" in complaint(hive("restore", "c.tar", cwd=home))
    told("restore", "c.tar", "--force", cwd=home)
    aside = next(home.glob("state.before-*"))
    assert (aside / "mirrors" / "big").read_text() == "made again"
    assert not (home / "state" / "mirrors").exists()
    assert sorted(path.name for path in home.iterdir() if path.name.startswith(".")) == []


def test_a_missing_configuration_is_brought_back(home: Path) -> None:
    """With the machine the configuration is lost too; the backup has it."""
    was = (home / "hive.yaml").read_text()
    told("backup", "b.tar", cwd=home)
    shutil.rmtree(home / "state")
    (home / "hive.yaml").unlink()
    told("restore", "b.tar", cwd=home)
    assert (home / "hive.yaml").read_text() == was


def test_old_backups_go(home: Path) -> None:
    """Of a directory the newest stay; files with other names are not touched."""
    folder = home / "backups"
    folder.mkdir()
    for name in ("hive-20200101-000000.tar", "hive-20200102-000000.tar", "mine.tar"):
        (folder / name).write_text("")
    told("backup", "backups", "--keep", "2", cwd=home)
    left = sorted(path.name for path in folder.iterdir())
    assert left[0] == "hive-20200102-000000.tar"
    assert left[2] == "mine.tar"
    assert len(left) == 3
    assert "is none" in complaint(hive("backup", "x.tar", "--keep", "2", cwd=home))


def test_an_agent_smuggles_nothing_in(home: Path) -> None:
    """A link is kept as a link; fifos are left out and said; what sets a user does not; odd names come back."""
    notes = home / "state" / "agents" / "iris" / "state"
    (home / "outside").mkdir()
    (home / "outside" / "key").write_text("PRIVATE-OUTSIDE")
    (notes / "link").symlink_to(home / "outside")
    (notes / "one").symlink_to(home / "outside" / "key")
    os.mkfifo(notes / "fifo")
    odd = b"a\nb \xff\x1b[31m"
    (notes / os.fsdecode(odd)).write_text("odd")
    (notes / "tool").write_text("#!/bin/sh\n")
    (notes / "tool").chmod(0o4755)
    (notes / "closed").mkdir()
    (notes / "closed" / "file").write_text("in")
    (notes / "closed").chmod(0o500)
    said = told("backup", "b.tar", cwd=home)
    assert "left out 'fifo'" in said
    assert "\x1b" not in said
    assert b"PRIVATE-OUTSIDE" not in (home / "b.tar").read_bytes()
    (notes / "closed").chmod(0o700)
    shutil.rmtree(home / "state")
    told("restore", "b.tar", cwd=home)
    assert (notes / "link").readlink() == home / "outside"
    assert (notes / os.fsdecode(odd)).read_text() == "odd"
    assert stat.S_IMODE((notes / "tool").stat().st_mode) == 0o755
    assert stat.S_IMODE((notes / "closed").stat().st_mode) == 0o500
    assert (notes / "closed" / "file").read_text() == "in"
    assert not (notes / "fifo").exists()
    (notes / "closed").chmod(0o700)


def test_holes_and_depth_are_left_out(home: Path) -> None:
    """A file of a terabyte without content and directories without end cost the backup nothing."""
    notes = home / "state" / "agents" / "iris" / "state"
    with (notes / "huge").open("wb") as file:
        file.truncate(1 << 40)
    subprocess.run(
        ["sh", "-c", 'n=0; while [ $n -lt 40 ]; do d=$(printf "%0200d" $n); mkdir "$d"; cd -P "$d" || exit 0; n=$((n+1)); done'],
        cwd=notes, check=False, capture_output=True,
    )  # fmt: skip
    said = told("backup", "b.tar", cwd=home)
    assert "larger than 4 GiB" in said
    assert "path is too long" in said
    assert (home / "b.tar").stat().st_size < 50 << 20


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owners_are_kept(home: Path) -> None:
    """An agent's files belong to its user again, and so does its directory."""
    notes = home / "state" / "agents" / "iris" / "state"
    for path in (notes, notes / "notes.md"):
        os.chown(path, 4711, 4712)
    told("backup", "b.tar", cwd=home)
    shutil.rmtree(home / "state")
    told("restore", "b.tar", cwd=home)
    for path in (notes, notes / "notes.md"):
        assert (path.stat().st_uid, path.stat().st_gid) == (4711, 4712)
    assert (home / "state" / "secrets").stat().st_uid == 0


def refused(home: Path) -> str:
    """What a restore says that changes nothing."""
    shutil.rmtree(home / "state", ignore_errors=True)
    said = complaint(hive("restore", "b.tar", cwd=home))
    assert not (home / "state").exists()
    assert not list(home.glob(".state*"))
    return said


def test_damage_is_found_first(home: Path) -> None:
    """A backup that lost its end, or a byte of which changed, is refused before anything is touched."""
    told("backup", "b.tar", cwd=home)
    whole = (home / "b.tar").read_bytes()
    (home / "b.tar").write_bytes(whole[: len(whole) // 2])
    assert "backup" in refused(home)
    at = whole.index(b"the tests need TZ=UTC")
    (home / "b.tar").write_bytes(whole[:at] + b"T" + whole[at + 1 :])
    assert "damaged" in refused(home)
    (home / "b.tar").write_bytes(b"no archive at all")
    assert "backup" in refused(home)


def forged(path: Path, *members: tarfile.TarInfo, schema: int = 1) -> None:
    """An archive with a proper manifest and these members, whatever they are."""
    kinds = {tarfile.REGTYPE: "file", tarfile.DIRTYPE: "directory", tarfile.SYMTYPE: "link"}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        listed = []
        for info in members:
            tar.addfile(info, io.BytesIO())
            digest = hashlib.sha256().hexdigest() if info.type == tarfile.REGTYPE else ""
            listed.append({"name": info.name, "kind": kinds.get(info.type, "?"), "size": 0, "sha256": digest})
        words = json.dumps({"format": 1, "schema": schema, "members": listed}).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(words)
        tar.addfile(info, io.BytesIO(words))


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    """One member without content."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "odd",
    [
        member("../escaped"),
        member("/tmp/escaped"),  # noqa: S108  refused
        member("agents/../../escaped/state/x"),
        member("agents/iris/state/../../../../escaped"),
        member("secrets/link", tarfile.SYMTYPE, "/etc"),
        member("agents/iris/state/dev", tarfile.CHRTYPE),
        member("agents/iris/state/hard", tarfile.LNKTYPE, "ledger.db"),
        member("hooks/run"),
    ],
    ids=lambda info: info.name,
)
def test_an_archive_writes_nowhere_else(home: Path, odd: tarfile.TarInfo) -> None:
    """Names that lead elsewhere, and kinds that no backup holds, are refused with a proper manifest too."""
    forged(home / "b.tar", member("ledger.db"), odd)
    assert "it holds" in refused(home)


def test_a_link_is_no_way_out(home: Path) -> None:
    """A member below a member that is a link is refused, and nothing is written where the link points to."""
    (home / "outside").mkdir()
    link = member("agents/iris/state/out", tarfile.SYMTYPE, str(home / "outside"))
    forged(home / "b.tar", member("ledger.db"), link, member("agents/iris/state/out/file"))
    refused(home)
    assert list((home / "outside").iterdir()) == []


def test_a_newer_backup_is_refused(home: Path) -> None:
    """An older hive does not guess what a newer one's ledger means."""
    forged(home / "b.tar", member("ledger.db"), schema=999)
    assert "newer version of the hive (999" in refused(home)


def test_a_running_hive_keeps_its_state(home: Path) -> None:
    """Nothing is moved from under a process of a hive that runs."""
    told("backup", "b.tar", cwd=home)
    lock = home / "state" / "host.lock"
    lock.touch()
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(lock.open("rb"))
        import fcntl  # noqa: PLC0415

        fcntl.flock(file, fcntl.LOCK_EX)
        assert "stop it first" in complaint(hive("restore", "b.tar", "--force", cwd=home))
    assert (home / "state" / "mirrors" / "big").exists()


LEDGER_COMMANDS = [
    ("queue",), ("inbox", "iris"), ("run",), ("cost",), ("gc",), ("adopt", "iris"), ("backup", "b.tar"), ("up",), ("doctor",),
]  # fmt: skip


@pytest.mark.parametrize("words", LEDGER_COMMANDS, ids=lambda words: words[0])
def test_a_newer_ledger_is_left_alone(home: Path, words: tuple[str, ...]) -> None:
    """After a downgrade every command says which ledger it met, and changes no byte of it."""
    ledger = home / "state" / "ledger.db"
    with contextlib.closing(sqlite3.connect(ledger)) as db:
        db.execute("PRAGMA user_version = 999")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = ledger.read_bytes()
    done = hive(*words, cwd=home)
    assert done.returncode == 1
    assert "newer version of the hive (999" in done.stdout + done.stderr
    assert ledger.read_bytes() == before
    assert not (home / "b.tar").exists()
