"""Errors of a database: unavailable for a while, or damaged for good.

The one place where codes of SQLite and of the operating system are told apart. Performs no I/O.
"""

from __future__ import annotations

import errno
import sqlite3

STORE_ERRORS = (sqlite3.Error, OSError)
"""What a disk, or a database on it, can raise."""

_AWAY_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
    }
)
_DAMAGED_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_STALE_CODES = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})
_AWAY_ERRNOS = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EIO,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.EAGAIN,
        errno.EBUSY,
        errno.ESTALE,
    }
)
_HEALING_CODES = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM}
)
_FORBIDDEN_ERRNOS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG})
_PRIMARY = 0xFF
"""SQLite's extended codes bear the primary one in their lowest byte (https://sqlite.org/rescode.html)."""


class DamagedDatabase(Exception):
    """A damaged database; the message names the file and what to do."""


class IncompatibleDatabase(Exception):
    """A database of another program or another version; the message names the file and what to do."""


def is_unavailable(error: BaseException) -> bool:
    """Whether it is worth waiting: full, locked, read-only, out of memory or descriptors, or not to be read just now."""
    if isinstance(error, sqlite3.Error):
        return _code(error) in _AWAY_CODES
    return isinstance(error, OSError) and error.errno in _AWAY_ERRNOS


def is_transient(error: BaseException) -> bool:
    """Whether it passes by itself; files without write permission are reported instead."""
    if isinstance(error, sqlite3.Error):
        return _code(error) in _HEALING_CODES
    return isinstance(error, OSError) and error.errno in _AWAY_ERRNOS - _FORBIDDEN_ERRNOS


def is_damaged(error: BaseException) -> bool:
    """Whether the database itself is damaged: waiting does not help, and further writes would make it worse."""
    return isinstance(error, sqlite3.Error) and _code(error) in _DAMAGED_CODES


def is_stale(error: BaseException) -> bool:
    """Whether to replace the connection: one that was opened read-only stays read-only."""
    return isinstance(error, sqlite3.Error) and _code(error) in _STALE_CODES


def describe(error: BaseException) -> str:
    """An error of a store in a few words, without data from outside."""
    if isinstance(error, OSError):
        return error.strerror or "it cannot be used"
    return str(error)


def _code(error: sqlite3.Error) -> int:
    # Errors of the module itself, such as a closed connection, have no code at all.
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & _PRIMARY
