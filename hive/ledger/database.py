"""One SQLite file, a connection per thread, transactions that are all or nothing."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any

from hive.ledger.errors import IncompatibleDatabase, is_stale
from hive.ledger.schema import migrate, migrations


class StaleLease(Exception):
    """Somebody else holds the row by now: what was done under the old lease must not be stored."""


LOG_PAGES = 10_000
"""How long the log may grow, in pages of 4 KiB, before a commit itself does what `checkpoint` is for."""

WORTH_ROWS = 500
"""The rows that have to be written before a checkpoint: the next commit after one waits for the disk twice, since the log
starts over, and that should not be the first delivery after a quiet hour.
"""

Clock = Callable[[], float]
"""Seconds since 1970, UTC."""


class _Transaction:
    """A transaction, all or nothing; a class, since a job has several of them."""

    __slots__ = ("_changes", "_connection", "_database")

    def __init__(self, database: Database, connection: sqlite3.Connection) -> None:
        self._database = database
        self._connection = connection

    def __enter__(self) -> sqlite3.Connection:
        with self._database.watched(self._connection):
            self._connection.execute("BEGIN IMMEDIATE")
        self._changes = self._connection.total_changes
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is not None:
            self._database.give_up(self._connection, error)
            return
        with self._database.watched(self._connection):
            self._connection.execute("COMMIT")
        self._database.written += self._connection.total_changes - self._changes


class _Watched:
    """What is done within it leaves no transaction open when it fails: a class, since every question has one."""

    __slots__ = ("_connection", "_database")

    def __init__(self, database: Database, connection: sqlite3.Connection) -> None:
        self._database = database
        self._connection = connection

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is not None:
            self._database.give_up(self._connection, error)


class Database:
    """The file, and this process' connections to it."""

    def __init__(self, path: Path) -> None:
        """Open the file, created and migrated if needed; raises OSError if that fails, and Foreign for another kind of file."""
        self._path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self.retry = 30.0
        """Seconds that a thread waits for other writers; read when the thread first opens the file."""
        self.written = 0
        """About how many rows this process has written since the last checkpoint."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)  # it holds what private repositories hold; the log beside it gets the same mode
        try:
            migrate(self._connection(), path, migrations())
        except IncompatibleDatabase:
            self.close()
            raise
        except sqlite3.OperationalError as error:
            raise OSError(f"{path}: {error}") from error

    def close(self) -> None:
        """Close all connections; no thread may use the database after that."""
        with self._guard:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
        self._local = threading.local()

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[sqlite3.Connection]:
        """One transaction that may write; joins the one that the thread is in already.

        What is not `durable` survives the death of every process, but a power cut may take the
        newest of it back, never one without those after it: for what is then simply done again.
        """
        connection = self._connection()
        if connection.in_transaction:
            return nullcontext(connection)
        if self._local.durable is not durable:
            connection.execute("PRAGMA synchronous = FULL" if durable else "PRAGMA synchronous = NORMAL")
            self._local.durable = durable
        return _Transaction(self, connection)

    def checkpoint(self, *, worth: int = WORTH_ROWS) -> None:
        """Copy committed pages from the log into the file, if that is worth it and no reader is in the way.

        SQLite would do that within some commit, which then takes long.
        """
        if self.written < worth:
            return
        self.written = 0
        connection = self._connection()
        with self.watched(connection):
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy while others write on; raises DatabaseError for a damaged one, OSError if it cannot be written."""
        path.touch(mode=0o600, exist_ok=False)
        with closing(sqlite3.connect(path)) as copy:
            try:
                self._connection().backup(copy)
            except sqlite3.OperationalError as error:
                raise OSError(f"{path}: {error}") from error
            found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(f"{self._path} is damaged ({found})")

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """All rows of a question; its values by place, or one mapping of names."""
        named = values[0] if values and isinstance(values[0], dict) else values
        return self._ask(sql, named).fetchall()

    def row(self, sql: str, *values: object) -> sqlite3.Row | None:
        """The first row of a question, if there is one."""
        found: sqlite3.Row | None = self._ask(sql, values).fetchone()
        return found

    def rows_changed(self, sql: str, named: dict[str, Any]) -> int:
        """Change rows in a transaction that need not outlive a power cut; returns how many."""
        with self.transaction(durable=False) as connection:
            return connection.execute(sql, named).rowcount

    @contextmanager
    def without_foreign_keys(self) -> Iterator[None]:
        """Let this thread, outside of any transaction, delete rows that others reference."""
        connection = self._connection()
        connection.execute("PRAGMA foreign_keys = OFF")
        try:
            yield
        finally:
            connection.execute("PRAGMA foreign_keys = ON")

    def _ask(self, sql: str, values: Any) -> sqlite3.Cursor:
        connection = self._connection()
        if connection.in_transaction:  # ended where it was begun
            return connection.execute(sql, values)
        try:
            return connection.execute(sql, values)
        except sqlite3.Error as error:
            self.give_up(connection, error)
            raise

    def watched(self, connection: sqlite3.Connection) -> AbstractContextManager[None]:
        """For statements outside of a transaction, or that begin or end one."""
        return _Watched(self, connection)

    def give_up(self, connection: sqlite3.Connection, error: BaseException) -> None:
        """Take back what a transaction has done so far, and part with a connection that would not recover.

        A full disk ends a transaction by itself or leaves it open (https://sqlite.org/lang_transaction.html); one
        that stayed open would swallow everything that this thread writes from then on.
        """
        if is_stale(error):
            with self._guard:
                if connection in self._connections:
                    self._connections.remove(connection)
            self._local.connection = None
            connection.close()
        elif connection.in_transaction:
            connection.execute("ROLLBACK")

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = sqlite3.connect(self._path, timeout=self.retry, isolation_level=None, check_same_thread=False)
            found.row_factory = sqlite3.Row
            found.execute("PRAGMA foreign_keys = ON")
            found.execute("PRAGMA synchronous = FULL")
            found.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
            self._local.connection = found
            self._local.durable = True
            with self._guard:
                self._connections.append(found)
        return found
