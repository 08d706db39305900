"""Finished and open jobs, for replay. Reads only."""

from __future__ import annotations

from forge.events import SubjectChanged
from hive.ledger.database import Database
from hive.ledger.jobs import Job, job_of


class JobHistory:
    """Jobs that were."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, job_id: int) -> Job | None:
        """A job in any state; None for an unknown id."""
        row = self._db.row("SELECT * FROM jobs WHERE id = ?", job_id)
        return None if row is None else job_of(row)

    def of_delivery(self, delivery: int) -> list[Job]:
        """The jobs that a delivery made, except refreshes by the hive itself."""
        rows = self._db.rows(
            "SELECT * FROM jobs WHERE delivery = ? AND event_type != ? ORDER BY id", delivery, SubjectChanged.WIRE
        )
        return [job_of(row) for row in rows]

    def knows(self, bot: str, key: str) -> bool:
        """Whether a bot has, or had, a job for an event."""
        return self._db.row("SELECT 1 FROM jobs WHERE bot = ? AND event_key = ?", bot, key) is not None
