"""Values as the API writes them: times, and rows of the database as JSON objects."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from forge.embedded.state import Row

Json = dict[str, Any]

NEVER = "0001-01-01T00:00:00Z"


def when(seconds: int) -> str:
    """A time as the API writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def when_or_null(seconds: int | None) -> str | None:
    """The same for a time that may not have come."""
    return when(seconds) if seconds else None


def columns(row: Row, plain: str, *, flags: str = "") -> Json:
    """Columns of a row under their own names: as they are, or as true and false."""
    return {name: row[name] for name in plain.split()} | {name: bool(row[name]) for name in flags.split()}


def always(value: Any, names: str) -> Json:
    """Keys that have the same value in every object."""
    return dict.fromkeys(names.split(), value)


def times(row: Row) -> Json:
    """When a row was made and changed."""
    return {"created_at": when(row["created"]), "updated_at": when(row["updated"])}
