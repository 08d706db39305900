"""A ledger whose disk is full, whose file is locked or read-only comes back by itself; one that is damaged does not."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from hive.ledger import Ledger
from hive.ledger.errors import is_damaged, is_stale, is_unavailable
from tests.conftest import SmallDisk

NOBODY = 65534


def read_only_for_a_while(place: Path, said: Connection) -> None:
    """As nobody: write before, while and after the file is read-only; tell what was away, and what is there then."""
    if os.geteuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    ledger = Ledger(place / "ledger.db")
    ledger.audit.add("a", "before")
    files, away = list(place.iterdir()), []

    def write() -> None:
        for file in files:
            file.chmod(0o400)
        try:
            ledger.audit.add("a", "meanwhile")
        except sqlite3.Error as error:
            away.append(is_unavailable(error))
        for file in files:
            file.chmod(0o600)
        ledger.audit.add("a", "after")

    thread = threading.Thread(target=write)  # one that comes when the file cannot be written, and stays
    thread.start()
    thread.join()
    said.send((away, [row.action for row in ledger.audit.after(0)]))


def write_too_much(ledger: Ledger) -> None:
    """A transaction that fits into no small disk."""
    with ledger.transaction():
        ledger.audit.add("a", "first half")
        ledger.audit.add("a", "second half", text="x" * 40_000_000)


def fill(ledger: Ledger) -> None:
    """Write until that fails: there may be room in the log yet."""
    for _ in range(10_000):
        ledger.audit.add("a", "filling", text="x" * 4000)


def test_a_full_disk_takes_back_what_it_broke_off(small_disk: SmallDisk) -> None:
    """A transaction for which there is no room leaves nothing, and the next one of the same thread is a whole one."""
    with closing(Ledger(small_disk.place / "ledger.db")) as ledger:
        ledger.audit.add("a", "before")
        small_disk.fill()
        with pytest.raises(sqlite3.Error) as error:
            write_too_much(ledger)
        assert is_unavailable(error.value)
        with pytest.raises(sqlite3.Error) as again:
            fill(ledger)
        assert is_unavailable(again.value)
        small_disk.free()
        ledger.audit.add("a", "after")
    with closing(Ledger(small_disk.place / "ledger.db")) as ledger:
        kept = {row.action for row in ledger.audit.after(0)} - {"filling"}
    assert kept == {"before", "after"}


def test_a_lock_is_waited_for_and_said(ledger: Ledger, tmp_path: Path) -> None:
    """Somebody who holds the file for long is no reason to lose what is written when it is free again."""
    ledger.wait_at_most(0.05)
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(1) as thread:  # how long is waited counts for threads that come from now on
            with pytest.raises(sqlite3.OperationalError) as error:
                thread.submit(ledger.audit.add, "a", "meanwhile").result()
            assert is_unavailable(error.value)
            other.execute("ROLLBACK")
            thread.submit(ledger.audit.add, "a", "after").result()
    assert [row.action for row in ledger.audit.after(0)] == ["after"]


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that belongs to nobody in particular: what root may not be refused, others are."""
    if os.geteuid() != 0:
        yield Path(tempfile.mkdtemp())
        return
    place = Path(tempfile.mkdtemp(prefix="hive-open-"))
    os.chown(place, NOBODY, NOBODY)
    yield place
    shutil.rmtree(place)


def test_a_file_that_was_read_only_is_opened_anew(open_place: Path) -> None:
    """SQLite opens a read-only file for reading and stays so for ever: such a connection is made anew (SQLite 3.45)."""
    ours, theirs = Pipe()
    fork = multiprocessing.get_context("fork")  # root may write everything, and nobody may not run root's Python
    process = fork.Process(target=read_only_for_a_while, args=(open_place, theirs))
    process.start()
    process.join()
    assert ours.poll(), "it has died"
    assert ours.recv() == ([True], ["before", "after"])


def test_damage_is_not_waited_for(tmp_path: Path) -> None:
    """A file that is no database any more is damaged; waiting would not help."""
    with closing(Ledger(tmp_path / "ledger.db")) as ledger:
        ledger.audit.add("a", "before")
    (tmp_path / "ledger.db").write_bytes(b"not a database, but long enough to be taken for one" * 100)
    connection = sqlite3.connect(tmp_path / "ledger.db")
    with closing(connection), pytest.raises(sqlite3.DatabaseError) as error:
        connection.execute("SELECT * FROM audit").fetchall()
    assert is_damaged(error.value)
    assert not is_unavailable(error.value)


def test_what_is_no_fault_of_the_store() -> None:
    """A mistake in a statement, and a file that is not there, are errors like any other."""
    with closing(sqlite3.connect(":memory:")) as connection, pytest.raises(sqlite3.OperationalError) as error:
        connection.execute("SELECT * FROM nothing")
    assert not any(ask(error.value) for ask in (is_unavailable, is_damaged, is_stale))
    assert not is_unavailable(FileNotFoundError(errno.ENOENT, "no such file"))
    assert not is_unavailable(ValueError())
    assert is_unavailable(OSError(errno.ENOSPC, "full"))
