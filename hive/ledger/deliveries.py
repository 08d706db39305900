"""Webhook deliveries, each stored once and whole; and the cursors of polling."""

from __future__ import annotations

from forge.webhook import Delivery
from hive.ledger.compression import decompress
from hive.ledger.database import Clock, Database

FORGOTTEN = "forgotten"
"""The cursor of dropping old bodies."""


class Deliveries:
    """What came in."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def receive(self, delivery: Delivery, packed: bytes) -> bool:
        """Store a delivery, to be read later; `packed` is its body by `pack`. False if it is known already."""
        with self._db.transaction() as db:
            cursor = db.execute(
                "INSERT INTO deliveries (team, forge, uuid, kind, body, received_at, state)"
                " VALUES ('', ?, ?, ?, ?, ?, 'pending') ON CONFLICT DO NOTHING",
                (delivery.forge, delivery.id, delivery.kind, packed, self._clock()),
            )
        return bool(cursor.rowcount)

    def get(self, number: int) -> Delivery | None:
        """A delivery as it arrived; None for an unknown one, or one whose body was deleted."""
        row = self._db.row("SELECT * FROM deliveries WHERE id = ? AND body != x''", number)
        return None if row is None else Delivery(row["forge"], row["uuid"], row["kind"], decompress(row["body"]))

    def unread(self, limit: int = 100) -> list[tuple[int, Delivery]]:
        """Deliveries that were not dispatched yet, oldest first, each with its id."""
        rows = self._db.rows("SELECT * FROM deliveries WHERE state = 'pending' ORDER BY id LIMIT ?", limit)
        return [(row["id"], Delivery(row["forge"], row["uuid"], row["kind"], decompress(row["body"]))) for row in rows]

    def mark_read(self, delivery: int, *, team: str = "", failed: bool = False) -> None:
        """A delivery was read; belongs into the transaction that stores the jobs it makes."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE deliveries SET team = ?, state = ? WHERE id = ?",
                (team, "failed" if failed else "read", delivery),
            )

    def count(self) -> int:
        """How many deliveries have come in."""
        return int(self._db.rows("SELECT count(*) FROM deliveries")[0][0])

    def drop_bodies(self, before: float, limit: int = 500) -> int:
        """Drop the bodies of deliveries that came before a time, some at once; returns of how many.

        The row stays: a delivery that comes again is known for ever. They came in the order of their ids.
        """
        begin = int(self.cursor(FORGOTTEN) or 0)
        rows = self._db.rows(
            "SELECT id FROM deliveries WHERE id > ? AND received_at < ? AND state != 'pending' ORDER BY id LIMIT ?",
            *(begin, before, limit),
        )
        if not rows:
            return 0
        with self._db.transaction(durable=False) as db:
            last = rows[-1]["id"]
            db.execute(
                "UPDATE deliveries SET body = x'' WHERE id > ? AND id <= ? AND state != 'pending'", (begin, last)
            )
            self.move_cursor(FORGOTTEN, str(last))
        return len(rows)

    def cursor(self, name: str) -> str | None:
        """Where polling stopped."""
        row = self._db.row("SELECT value FROM cursors WHERE name = ?", name)
        return None if row is None else str(row["value"])

    def move_cursor(self, name: str, value: str) -> None:
        """Remember where polling stopped, in the transaction that stores what it found."""
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO cursors (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (name, value),
            )
