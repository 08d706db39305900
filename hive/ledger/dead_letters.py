"""Jobs not to be retried: they crash their worker, or a newer job replaces them."""

from __future__ import annotations

from forge.events import CommentPosted
from hive.ledger.database import Clock, Database
from hive.ledger.jobs import MAX_DEATHS, Job, job_of


class DeadLetters:
    """Finds jobs that are not retried. Reads only."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def crashing(self) -> list[Job]:
        """Jobs whose worker died at each of their last attempts: they are failed by the worker, and not claimed before."""
        rows = self._db.rows(
            "SELECT * FROM jobs WHERE state = 'running' AND lease_until < ? AND deaths + 1 >= ?",
            *(self._clock(), MAX_DEATHS),
        )
        return [job_of(row) for row in rows]

    def is_replaced(self, job: Job) -> bool:
        """Whether a newer job of the same bot, done or open, replaces a failed one."""
        if isinstance(job.event, CommentPosted):
            return False  # another comment does not repeat what one comment asked for
        row = self._db.row(
            "SELECT 1 FROM jobs WHERE team = ? AND bot = ? AND ref = ? AND event_type = ? AND id > ?"
            " AND state IN ('pending', 'running', 'done')",
            *(job.team, job.bot, str(job.event.ref), type(job.event).WIRE, job.id),
        )
        return row is not None
