"""Subjects that machines wrote to too often: suspended until an operator resumes them."""

from __future__ import annotations

from dataclasses import dataclass

from hive.ledger.database import Clock, Database


@dataclass(frozen=True, slots=True)
class TrippedBreaker:
    """A suspended subject, and the effect that notifies the operators."""

    team: str
    ref: str
    issue: int


class Breakers:
    """When each subject was stopped and resumed."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def trip(self, team: str, ref: str, issue: int) -> None:
        """Suspend a subject; `issue` is the effect that notifies the operators."""
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO breakers (team, ref, issue, tripped_at) VALUES (?, ?, ?, ?) ON CONFLICT (team, ref)"
                " DO UPDATE SET issue = excluded.issue, tripped_at = excluded.tripped_at",
                (team, ref, issue, self._clock()),
            )

    def reset(self, team: str, ref: str) -> None:
        """Resume a subject: earlier writes no longer count."""
        with self._db.transaction() as db:
            db.execute("UPDATE breakers SET reset_at = ? WHERE team = ? AND ref = ?", (self._clock(), team, ref))

    def reset_at(self, team: str, ref: str) -> float:
        """Since when a subject counts; 0.0 from its beginning."""
        row = self._db.row("SELECT reset_at FROM breakers WHERE team = ? AND ref = ?", team, ref)
        return 0.0 if row is None else float(row["reset_at"])

    def of(self, team: str, ref: str) -> TrippedBreaker | None:
        """A subject that was stopped last for this reason."""
        row = self._db.row("SELECT team, ref, issue FROM breakers WHERE team = ? AND ref = ?", team, ref)
        return None if row is None else TrippedBreaker(row["team"], row["ref"], row["issue"])
