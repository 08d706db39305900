"""The ledger's schema: numbered SQL files in `migrations`, and how to recognise a ledger.

`application_id` marks a file as a ledger, `user_version` is the number of its migrations.
A new migration gets the next number; a released one is never changed.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from hive.ledger.errors import IncompatibleDatabase

APPLICATION_ID = 0x68697665
"""The bytes `hive`, by which `file` and SQLite's tools recognise a ledger."""

DIRECTORY = Path(__file__).with_name("migrations")

_NAME = re.compile(r"([0-9]{4})_[a-z0-9_]+\.sql")


def migrations(directory: Path = DIRECTORY) -> list[str]:
    """The migrations in order; raises ValueError for a misnamed file, or a missing number."""
    found = sorted(path for path in directory.iterdir() if not path.name.startswith((".", "__")))
    for number, path in enumerate(found, start=1):
        named = _NAME.fullmatch(path.name)
        if named is None or int(named[1]) != number:
            raise ValueError(f"{path}: expected a migration named {number:04d}_….sql")
    return [path.read_text("utf-8") for path in found]


def migrate(connection: sqlite3.Connection, path: Path, scripts: Sequence[str]) -> None:
    """Migrate the database at `path`: completely or not at all, with any number of processes at once.

    Raises Foreign, and writes nothing, for a file that is not a ledger of this version or an earlier one.
    """
    if _version(connection, path, len(scripts)) == len(scripts):
        return
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = OFF")  # a recreated table keeps the rows that point to it
    connection.execute("BEGIN EXCLUSIVE")
    try:
        for script in scripts[_version(connection, path, len(scripts)) :]:
            for statement in statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(scripts)}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    connection.execute("PRAGMA foreign_keys = ON")


def statements(script: str) -> Iterator[str]:
    """The statements of a script, as SQLite separates them: `executescript` would commit first."""
    begin = 0
    for end in (found.end() for found in re.finditer(";", script)):
        if sqlite3.complete_statement(script[begin:end]):
            yield script[begin:end]
            begin = end
    if script[begin:].strip():
        raise ValueError(f"a statement without its end: {script[begin:].strip()[:80]!r}")


def _version(connection: sqlite3.Connection, path: Path, newest: int) -> int:
    """How many migrations a database has seen; raises Foreign for a file that is not ours to migrate."""
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    owner, version = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if owner == APPLICATION_ID and 0 < version <= newest:
        return int(version)
    if owner == APPLICATION_ID and version > newest:
        said = f"{path} is of a newer version of the hive ({version}, and this one knows {newest})"
        raise IncompatibleDatabase(f"{said}; install that version, or restore the backup from before it")
    if owner == 0 and {"deliveries", "anchors"} <= tables:
        said = f"{path} was created before the hive's first release, and is no longer supported"
        raise IncompatibleDatabase(f"{said}; stop the hive, move the file away, and start again: a new one is created")
    if owner or version or tables:
        raise IncompatibleDatabase(
            f"{path} is a database of another program; move it away, or name another state directory"
        )
    return 0
