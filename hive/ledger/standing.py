"""How an agent stands: what runs, what is on its way, what failed last, why it waits, and what it has spent. Read only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from forge.models import Repo
from hive.ledger.caps import BudgetScope, Period
from hive.ledger.database import Clock, Database
from hive.ledger.deployments import FAILED, DeploymentState
from hive.ledger.suspensions import Scope, Suspension, Suspensions


@dataclass(frozen=True, slots=True)
class DeploymentAttempt:
    """One deployment, as far as people want to know; `at` is when it ended, or began if it is not over. Unix seconds.

    `base` is the commit of `hive/meta` that brought its base; empty for none.
    """

    sha: str
    base: str
    pull: int
    state: DeploymentState
    reason: str
    at: float
    cascade: int


@dataclass(frozen=True, slots=True)
class Spent:
    """What an agent has spent in a period, and its cap; billionths of a dollar, None without a cap."""

    period: Period
    spent: int
    cap: int | None


@dataclass(frozen=True, slots=True)
class AgentStanding:
    """How an agent stands. `running` is the commit of its container, empty before the first; `since` is 0 if it was always that one."""

    running: str = ""
    base: str = ""
    config: str = ""
    """The repository with its configuration, as `owner/name`."""

    since: float = 0.0
    under_way: DeploymentAttempt | None = None
    failure: DeploymentAttempt | None = None
    """The newest one that failed, if nothing was deployed after it."""

    suspensions: tuple[Suspension, ...] = ()
    spent: tuple[Spent, ...] = ()
    destroyed_at: float = 0.0


_ATTEMPT = """
    SELECT sha, coalesce((SELECT sha FROM cascades WHERE cascades.base = deployments.base AND base != '' ORDER BY id DESC LIMIT 1),
        base) AS base, coalesce(json_extract(pulls, '$[#-1]'), 0) AS pull, state, reason, coalesce(ended_at, created_at) AS at,
        cascade FROM deployments WHERE agent = ?
"""
_BASELINE = """
    SELECT running_sha, coalesce((SELECT sha FROM cascades WHERE base = running_base AND base != '' ORDER BY id DESC LIMIT 1),
        running_base) AS base, repo FROM baselines WHERE agent = ?
"""


class AgentStandings:
    """How agents stand."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._suspensions = Suspensions(db, clock)

    def of(self, team: str, agent: str) -> AgentStanding:
        """How an agent stands now."""
        baseline = self._db.row(_BASELINE, agent)
        tombstone = self._db.row("SELECT destroyed_at FROM tombstones WHERE agent = ?", agent)
        running = self._attempt(agent, "state = 'deployed'")
        failed = self._attempt(agent, f"state IN ({', '.join(repr(state.value) for state in sorted(FAILED))})")
        is_newer = failed is not None and (running is None or failed.at > running.at)
        return AgentStanding(
            running="" if baseline is None else baseline["running_sha"],
            base="" if baseline is None else baseline["base"],
            config="" if baseline is None else Repo.parse(baseline["repo"]).path,
            since=0.0 if running is None else running.at,
            under_way=self._attempt(agent, "ended_at IS NULL"),
            failure=failed if is_newer else None,
            suspensions=(
                *self._suspensions.of(team, Scope.AGENT, agent),
                *self._suspensions.of(team, Scope.DEPLOYMENTS, agent),
            ),
            spent=tuple(self._spent(agent)),
            destroyed_at=0.0 if tombstone is None else tombstone["destroyed_at"],
        )

    def last_rebuilt(self, agent: str) -> DeploymentAttempt | None:
        """The deployment that brought what runs; None before the first."""
        return self._attempt(agent, "state = 'deployed'")

    def last_turn_ended(self, agent: str) -> float:
        """When an agent ended a turn last; 0.0 before the first."""
        row = self._db.row("SELECT max(ended_at) AS at FROM turns WHERE agent = ? AND state = 'done'", agent)
        return 0.0 if row is None or row["at"] is None else float(row["at"])

    def refused(self, agent: str) -> list[str]:
        """The heads that were refused, the newest first; the last twenty."""
        rows = self._db.rows(
            "SELECT sha FROM deployments WHERE agent = ? AND state = 'rejected' GROUP BY sha ORDER BY max(id) DESC LIMIT 20",
            agent,
        )
        return [str(row["sha"]) for row in rows]

    def _attempt(self, agent: str, where: str) -> DeploymentAttempt | None:
        row: Any = self._db.row(f"{_ATTEMPT} AND {where} ORDER BY id DESC LIMIT 1", agent)
        return None if row is None else DeploymentAttempt(**{**dict(row), "state": DeploymentState(row["state"])})

    def _spent(self, agent: str) -> list[Spent]:
        found = []
        for period in (Period.DAY, Period.MONTH):
            row = self._db.row(
                "SELECT spent, cap, raised FROM spending WHERE (scope, name, period) = (?, ?, ?)",
                *(BudgetScope.AGENT.value, agent, period.of(self._clock())),
            )
            if row is not None:
                found.append(Spent(period, row["spent"], None if row["cap"] is None else row["cap"] + row["raised"]))
        return found
