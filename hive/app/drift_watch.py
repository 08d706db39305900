"""Tells operators of agents whose containers are no longer what their commits make on this host: one issue for each."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from bots.markdown import code, listed
from hive.ledger import Generation
from hive.outbox.incidents import IncidentReporter
from hive.reconcile.drift import Drift
from hive.reconcile.reconciler import ManagedAgent

EACH_SECONDS = 300.0
APART_SECONDS = 1.0
"""Between two looks, at the same agent or not: they are made by the thread that keeps all containers."""

TITLE = "🟡 {agent}: the host has changed below its container"
BODY = """\
{agent} runs what was merged, and that is not what the same commit makes on this host now:

{what}

It goes on as it is. `hive agents rebuild {agent}` on the machine of the hive makes its container from what there is now; what is missing has to be installed again first, or be taken out of {file} by a pull request.
"""
OVER = "🟢 {agent} runs what its commit makes here."
MOST = 20


@dataclass
class DriftWatch:
    """Looks at each agent every few minutes."""

    drift: Drift
    incidents: IncidentReporter
    _next_look: dict[str, float] = field(default_factory=dict)
    _free_at: float = 0.0

    def look(self, team: str, target: ManagedAgent) -> None:
        """Look at an agent if it is time to. Raises OSError for errors of its directories, and errors of the ledger."""
        if time.monotonic() < max(self._free_at, self._next_look.get(target.agent, 0.0)):
            return
        self._free_at = time.monotonic() + APART_SECONDS
        self._next_look[target.agent] = time.monotonic() + EACH_SECONDS
        agent, subject = target.agent, f"drift:{target.agent}"
        found = self.drift.of(agent, target.mirror, target.policy.branch)
        if found is None:
            return
        if not found:
            self.incidents.end(team, subject, OVER.format(agent=agent))
            return
        what = listed(found[:MOST])
        body = BODY.format(agent=agent, what=what, file=code("agent.yaml")).strip()
        self.incidents.begin(team, subject, TITLE.format(agent=agent), body)

    def rebuild(self, target: ManagedAgent, sha: Generation) -> None:
        """Let what has drifted be built at its next start, and look at it then. Raises OSError."""
        self.drift.discard(target.agent, target.mirror, target.policy.branch, sha)
        self._next_look.pop(target.agent, None)
