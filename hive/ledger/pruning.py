"""Pruning: old rows that nobody needs are deleted, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hive.ledger.database import Database

BATCH = 500
RANGE = 20_000
"""Rows scanned in one transaction, so that other writers do not wait long."""

_OPEN_REFS = """
    SELECT ref FROM runs WHERE state = 'open' UNION ALL SELECT pull FROM runs WHERE state = 'open' AND pull IS NOT NULL
"""
_CLOSED_REFS = "SELECT ref FROM closed_reviews WHERE closed_at < :closed"
OVER = {
    "recordings": "recorded_at < :before",
    "progress": "run IN (SELECT id FROM runs WHERE state = 'ended' AND ended_at < :before)",
    "turns": "created_at < :before AND state = 'done' AND run IN (SELECT id FROM runs WHERE state = 'ended' AND ended_at < :before)",
    "effects": f"""
        created_at < :before AND state IN ('done', 'superseded', 'failed') AND ref NOT IN ({_OPEN_REFS})
        AND id NOT IN (SELECT issue FROM breakers WHERE issue IS NOT NULL)
        AND key NOT IN (SELECT 'hive:incident:' || subject || ':' || id FROM incidents WHERE ended_at IS NULL)
    """,  # noqa: S608  ours
    "jobs": f"""
        created_at < :before AND state IN ('done', 'failed', 'merged', 'superseded') AND ref NOT IN ({_OPEN_REFS})
        AND id NOT IN (SELECT job FROM recordings)
    """,  # noqa: S608  ours
    "deliveries": "received_at < :before AND state != 'pending'",
    "audit": "at < :before",
    "broker_calls": "run IN (SELECT id FROM runs WHERE state = 'ended' AND ended_at < :before)",
    "crashes": "at < :before",
    "bookings": "at < :before",
    "model_answers": "answered_at < :before",
    "budget_stops": "at < :before",
    "spending": "period != '' AND period < strftime('%Y-%m', :before, 'unixepoch')",
    "incidents": "ended_at < :before",
    "review_rounds": f"""
        reviewed_at < :before AND round < (SELECT max(round) FROM review_rounds AS newer WHERE newer.ref = review_rounds.ref)
        OR ref IN ({_CLOSED_REFS})
    """,  # noqa: S608  ours
    "dismissals": f"ref IN ({_CLOSED_REFS})",
    "review_facts": "at < :before",
    "closed_reviews": f"closed_at < :before AND ref IN ({_CLOSED_REFS})",
}
"""The rows of each table that can be deleted, by the time before which they ended, or the pull request was closed.

Runs, deployments, pins and snapshots stay.
"""

KEYS = {"recordings": "job", "progress": "run", "review_facts": "rowid", "closed_reviews": "ref"}
"""The keys of tables without an id of their own."""

POINTERS = (
    ("jobs", "delivery", "deliveries"),
    ("jobs", "cause", "effects"),
    ("jobs", "merged_into", "jobs"),
    ("effects", "job", "jobs"),
    ("effects", "turn", "turns"),
    ("runs", "effect", "effects"),
    ("turns", "effect", "effects"),
)
"""Columns that may point to a deleted row, which is fine: (table, column, target)."""


class Pruning:
    """Deletes old rows."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def count(self, before: float, closed: float = 0.0) -> dict[str, int]:
        """How many rows of each table can be deleted; `closed` is the same for the reviews of closed pull requests."""
        found = {}
        for table, is_over in OVER.items():
            row = self._db.rows(
                f"SELECT count(*) AS n FROM {table} WHERE {is_over}",  # noqa: S608
                {"before": before, "closed": closed},
            )[0]
            if row["n"]:
                found[table] = int(row["n"])
        return found

    def prune(self, table: str, before: float, closed: float = 0.0) -> int:
        """Delete some prunable rows of a table; returns how many, 0 when none is left."""
        key = KEYS.get(table, "id")
        which = f"SELECT {key} FROM {table} WHERE {OVER[table]} ORDER BY {key} LIMIT {BATCH}"  # noqa: S608
        with self._loosely():
            return self._db.rows_changed(
                f"DELETE FROM {table} WHERE {key} IN ({which})",  # noqa: S608
                {"before": before, "closed": closed},
            )

    def clear_dangling(self) -> None:
        """Clear what points to rows that are gone."""
        for table, column, target in POINTERS:
            last = self._db.rows(f"SELECT coalesce(max(id), 0) AS n FROM {table}")[0]["n"]  # noqa: S608
            for first in range(0, last + 1, RANGE):
                with self._loosely():
                    self._db.rows_changed(
                        f"UPDATE {table} SET {column} = NULL WHERE id >= :first AND id < :end AND {column} IS NOT NULL"  # noqa: S608
                        f" AND NOT EXISTS (SELECT 1 FROM {target} AS there WHERE there.id = {table}.{column})",
                        {"first": first, "end": first + RANGE},
                    )

    @contextmanager
    def _loosely(self) -> Iterator[None]:
        """Skip SQLite's own search for references to a deleted row: it scans a whole table for each."""
        with self._db.without_foreign_keys():
            yield
