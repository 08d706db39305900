"""What may be spent, and what models of one's own cost: pieces of `hive.yaml`. Amounts are in US dollars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Le

from hive.codec import STRICT

Dollars = Annotated[float, Ge(0), Le(1_000_000)]
Cap = Dollars | Literal["none"]
"""The most that may be spent, in US dollars; `none` is no limit, and 0 lets only models work that cost nothing."""


@dataclass(frozen=True, slots=True)
class OwnPrice:
    """What a model costs, in US dollars for a million tokens; a class that is not named costs nothing."""

    input: Dollars = 0.0
    """Tokens that it reads, beside those below."""

    output: Dollars = 0.0
    """Tokens that it writes, thinking included."""

    cache_read: Dollars = 0.0
    """Tokens that it reads from its cache."""

    cache_write: Dollars = 0.0
    """Tokens that are written to its cache."""

    __pydantic_config__: ClassVar = STRICT


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    """The most that may be spent on models, in US dollars; `none` is no limit. Days and months are those of UTC."""

    run: Cap = 3.0
    """Of one run: the work of one agent on one issue. `/budget +2` adds to it."""

    issue: Cap = 10.0
    """Of all runs on one issue. `/budget +2` adds to it."""

    agent_day: Cap = "none"
    """Of one agent on a day."""

    agent_month: Cap = "none"
    """Of one agent in a month."""

    repo_day: Cap = "none"
    """For the issues of one repository on a day."""

    repo_month: Cap = "none"
    """For the issues of one repository in a month."""

    team_day: Cap = 50.0
    """Of a team on a day."""

    team_month: Cap = "none"
    """Of a team in a month."""

    __pydantic_config__: ClassVar = STRICT


DEFAULT_BUDGET = BudgetSettings()


@dataclass(frozen=True, slots=True)
class AgentBudget:
    """Lower caps of one agent, in US dollars; `none` leaves those of `hive.yaml` alone."""

    run: Cap = "none"
    """Of one of its runs, within `budget.run`."""

    issue: Cap = "none"
    """Of an issue that it works on, within `budget.issue`."""

    day: Cap = "none"
    """On a day, within `budget.agent_day`."""

    month: Cap = "none"
    """In a month, within `budget.agent_month`."""

    __pydantic_config__: ClassVar = STRICT


NO_BUDGET = AgentBudget()
OF_AGENTS = {"run": "run", "issue": "issue", "day": "agent_day", "month": "agent_month"}
"""The cap of `hive.yaml` that each one of an agent is within."""


def own_bounds(budget: BudgetSettings) -> dict[str, float]:
    """What each cap of an agent is within, by its name in `agent.yaml`; without those that have no limit."""
    bounds = {own: getattr(budget, name) for own, name in OF_AGENTS.items()}
    return {own: bound for own, bound in bounds.items() if bound != "none"}
