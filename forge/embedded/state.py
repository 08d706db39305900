"""The state of a forge: one SQLite file, rows as dictionaries. Knows no nouns."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Row = dict[str, Any]

SCHEMA = Path(__file__).with_name("schema.sql")


class ForgeState:
    """A database with a connection per thread and one writer at a time.

    `changed` is set after each committed change, for waiting threads.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._writer = threading.RLock()
        self.changed = threading.Event()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)  # sessions and digests of passwords; the log beside it gets the same mode
        self._connection().executescript(SCHEMA.read_text())

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._writer:
            for connection in self._all:
                connection.close()
            self._all.clear()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make all changes within it one; within another one of the same thread it is a part of that."""
        with self._writer:
            connection = self._connection()
            if connection.in_transaction:
                yield
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            self.changed.set()

    def rows(self, sql: str, *values: Any) -> list[Row]:
        """All rows of a query."""
        return self._connection().execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> Row | None:
        """The first row of a query."""
        found: Row | None = self._connection().execute(sql, values).fetchone()
        return found

    def value(self, sql: str, *values: Any) -> Any:
        """The only value of the first row, None without one."""
        return next(iter((self.row(sql, *values) or {}).values()), None)

    def run(self, sql: str, *values: Any) -> int:
        """Change something; says how many rows."""
        with self.writing():
            return self._connection().execute(sql, values).rowcount

    def get(self, table: str, key: int | None) -> Row | None:
        """The row with that id."""
        return self.row(f"SELECT * FROM {table} WHERE id = ?", key)  # noqa: S608 (tables are words of this program)

    def insert(self, table: str, **values: Any) -> int:
        """A new row; answers its id."""
        marks = ", ".join("?" * len(values))
        sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"  # noqa: S608 (as above)
        with self.writing():
            return self._connection().execute(sql, tuple(values.values())).lastrowid or 0

    def update(self, table: str, key: int, **values: Any) -> None:
        """Change columns of one row."""
        if values:
            columns = ", ".join(f"{name} = ?" for name in values)
            self.run(f"UPDATE {table} SET {columns} WHERE id = ?", *values.values(), key)  # noqa: S608 (as above)

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            # Closed by `close`, which another thread calls.
            connection = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
            connection.row_factory = _as_dict
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            self._local.connection = connection
            with self._writer:
                self._all.append(connection)
        return connection


def _as_dict(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, values, strict=True)}
