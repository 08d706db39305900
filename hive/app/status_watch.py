"""Keeps the status issues of all agents: looks at one after another whether its issue should say something else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from forge.models import Repo
from hive.instance.instance import Instance
from hive.outbox.agent_status import enqueue_status

EACH_SECONDS = 5.0
"""How long after another each agent is looked at, at the least."""


@dataclass
class StatusWatch:
    """Looks at the agents of a hive in turn, a few at a time."""

    _due: list[tuple[str, str]] = field(default_factory=list)
    _next_round: float = 0.0

    def look(self, instance: Instance) -> None:
        """Look at the next agent if it is time to. Raises errors of the ledger."""
        if not self._due and time.monotonic() >= self._next_round:
            self._due = list(_agents(instance))
            self._next_round = time.monotonic() + EACH_SECONDS
        if not self._due:
            return
        team, agent = self._due.pop(0)
        core, repo = instance.settings.account("core"), ops_of(instance, team)
        if enqueue_status(instance.ledger, core, repo, team=team, agent=agent):
            instance.wakeup.notify()


def ops_of(instance: Instance, team: str) -> Repo:
    """The repository in which people see how the agents of a team stand."""
    settings = instance.settings
    return settings.own_repos(settings.first_team(settings.teams[team].forge))[1]


def _agents(instance: Instance) -> Iterator[tuple[str, str]]:
    """Each agent with its team, those that left the roster last."""
    for team, mine in instance.settings.teams.items():
        yield from ((team, agent) for agent in mine.agents)
    for tombstone in instance.ledger.rosters.tombstones():
        is_known = bool(instance.ledger.status_issues.of(tombstone.agent).ref)
        if is_known and tombstone.team in instance.settings.teams:
            yield tombstone.team, tombstone.agent
