"""The reconciler: brings each agent's container to the commit that operators approved, and keeps it there.

Level-triggered: a nudge only makes it look sooner, and it finds the same work without one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from forge.protocol import ForgeError, Reader
from forge.types import Repo
from hive.ledger import Anchor, Deployment, Ledger
from hive.reconcile.build import BuildFailed, Plan, build, changes, environment, plan
from hive.reconcile.containers import Containers
from hive.reconcile.gather import HEAD, Evidence, NotNow
from hive.reconcile.report import Reporter
from hive.reconcile.steps import Activate, Actual, Build, Point, Probe
from hive.reconcile.steps import plan as plan_steps
from hive.reconcile.verify import Accepted, Policy, Rejected, decide
from hive.settings import Limits
from hive.workspace import GitFailed, Mirror

log = logging.getLogger("hive.reconcile")

POLL_SECONDS = 30.0
PROBE_SECONDS = 30.0
ROLLING_BACK = "rolling back"
PATIENCE_SECONDS = 60.0
"""How long a refusal that a slow forge could explain is not believed."""


class ProbeFailed(Exception):
    """A container gave no sign of life in time."""


@dataclass(frozen=True, slots=True)
class Ward:
    """One agent under the reconciler's care, and how to look at its configuration."""

    agent: str
    repo: Repo
    policy: Policy
    reader: Reader
    mirror: Callable[[], Mirror]
    reporter: Reporter


class Reconciler:
    """Steps of one host; called in turns by the thread that owns the containers."""

    def __init__(self, ledger: Ledger, containers: Containers, limits: Limits) -> None:
        self._ledger = ledger
        self._containers = containers
        self._limits = limits
        self._next_look: dict[str, float] = {}
        self._first_seen: dict[tuple[str, str], float] = {}
        self._deadlines: dict[tuple[str, str], float] = {}

    def keep(self, ward: Ward) -> None:
        """One turn for one agent: continue what is open, look if it is time, keep the container up."""
        anchor = self._ledger.deployments.anchor(ward.agent)
        if anchor is None:
            return
        deployment = self._ledger.deployments.open(ward.agent)
        if deployment is not None:
            self._deploy(ward, anchor, deployment)
        elif anchor.asked_at > anchor.looked_at or time.monotonic() >= self._next_look.get(ward.agent, 0.0):
            self._look(ward, anchor)
        else:
            self._restore(ward, anchor)

    def _look(self, ward: Ward, anchor: Anchor) -> None:
        """Compare the forge's branch with what was accepted last."""
        asked_at = anchor.asked_at
        self._next_look[ward.agent] = time.monotonic() + POLL_SECONDS
        try:
            evidence = Evidence(ward.reader, ward.mirror(), ward.repo, ward.policy)
            facts = evidence.gather(anchor, self._ledger.deployments.proposals(str(ward.repo)))
        except (ForgeError, GitFailed, NotNow) as error:
            log.warning("look_failed agent=%s error=%r", ward.agent, str(error)[:200])
            self._next_look[ward.agent] = time.monotonic() + 1.0
            self._restore(ward, anchor)
            return
        if facts.complete and facts.head == anchor.sha and not facts.movements:
            self._ledger.deployments.looked(ward.agent, asked_at)
            self._restore(ward, anchor)
            return
        verdict = decide(facts, ward.policy)
        if isinstance(verdict, Rejected):
            self._reject(ward, anchor, facts.head, verdict)
            return
        self._begin(ward, anchor, verdict, asked_at)

    def _begin(self, ward: Ward, anchor: Anchor, verdict: Accepted, asked_at: float) -> None:
        with self._ledger.transaction():
            deployment = self._ledger.deployments.begin(anchor, verdict.sha, verdict.pulls, verdict.cursor)
            self._ledger.deployments.looked(ward.agent, asked_at)
        self._deploy(ward, anchor, deployment)

    def _reject(self, ward: Ward, anchor: Anchor, head: str, verdict: Rejected) -> None:
        first = self._first_seen.setdefault((ward.agent, head), time.monotonic())
        if verdict.late and time.monotonic() - first < PATIENCE_SECONDS:
            self._next_look[ward.agent] = time.monotonic() + 0.5
            return
        with self._ledger.transaction():
            if self._ledger.deployments.reject(anchor, head, verdict.reason):
                ward.reporter.rejected(anchor, ward.repo, head, verdict)
            self._ledger.deployments.looked(ward.agent, anchor.asked_at)

    def _deploy(self, ward: Ward, anchor: Anchor, deployment: Deployment) -> None:
        """Bring the container to a verified commit, or back to what ran before."""
        if deployment.state == ROLLING_BACK:
            self._roll_back(ward, deployment)
            return
        try:
            reached = self._advance(ward, deployment.sha, deployment)
        except (ForgeError, GitFailed) as error:
            log.warning("deploy_waits agent=%s error=%r", ward.agent, str(error)[:200])
        except BuildFailed as error:
            self._fail(ward, deployment, "failed", str(error))
        except ProbeFailed as error:
            self._ledger.deployments.move(deployment, ROLLING_BACK, str(error))
        else:
            if reached:
                self._succeed(ward, anchor, deployment)

    def _roll_back(self, ward: Ward, deployment: Deployment) -> None:
        reason = deployment.reason
        try:
            if not self._advance(ward, deployment.previous, None):
                return
        except (BuildFailed, ProbeFailed, GitFailed, ForgeError) as error:
            reason = f"{reason}\nand what ran before does not come back: {error}"
        self._fail(ward, deployment, "rolled back", reason)

    def _succeed(self, ward: Ward, anchor: Anchor, deployment: Deployment) -> None:
        mirror = ward.mirror()
        said = changes(self._planned(ward, mirror, anchor.running), self._planned(ward, mirror, deployment.sha))
        with self._ledger.transaction():
            self._ledger.deployments.move(deployment, "deployed")
            ward.reporter.deployed(deployment, ward.repo, said)

    def _fail(self, ward: Ward, deployment: Deployment, state: str, reason: str) -> None:
        with self._ledger.transaction():
            self._ledger.deployments.move(deployment, state, reason)
            ward.reporter.failed(deployment, ward.repo, reason)

    def _restore(self, ward: Ward, anchor: Anchor) -> None:
        """The container that is meant to run runs; a fault here waits for the next turn."""
        try:
            self._advance(ward, anchor.running, None)
        except (BuildFailed, ProbeFailed, GitFailed, ForgeError) as error:
            log.error("restore_failed agent=%s error=%r", ward.agent, str(error)[:300])

    def _advance(self, ward: Ward, sha: str, deployment: Deployment | None) -> bool:
        """Do the steps that can be done now; True once the container of this commit has answered.

        Each step is harmless if it was done before: after a crash they are planned anew from what is.
        """
        for step in plan_steps(sha, self._actual(ward.agent)):
            if deployment is not None and deployment.state != (state := type(step).__name__.lower()):
                self._ledger.deployments.move(deployment, state)
            if isinstance(step, Probe):
                return self._probe(ward.agent, step.sha)
            self._do(ward, step)
        self._deadlines.pop((ward.agent, sha), None)
        return True

    def _do(self, ward: Ward, step: Build | Point | Activate) -> None:
        cell = self._containers.cell(ward.agent)
        match step:
            case Build():
                build(self._planned(ward, ward.mirror(), step.sha), step.sha, cell.gens)
            case Point():
                cell.point(step.sha)
            case Activate():
                if self._containers.stop(ward.agent):
                    self._ledger.runs.give_back(ward.agent)
                self._containers.start(ward.agent, step.sha, environment(cell.gens / step.sha))
            case _:
                assert_never(step)

    def _planned(self, ward: Ward, mirror: Mirror, sha: str) -> Plan:
        if not mirror.has(sha):
            mirror.fetch(f"refs/heads/{ward.policy.branch}", HEAD)
        return plan(ward.agent, mirror, sha, self._limits)

    def _probe(self, agent: str, sha: str) -> bool:
        """Whether the container has answered; raises ProbeFailed when it had time enough."""
        deadline = self._deadlines.setdefault((agent, sha), time.monotonic() + PROBE_SECONDS)
        if self._containers.answered(agent) == sha:
            del self._deadlines[agent, sha]
            return True
        if time.monotonic() < deadline:
            return False
        del self._deadlines[agent, sha]
        end = self._containers.log(agent, 20)
        raise ProbeFailed(f"no sign of life within {PROBE_SECONDS:.0f} s\n{end}")

    def _actual(self, agent: str) -> Actual:
        cell = self._containers.cell(agent)
        running = self._containers.running(agent)
        return Actual(cell.built(), cell.pointed(), running, self._containers.answered(agent) if running else "")
