"""What a commit of an agent's configuration asks of this host: the same answer for a deployment and for a look at what runs."""

from __future__ import annotations

from dataclasses import dataclass

from hive.config import Limits
from hive.git_mirror.mirror import Mirror
from hive.reconcile.build import Plan, plan
from hive.reconcile.evidence import HEAD


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans by the limits of this host and the directories in which packages are searched."""

    limits: Limits
    packages_path: tuple[str, ...]

    def plan(self, agent: str, mirror: Mirror, branch: str, sha: str) -> Plan:
        """The plan of a commit, which is fetched with its branch if need be; raises BuildFailed and GitError."""
        if not mirror.has(sha):
            mirror.fetch(f"refs/heads/{branch}", HEAD)
        return plan(agent, mirror, sha, self.limits, packages_path=self.packages_path)
