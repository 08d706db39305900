"""What a generation of an agent asks of this host: the same answer for a deployment and for a look at what runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from hive.config import Limits
from hive.config.base_yaml import NO_BASE, Base
from hive.git_mirror.mirror import GitError, Mirror
from hive.ledger import Generation
from hive.reconcile.build import Plan, plan
from hive.reconcile.evidence import HEAD

REMEMBERED = 2
"""Plans of an agent: that of what runs, and that of what comes next."""


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans by the limits of this host and the directories in which packages are searched; `bases` knows each by its digest."""

    limits: Limits
    packages_path: tuple[str, ...]
    bases: Callable[[str], Base] = lambda _: NO_BASE
    _built: dict[str, deque[tuple[str, Plan]]] = field(default_factory=dict, compare=False)

    def plan(self, agent: str, mirror: Mirror, branch: str, generation: Generation) -> Plan:
        """The plan of a commit on a base; it is fetched with its branch if need be. Raises BuildFailed and GitError."""
        try:
            return self._plan(agent, mirror, generation)
        except GitError:
            if mirror.has(generation.commit):
                raise
        mirror.fetch(f"refs/heads/{branch}", HEAD)
        return self._plan(agent, mirror, generation)

    def _plan(self, agent: str, mirror: Mirror, generation: Generation) -> Plan:
        base = self.bases(generation.base)
        return plan(agent, mirror, generation.commit, self.limits, packages_path=self.packages_path, base=base)

    def plan_to_build(self, agent: str, mirror: Mirror, branch: str, generation: Generation) -> Plan:
        """The plan of what is built now, which is remembered with the one before; raises BuildFailed and GitError."""
        made = self.plan(agent, mirror, branch, generation)
        self._built.setdefault(agent, deque(maxlen=REMEMBERED)).append((generation, made))
        return made

    def built(self, agent: str, mirror: Mirror, branch: str, generation: Generation) -> Plan:
        """What an artifact asked of this host when it was built here last; planned again if that is forgotten."""
        for known, made in reversed(self._built.get(agent, ())):
            if known == generation:
                return made
        return self.plan_to_build(agent, mirror, branch, generation)
