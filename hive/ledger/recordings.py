"""Recordings of what bots read in a job, kept as long as deliveries."""

from __future__ import annotations

from hive.ledger.database import Clock, Database


class Recordings:
    """One recording for each job, of its last attempt."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def store(self, job: int, team: str, body: bytes) -> None:
        """Store a job's recording, in the transaction that ends the job."""
        with self._db.transaction(durable=False) as db:
            db.execute(
                "INSERT INTO recordings (job, team, body, recorded_at) VALUES (?, ?, ?, ?) ON CONFLICT (job)"
                " DO UPDATE SET body = excluded.body, recorded_at = excluded.recorded_at",
                (job, team, body, self._clock()),
            )

    def of(self, job: int) -> bytes | None:
        """A job's recording; None if it has none, or it was deleted."""
        row = self._db.row("SELECT body FROM recordings WHERE job = ?", job)
        return None if row is None else bytes(row["body"])

    def delete_before(self, before: float, limit: int = 500) -> int:
        """Delete some of the recordings that are older; returns how many."""
        with self._db.transaction(durable=False) as db:
            cursor = db.execute(
                "DELETE FROM recordings WHERE job IN (SELECT job FROM recordings WHERE recorded_at < ? LIMIT ?)",
                (before, limit),
            )
        return cursor.rowcount
