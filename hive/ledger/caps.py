"""What may be spent, by whom and in which time, and what came of asking for it. Performs no I/O.

Amounts are whole billionths of a dollar, times unix seconds, days and months those of UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from bots.money import percent
from forge.models import Ref


class BudgetScope(StrEnum):
    """Whose spending a cap limits."""

    RUN = "run"
    ISSUE = "issue"
    AGENT = "agent"
    REPOSITORY = "repo"
    TEAM = "team"


class Period(StrEnum):
    """In which time a cap limits spending: in all, on a day, in a month."""

    WHOLE = ""
    DAY = "day"
    MONTH = "month"

    def of(self, at: float) -> str:
        """The name of the one that a time lies in: `2026-11-30`, `2026-11`, or nothing."""
        day = datetime.fromtimestamp(at, UTC)
        return {Period.WHOLE: "", Period.DAY: f"{day:%Y-%m-%d}", Period.MONTH: f"{day:%Y-%m}"}[self]

    def ends(self, at: float) -> float:
        """When the one that a time lies in is over; 0.0 for one that never is."""
        if self is Period.WHOLE:
            return 0.0
        day = datetime.fromtimestamp(at, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        day += timedelta(days=1)
        while self is Period.MONTH and day.day != 1:
            day += timedelta(days=1)
        return day.timestamp()


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that may be spent in each scope; None where there is no limit."""

    run: int | None = None
    issue: int | None = None
    agent_day: int | None = None
    agent_month: int | None = None
    repo_day: int | None = None
    repo_month: int | None = None
    team_day: int | None = None
    team_month: int | None = None

    def of(self, scope: BudgetScope, period: Period) -> int | None:
        """The cap of a scope and period."""
        found: int | None = getattr(self, "_".join(filter(None, (scope, period))))
        return found


SCOPES = (
    (BudgetScope.RUN, Period.WHOLE),
    (BudgetScope.ISSUE, Period.WHOLE),
    (BudgetScope.AGENT, Period.DAY),
    (BudgetScope.AGENT, Period.MONTH),
    (BudgetScope.REPOSITORY, Period.DAY),
    (BudgetScope.REPOSITORY, Period.MONTH),
    (BudgetScope.TEAM, Period.DAY),
    (BudgetScope.TEAM, Period.MONTH),
)
"""Where each amount counts, and where it may have a cap."""


@dataclass(frozen=True, slots=True)
class Spender:
    """On whose account a request to the model goes: a turn of a run, its issue, agent and team.

    `run` and `turn` are 0 for a review: then `agent` is the account that reviews, and `ref` the pull request.
    """

    team: str
    agent: str
    ref: str
    run: int
    turn: int

    def name(self, scope: BudgetScope) -> str:
        """Who that is in a scope."""
        match scope:
            case BudgetScope.RUN:
                return str(self.run)
            case BudgetScope.ISSUE:
                return self.ref
            case BudgetScope.AGENT:
                return self.agent
            case BudgetScope.REPOSITORY:
                return str(Ref.parse(self.ref).repo)
            case BudgetScope.TEAM:
                return self.team

    def accounts(self, at: float) -> Iterator[tuple[BudgetScope, Period, tuple[str, str, str]]]:
        """Each scope and period with the key of its sum, as of a time."""
        for scope, period in SCOPES:
            if scope is not BudgetScope.RUN or self.run:
                yield scope, period, (scope.value, self.name(scope), period.of(at))


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens by the classes that are billed apart; `written` is what went into the cache, for whatever time."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    @property
    def tokens_in(self) -> int:
        """All tokens that the model read."""
        return self.input + self.cache_read + self.cache_write

    def __sub__(self, other: TokenCounts) -> TokenCounts:
        return TokenCounts(
            self.input - other.input,
            self.output - other.output,
            self.cache_read - other.cache_read,
            self.cache_write - other.cache_write,
        )


@dataclass(frozen=True, slots=True)
class Quote:
    """What a request may cost at most, the least that it can be cut down to, and the tokens behind that amount."""

    model: str
    tokens: TokenCounts
    amount: int
    least: int


@dataclass(frozen=True, slots=True)
class CapReached:
    """The cap that leaves no room: what was spent of it, what others have reserved, and when it is renewed, 0.0 for never."""

    scope: BudgetScope
    period: Period
    cap: int
    spent: int
    held: int = 0
    until: float = 0.0

    @property
    def used(self) -> int:
        """How many percent of the cap are spent."""
        return percent(self.spent, self.cap)


@dataclass(frozen=True, slots=True)
class Hold:
    """A reservation: so much is set aside until a request is settled.

    `used` is how many percent are spent of the cap that is used most, `limit` the cap that left the least room.
    """

    id: int
    amount: int
    used: int = 0
    limit: CapReached | None = None


class OverCap(Exception):
    """A request does not fit below a cap, whatever becomes of those that are in flight."""

    def __init__(self, reached: CapReached) -> None:
        super().__init__(f"{reached.scope} {reached.period}: {reached.spent} of {reached.cap}")
        self.reached = reached


class CapBusy(Exception):
    """A request does not fit below a cap now, and may do so when those in flight are settled."""

    def __init__(self, reached: CapReached) -> None:
        super().__init__(f"{reached.scope} {reached.period}: {reached.held} reserved")
        self.reached = reached


@dataclass(frozen=True, slots=True)
class CapWarning:
    """So many percent of a cap were reached just now, for the first time."""

    level: int
    reached: CapReached


WARNINGS = (95, 75)
"""Percent of a cap at which there is a warning, the highest first."""


def warning_level(spent: int, cap: int | None) -> int:
    """The highest warning that an amount calls for; 0 for none."""
    used = 0 if cap is None else percent(spent, cap)
    return next((mark for mark in WARNINGS if used >= mark), 0)
