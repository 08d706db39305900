"""Copies of a ledger that may be of another version: made, compared, and put back. Migrates nothing."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path

BESIDE = ("-wal", "-shm", "-journal")


def version(path: Path) -> int:
    """How many migrations a ledger has seen; 0 for one that is not there. Raises sqlite3.Error."""
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def copy(path: Path, to: Path) -> None:
    """Write a copy in the place of an earlier one, whole or not at all. Raises OSError and sqlite3.Error."""
    draft = to.with_name(f".{to.name}")
    drop(draft)
    draft.touch(mode=0o600)
    with closing(sqlite3.connect(path)) as db, closing(sqlite3.connect(draft)) as made:
        db.backup(made)
    _sync(draft)
    draft.replace(to)


def put_back(copied: Path, path: Path) -> None:
    """Let a ledger be what a copy is; nobody may have it open. Raises OSError and sqlite3.Error."""
    draft = path.with_name(f".{path.name}.back")
    copy(copied, draft)
    for end in BESIDE:  # what they hold belongs to the one that goes
        path.with_name(path.name + end).unlink(missing_ok=True)
    draft.replace(path)


def drop(path: Path) -> None:
    """Delete a copy, and what SQLite keeps beside it."""
    for end in ("", *BESIDE):
        path.with_name(path.name + end).unlink(missing_ok=True)


def is_same(one: Path, other: Path) -> bool:
    """Whether two ledgers of one version hold the same rows. Raises sqlite3.Error."""
    return digest(one) == digest(other)


def digest(path: Path) -> str:
    """What tells ledgers apart that hold other rows, whatever their files look like."""
    found = hashlib.sha256()
    with closing(sqlite3.connect(path)) as db:
        db.text_factory = bytes
        found.update(repr(db.execute("PRAGMA user_version").fetchone()).encode())
        tables = "SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name"
        for name, sql in db.execute(tables).fetchall():
            found.update(repr((name, sql)).encode())
            shown = name.decode()
            columns = len(db.execute(f'PRAGMA table_info("{shown}")').fetchall())
            order = ", ".join(str(number + 1) for number in range(columns))
            for row in db.execute(f'SELECT * FROM "{shown}" ORDER BY {order}'):  # noqa: S608  names of its own schema
                found.update(repr(row).encode())
    return found.hexdigest()


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
