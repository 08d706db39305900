"""What a commit of an agent's configuration asks of this host: the same answer for a deployment and for a look at what runs."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from hive.config import Limits
from hive.git_mirror.mirror import Mirror
from hive.reconcile.build import Plan, plan
from hive.reconcile.evidence import HEAD

REMEMBERED = 2
"""Plans of an agent: that of what runs, and that of what comes next."""


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans by the limits of this host and the directories in which packages are searched."""

    limits: Limits
    packages_path: tuple[str, ...]
    _built: dict[str, deque[tuple[str, Plan]]] = field(default_factory=dict, compare=False)

    def plan(self, agent: str, mirror: Mirror, branch: str, sha: str) -> Plan:
        """The plan of a commit, which is fetched with its branch if need be; raises BuildFailed and GitError."""
        if not mirror.has(sha):
            mirror.fetch(f"refs/heads/{branch}", HEAD)
        return plan(agent, mirror, sha, self.limits, packages_path=self.packages_path)

    def plan_to_build(self, agent: str, mirror: Mirror, branch: str, sha: str) -> Plan:
        """The plan of a commit that is built now, which is remembered with the one before; raises BuildFailed and GitError."""
        made = self.plan(agent, mirror, branch, sha)
        self._built.setdefault(agent, deque(maxlen=REMEMBERED)).append((sha, made))
        return made

    def built(self, agent: str, mirror: Mirror, branch: str, sha: str) -> Plan:
        """What a commit asked of this host when it was built here last; planned again if that is forgotten."""
        for known, made in reversed(self._built.get(agent, ())):
            if known == sha:
                return made
        return self.plan_to_build(agent, mirror, branch, sha)
