"""What rests: work that cannot be done now through no fault of its own, with the reason and since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from hive.ledger.database import Clock, Database


class Scope(StrEnum):
    """Whose work rests: all of a team's, the deeds of one account, or the looks of one bot."""

    TEAM = "team"
    ACCOUNT = "account"
    BOT = "bot"


@dataclass(frozen=True, slots=True)
class Parked:
    """Work that rests. `name` is the account or bot, empty for a whole team; times are unix seconds."""

    team: str
    scope: Scope
    name: str
    reason: str
    since: float
    attempts: int

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC).isoformat(timespec="seconds")
        return f"{self.team} {self.name}".rstrip() + f": {self.reason}, since {since}"


class Parking:
    """Jobs and effects that stand here are not due, and lose none of their attempts."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def park(self, team: str, scope: Scope, name: str, reason: str) -> bool:
        """Let work rest; False if it does already."""
        now = self._clock()
        with self._db.transaction() as db:
            cursor = db.execute(
                "INSERT INTO parked (team, scope, name, reason, since, next_at) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (team, scope, name, reason[:300], now, now),
            )
        return bool(cursor.rowcount)

    def look_again(self, parked: Parked, delay: float) -> None:
        """It still cannot be done: look again after `delay` seconds."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE parked SET attempts = attempts + 1, next_at = ? WHERE team = ? AND scope = ? AND name = ?",
                (self._clock() + delay, parked.team, parked.scope, parked.name),
            )

    def release(self, team: str, scope: Scope, name: str = "") -> None:
        """What rested can go on."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM parked WHERE team = ? AND scope = ? AND name = ?", (team, scope, name))

    def due(self) -> list[Parked]:
        """What somebody should look at again."""
        return self._found("WHERE next_at <= ?", self._clock())

    def all(self) -> list[Parked]:
        """All that rests, longest first."""
        return self._found("")

    def _found(self, where: str, *values: object) -> list[Parked]:
        rows = self._db.rows(
            f"SELECT team, scope, name, reason, since, attempts FROM parked {where} ORDER BY since",  # noqa: S608
            *values,
        )
        return [Parked(**{**dict(row), "scope": Scope(row["scope"])}) for row in rows]
