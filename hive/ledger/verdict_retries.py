"""Verdicts that could not be given for a reason that may pass: when their heads are reviewed again by themselves."""

from __future__ import annotations

from dataclasses import dataclass

from bots.intents import SetVerdict
from hive import backoff
from hive.ledger.database import Clock, Database
from hive.ledger.suspensions import NEVER

MOST_TRIES = 1_000
"""Of one head for one base: with an hour between them it is six weeks."""


@dataclass(frozen=True, slots=True)
class VerdictRetry:
    """A head that is to be reviewed again: by the bot that sets `context`, `tries` times until now."""

    ref: str
    context: str
    team: str
    tries: int


class VerdictRetries:
    """One row for each pull request and status context whose last verdict may pass."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def note(self, team: str, verdict: SetVerdict) -> None:
        """A verdict was given: of one that may pass the head is reviewed again, later each time; of any other it is not."""
        ref, context = str(verdict.ref), verdict.status.context
        with self._db.transaction() as db:
            if not verdict.may_pass:
                db.execute("DELETE FROM verdict_retries WHERE ref = ? AND context = ?", (ref, context))
                return
            row = db.execute(
                "SELECT tries FROM verdict_retries WHERE ref = ? AND context = ? AND head = ? AND base = ?",
                (ref, context, verdict.head_sha, verdict.base),
            ).fetchone()
            tries = 0 if row is None else int(row["tries"])
            db.execute(
                "INSERT OR REPLACE INTO verdict_retries (ref, context, team, head, base, tries, next_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (ref, context, team, verdict.head_sha, verdict.base, tries, self._next(tries)),
            )

    def due(self, limit: int = 50) -> list[VerdictRetry]:
        """What is to be reviewed again now, the longest due first."""
        rows = self._db.rows(
            "SELECT ref, context, team, tries FROM verdict_retries WHERE next_at <= ? ORDER BY next_at LIMIT ?",
            *(self._clock(), limit),
        )
        return [VerdictRetry(row["ref"], row["context"], row["team"], row["tries"]) for row in rows]

    def tried(self, retry: VerdictRetry) -> None:
        """It is reviewed again; if no verdict comes of that, it is once more after a while, unless it was the last time."""
        tries = retry.tries + 1
        with self._db.transaction() as db:
            db.execute(
                "UPDATE verdict_retries SET tries = ?, next_at = ? WHERE ref = ? AND context = ?",
                (tries, self._next(tries), retry.ref, retry.context),
            )

    def wait(self, retry: VerdictRetry) -> None:
        """It cannot be reviewed now: that counts as no try."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE verdict_retries SET next_at = ? WHERE ref = ? AND context = ?",
                (self._next(retry.tries), retry.ref, retry.context),
            )

    def drop(self, ref: str) -> None:
        """A pull request is over."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM verdict_retries WHERE ref = ?", (ref,))

    def _next(self, tries: int) -> float:
        return NEVER if tries >= MOST_TRIES else self._clock() + backoff.VERDICTS.delay(tries + 1)
