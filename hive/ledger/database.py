"""One SQLite file, a connection per thread, transactions that are all or nothing."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hive.ledger.schema import MIGRATIONS


class Lost(Exception):
    """Somebody else holds the row by now: what was done under the old lease must not be stored."""


Clock = Callable[[], float]
"""Seconds since 1970, UTC."""


class Database:
    """The file, and this process' connections to it."""

    def __init__(self, path: Path) -> None:
        """Open the file, made and migrated if need be; raises OSError if it cannot be."""
        self._path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._migrate()
        except sqlite3.OperationalError as error:
            raise OSError(f"{path}: {error}") from error

    def close(self) -> None:
        """Close all connections; no thread may use the database after that."""
        with self._guard:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
        self._local = threading.local()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction that may write; joins the one that the thread is in already."""
        connection = self._connection()
        if connection.in_transaction:
            yield connection
            return
        connection.execute("BEGIN IMMEDIATE")
        whole = False
        try:
            yield connection
            whole = True
        finally:
            connection.execute("COMMIT" if whole else "ROLLBACK")

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """All rows of a question."""
        return self._connection().execute(sql, values).fetchall()

    def row(self, sql: str, *values: object) -> sqlite3.Row | None:
        """The first row of a question, if there is one."""
        found: sqlite3.Row | None = self._connection().execute(sql, values).fetchone()
        return found

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
            found.row_factory = sqlite3.Row
            found.execute("PRAGMA foreign_keys = ON")
            found.execute("PRAGMA synchronous = FULL")
            self._local.connection = found
            with self._guard:
                self._connections.append(found)
        return found

    def _migrate(self) -> None:
        connection = self._connection()
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = OFF")  # a table that is made anew keeps those that point to it
        connection.execute("BEGIN EXCLUSIVE")
        done = connection.execute("PRAGMA user_version").fetchone()[0]
        for number, script in enumerate(MIGRATIONS[done:], start=done + 1):
            for statement in script.split(";"):
                if statement.strip():
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
        connection.execute("PRAGMA foreign_keys = ON")
