"""What was spent, for people: by agent, issue, model or day, of one run, and how far each cap is used. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bots.views import BudgetView, CapView
from hive.ledger.caps import SCOPES, BudgetScope, CapReached, Period, Spender
from hive.ledger.database import Clock, Database

GROUPS: Mapping[str, str] = {
    "agent": "agent",
    "issue": "ref",
    "model": "model",
    "day": "strftime('%Y-%m-%d', at, 'unixepoch')",
    "run": "coalesce(run, 'reviews')",
    "repo": "substr(ref, 1, instr(ref, '#') - 1)",
    "team": "team",
}
"""By what spending can be listed, as SQL."""


@dataclass(frozen=True, slots=True)
class SpendingRow:
    """The bookings of one agent, issue, model or day; `estimates` are those that the provider did not report in full."""

    name: str
    requests: int
    input: int
    output: int
    cache_read: int
    cache_write: int
    cost: int
    estimates: int


@dataclass(frozen=True, slots=True)
class RunSpending:
    """What a run has cost so far, and how far the caps of it and of its issue are used."""

    requests: int = 0
    tokens: int = 0
    cost: int = 0
    caps: tuple[CapReached, ...] = ()

    @property
    def used(self) -> int | None:
        """The highest percentage of a cap, None without one."""
        return max((cap.used for cap in self.caps), default=None)


@dataclass(frozen=True, slots=True)
class BookedAnswer:
    """One answer of a model: tokens by class, and its cost."""

    turn: int
    model: str
    input: int
    cache_read: int
    cache_write: int
    output: int
    cost: int


class SpendingReport:
    """Reads bookings and sums."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def by(self, what: str, since: float = 0.0) -> list[SpendingRow]:
        """The bookings from a time on, by one of `GROUPS`: days in their order, all else by cost, the highest first."""
        order = "name" if what == "day" else "cost DESC, name"
        rows = self._db.rows(
            f"SELECT cast({GROUPS[what]} AS TEXT) AS name, count(*) AS requests, sum(input) AS input, sum(output) AS output,"  # noqa: S608  ours
            " sum(cache_read) AS cache_read, sum(cache_write) AS cache_write, sum(cost) AS cost, sum(is_estimate) AS estimates"
            f" FROM bookings WHERE at >= ? GROUP BY 1 ORDER BY {order}",
            since,
        )
        return [SpendingRow(**dict(row)) for row in rows]

    def answers(self, run: int) -> list[BookedAnswer]:
        """What each answer of a model in a run used and cost, in order."""
        rows = self._db.rows(
            "SELECT turn, model, input, cache_read, cache_write, output, cost FROM bookings WHERE run = ? ORDER BY id",
            run,
        )
        return [BookedAnswer(**dict(row)) for row in rows]

    def of_reviews(self, ref: str) -> int:
        """What all reviews of a pull request have cost."""
        row = self._db.row("SELECT coalesce(sum(cost), 0) AS cost FROM bookings WHERE ref = ? AND run IS NULL", ref)
        return 0 if row is None else int(row["cost"])

    def of_run(self, run: int) -> RunSpending:
        """What a run has cost."""
        row = self._db.row(
            "SELECT runs.ref AS ref, count(bookings.id) AS requests, coalesce(sum(cost), 0) AS cost,"
            " coalesce(sum(input + output + cache_read + cache_write), 0) AS tokens"
            " FROM runs LEFT JOIN bookings ON bookings.run = runs.id WHERE runs.id = ? GROUP BY runs.id",
            run,
        )
        if row is None:
            return RunSpending()
        caps = self._caps(BudgetScope.RUN, str(run)) + self._caps(BudgetScope.ISSUE, row["ref"])
        return RunSpending(row["requests"], row["tokens"], row["cost"], caps)

    def _caps(self, scope: BudgetScope, name: str) -> tuple[CapReached, ...]:
        """The cap of a run or an issue, none if it has none."""
        row = self._db.row(
            "SELECT * FROM spending WHERE scope = ? AND name = ? AND period = '' AND cap IS NOT NULL", scope.value, name
        )
        return () if row is None else (CapReached(scope, Period.WHOLE, row["cap"] + row["raised"], row["spent"]),)

    def budget(self, ref: str) -> BudgetView | None:
        """What the newest run of an issue or pull request, and everything that it counts for, has spent of its caps."""
        row = self._db.row("SELECT * FROM runs WHERE ref = ? OR pull = ? ORDER BY id DESC LIMIT 1", ref, ref)
        if row is None:
            return None
        who, now = Spender(row["team"], row["agent"], row["ref"], row["id"], 0), self._clock()
        found = []
        for scope, period in SCOPES:
            sums = self._db.row(
                "SELECT spent, cap, raised FROM spending WHERE (scope, name, period) = (?, ?, ?)",
                *(scope.value, who.name(scope), period.of(now)),
            )
            if sums is not None:
                cap = None if sums["cap"] is None else sums["cap"] + sums["raised"]
                found.append(CapView(scope.value, period.value, sums["spent"], cap))
        return BudgetView(row["id"], row["agent"], tuple(found))
