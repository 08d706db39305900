"""Suspensions: work that cannot be done now for reasons outside of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from hive.ledger.database import Clock, Database

NEVER = 1e12
"""A time that never comes: until an operator resumes the work."""


class Scope(StrEnum):
    """Whose work is suspended: a team's, an account's, a bot's, an agent's, a subject's, a repository's, or its turns alone.

    With `DEPLOYMENTS` an agent goes on working, and new configurations of it wait; without a name those of all agents of the team.
    """

    TEAM = "team"
    ACCOUNT = "account"
    BOT = "bot"
    AGENT = "agent"
    SUBJECT = "subject"
    REPOSITORY = "repository"
    REPOSITORY_TURNS = "repository_turns"
    DEPLOYMENTS = "deployments"


class SuspensionReason(StrEnum):
    """Why work is suspended; it can be for several reasons, and resumes when the last one is gone."""

    FORGE_UNAVAILABLE = "forge_unavailable"
    TOKEN_REJECTED = "token_rejected"  # noqa: S105  a reason
    PAUSED = "paused"
    MODEL_UNREACHABLE = "model_unreachable"
    RATE_LIMITED = "rate_limited"
    NEEDS_LOGIN = "needs_login"
    OVER_BUDGET = "over_budget"
    BUDGET_SPENT = "budget_spent"
    RUNAWAY = "runaway"
    CRASHED = "crashed"
    REPOSITORY_LOST = "repository_lost"
    STOPPED = "stopped"
    BOTS_CAN_MERGE = "bots_can_merge"
    MERGES_UNTRIED = "merges_untried"


MODEL_REASONS = frozenset(
    {
        *(SuspensionReason.MODEL_UNREACHABLE, SuspensionReason.RATE_LIMITED),
        *(SuspensionReason.NEEDS_LOGIN, SuspensionReason.OVER_BUDGET),
    }
)
"""Reasons for which a turn probes the model after a while."""


@dataclass(frozen=True, slots=True)
class Suspension:
    """Suspended work. `name` is whose, empty for a whole team; times are unix seconds."""

    team: str
    scope: Scope
    name: str
    reason: SuspensionReason
    detail: str
    since: float
    next_at: float
    attempts: int

    @property
    def waiting(self) -> str:
        """Why work waits, and when it is tried again if that is known: `waiting: 529 overloaded_error, retry 14:32 UTC`."""
        if self.reason not in MODEL_REASONS:
            return self.detail
        again = datetime.fromtimestamp(self.next_at, UTC)
        return f"waiting: {self.detail}, retry {again:%H:%M} UTC"

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC).isoformat(timespec="seconds")
        return f"{self.team} {self.name}".rstrip() + f": {self.waiting}, since {since}"


class Suspensions:
    """Jobs and effects that stand here are not due, and lose none of their attempts."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def suspend(
        self, team: str, scope: Scope, name: str, reason: SuspensionReason, detail: str, *, until: float = 0.0
    ) -> bool:
        """Suspend work, at least `until` a time; False if it is suspended for this reason already."""
        now = self._clock()
        with self._db.transaction() as db:
            cursor = db.execute(
                "INSERT INTO suspensions (team, scope, name, reason, detail, since, next_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (team, scope, name, reason, detail[:300], now, max(now, until)),
            )
        return bool(cursor.rowcount)

    def reschedule(self, suspension: Suspension, delay: float) -> None:
        """Check again after `delay` seconds: it still cannot be done."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE suspensions SET attempts = attempts + 1, next_at = ?"
                " WHERE team = ? AND scope = ? AND name = ? AND reason = ?",
                (self._clock() + delay, suspension.team, suspension.scope, suspension.name, suspension.reason),
            )

    def resume(self, team: str, scope: Scope, name: str, reason: SuspensionReason) -> bool:
        """Remove a reason; False if there was none."""
        with self._db.transaction() as db:
            cursor = db.execute(
                "DELETE FROM suspensions WHERE team = ? AND scope = ? AND name = ? AND reason = ?",
                (team, scope, name, reason),
            )
        return bool(cursor.rowcount)

    def due(self) -> list[Suspension]:
        """Suspensions to check again now."""
        return self._found("WHERE next_at <= ?", self._clock())

    def of(self, team: str, scope: Scope, name: str) -> list[Suspension]:
        """The reasons of a suspension, oldest first."""
        return self._found("WHERE team = ? AND scope = ? AND name = ?", team, scope, name)

    def all(self) -> list[Suspension]:
        """All suspensions, oldest first."""
        return self._found("")

    def _found(self, where: str, *values: object) -> list[Suspension]:
        rows = self._db.rows(
            f"SELECT team, scope, name, reason, detail, since, next_at, attempts FROM suspensions {where} ORDER BY since",  # noqa: S608
            *values,
        )
        return [
            Suspension(**{**dict(row), "scope": Scope(row["scope"]), "reason": SuspensionReason(row["reason"])})
            for row in rows
        ]
