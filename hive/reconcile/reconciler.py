"""The reconciler: brings each agent's container to the commit that operators approved, and keeps it there.

Level-triggered: an event only makes it check sooner, and it finds the same work without one.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import assert_never

from forge.models import Repo
from forge.protocol import Reader
from hive.agent.health import NEW
from hive.backoff import RECONCILIATION
from hive.config import PACKAGES_PATH, Limits
from hive.git_mirror.mirror import GitError, Mirror
from hive.ledger import Act, Baseline, Deployment, DeploymentState, Generation, Ledger
from hive.ledger.errors import is_transient
from hive.reconcile.base_file import base_of
from hive.reconcile.branch_watch import BranchSource, BranchWatch
from hive.reconcile.build import BuildFailed, build, changes, environment
from hive.reconcile.containers import Containers
from hive.reconcile.holds import DeploymentHold, Holds
from hive.reconcile.planner import Planner
from hive.reconcile.quiet_repositories import QuietRepositories
from hive.reconcile.report import Reporter
from hive.reconcile.starts import Starts
from hive.reconcile.steps import Activate, Actual, Build, Probe, Switch
from hive.reconcile.steps import plan as plan_steps
from hive.reconcile.verify import Accepted, Policy, Rejected

log = logging.getLogger("hive.reconcile")

PROBE_SECONDS = 30.0


FAULTS = (ArithmeticError, AssertionError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
"""What a step can meet beyond the errors that have a name: a file that cannot be used, a value that no program takes."""

BEFORE_POINT = (DeploymentState.VERIFIED, DeploymentState.BUILD)
"""States in which a deployment has not touched what runs."""


class StepFailed(Exception):
    """A step of a deployment met what waiting does not heal."""


class ProbeFailed(Exception):
    """A container sent no heartbeat in time."""


@dataclass(frozen=True, slots=True)
class ManagedAgent:
    """One agent under the reconciler's control; `is_available` is whether its configuration repository can be used."""

    agent: str
    repo: Repo
    policy: Policy
    reader: Reader
    mirror: Callable[[], Mirror]
    reporter: Reporter
    is_available: Callable[[Repo], bool]
    quiet: QuietRepositories | None = None


@dataclass(frozen=True, slots=True)
class Backoff:
    """Why and until when (`time.monotonic`) an agent is not reconciled; a request in the meantime overrides it."""

    reason: str
    failures: int
    until: float
    asked_at: float


class Reconciler:
    """Steps of one host; called in turns by the thread that owns the containers."""

    def __init__(
        self,
        ledger: Ledger,
        containers: Containers,
        limits: Limits,
        *,
        packages_path: Sequence[str] = PACKAGES_PATH,
        probe_seconds: float = PROBE_SECONDS,
        is_down: Callable[[str], bool] = lambda _: False,
        holds: Holds | None = None,
    ) -> None:
        """`packages_path` are the directories to search for packages; a container must send a heartbeat within `probe_seconds`.

        An agent that `is_down` is not restarted as it was; a new configuration is started. What `holds` a deployment is said once.
        """
        self._ledger = ledger
        self._is_down = is_down
        self.holds = Holds(ledger) if holds is None else holds
        self._waits: dict[str, tuple[int, str]] = {}
        self._begun: dict[str, int] = {}
        self.starts = Starts()
        self._containers = containers
        self.planner = Planner(limits, tuple(packages_path), partial(base_of, ledger))
        self._probe_seconds = probe_seconds
        self._rests: dict[str, Backoff] = {}
        self._watches: dict[str, BranchWatch] = {}
        self._probes: dict[str, tuple[str, float]] = {}

    def keep(self, target: ManagedAgent) -> None:
        """Reconcile one agent: continue an open deployment, check its repository if it is time, keep the container running.

        Errors of its configuration or container are reported once, and retried with increasing delays.
        Raises OSError for errors of its directories or of the disk, and errors of the ledger.
        """
        baseline = self._ledger.deployments.baseline(target.agent)
        if baseline is None or self._rests_still(baseline):
            return
        try:
            self._turn(target, baseline)
        except (BuildFailed, GitError, ProbeFailed, StepFailed) as error:
            self._hold_up(target, baseline, error)
        else:
            self._rests.pop(target.agent, None)

    def _turn(self, target: ManagedAgent, baseline: Baseline) -> None:
        deployment = self._ledger.deployments.current(target.agent)
        if deployment is not None:
            self._deploy(target, baseline, deployment)
        else:
            self._look(target, baseline)

    def _look(self, target: ManagedAgent, baseline: Baseline) -> None:
        """Compare the forge's branch with what was accepted last, if it is time to; keep what runs otherwise."""
        found = self.watch(target).look(baseline)
        if found is None:
            self._restore(target, baseline)
        elif isinstance(found.verdict, Rejected):
            self._reject(target, baseline, found.head, found.verdict)
        else:
            self._begin(target, baseline, found.verdict, found.asked_at)

    def watch(self, target: ManagedAgent) -> BranchWatch:
        """What looks at the branch of an agent's configuration, and knows when to look again."""
        source = BranchSource(
            target.repo, target.policy, target.reader, target.mirror, target.is_available, target.quiet
        )
        return self._watches.setdefault(target.agent, BranchWatch(self._ledger, source))

    def _begin(self, target: ManagedAgent, baseline: Baseline, verdict: Accepted, asked_at: float) -> None:
        with self._ledger.transaction():
            deployment = self._ledger.deployments.start(baseline, verdict.sha, verdict.pulls, verdict.cursor)
            target.reporter.approved(deployment, target.repo)
            self._ledger.deployments.mark_checked(target.agent, asked_at)
        self._deploy(target, baseline, deployment)

    def _reject(self, target: ManagedAgent, baseline: Baseline, head: str, verdict: Rejected) -> None:
        with self._ledger.transaction():
            if self._ledger.deployments.reject(baseline, head or verdict.reason, verdict.reason):
                target.reporter.rejected(baseline, target.repo, head, verdict)
            self._ledger.deployments.mark_checked(target.agent, baseline.check_requested_at)

    def _deploy(self, target: ManagedAgent, baseline: Baseline, deployment: Deployment) -> None:
        """Bring the container to a verified commit, or back to what ran before."""
        if deployment.state is DeploymentState.ROLLING_BACK:
            self._roll_back(target, deployment)
            return
        if (hold := self.holds.of(deployment)) is not None:
            self._wait(target, baseline, deployment, hold)
            return
        self._waits.pop(target.agent, None)
        if self._begun.get(target.agent) != deployment.id:
            with self._ledger.transaction():
                target.reporter.building(deployment, target.repo)
            self._begun[target.agent] = deployment.id
        try:
            reached = self._advance(target, deployment.generation, deployment)
        except (BuildFailed, ProbeFailed, StepFailed) as error:
            self._give_up(target, deployment, str(error))
        else:
            if reached:
                self._succeed(target, baseline, deployment)

    def _wait(self, target: ManagedAgent, baseline: Baseline, deployment: Deployment, hold: DeploymentHold) -> None:
        """A deployment is held: say so once, and keep what runs."""
        if not hold.is_brief and self._waits.get(target.agent) != (deployment.id, hold.key):
            with self._ledger.transaction():
                target.reporter.waits(deployment, target.repo, hold)
            self._waits[target.agent] = deployment.id, hold.key
        self._restore(target, baseline)

    def _give_up(self, target: ManagedAgent, deployment: Deployment, reason: str) -> None:
        """A step of a deployment failed: the previous commit keeps running, or is restored first."""
        now = self._ledger.deployments.current(target.agent)
        if now is None or now.state in BEFORE_POINT:
            self._fail(target, deployment, DeploymentState.FAILED, reason)
        else:
            self._ledger.deployments.transition(deployment, DeploymentState.ROLLING_BACK, reason)

    def _roll_back(self, target: ManagedAgent, deployment: Deployment) -> None:
        reason = deployment.reason
        if not deployment.previous_sha:  # it was the first one
            self._containers.kill(target.agent)
            self._fail(target, deployment, DeploymentState.ROLLED_BACK, reason)
            return
        try:
            if not self._advance(target, deployment.previous, None):
                return
        except (BuildFailed, GitError, ProbeFailed, StepFailed) as error:
            reason = f"{reason}\nand what ran before does not come back: {error}"
        self._fail(target, deployment, DeploymentState.ROLLED_BACK, reason)

    def _succeed(self, target: ManagedAgent, baseline: Baseline, deployment: Deployment) -> None:
        said = () if deployment.cascade else _changes(self.planner, target, baseline, deployment)
        with self._ledger.transaction():
            self._ledger.deployments.transition(deployment, DeploymentState.DEPLOYED)
            target.reporter.deployed(deployment, target.repo, said)

    def _fail(self, target: ManagedAgent, deployment: Deployment, state: DeploymentState, reason: str) -> None:
        with self._ledger.transaction():
            self._ledger.deployments.transition(deployment, state, reason)
            target.reporter.failed(deployment, target.repo, reason)

    def _restore(self, target: ManagedAgent, baseline: Baseline) -> None:
        """The container that is meant to run runs; before the first merge of a configuration there is none."""
        if not baseline.running_sha or self._is_down(target.agent):
            return
        if self._containers.running(target.agent) or self.starts.take(
            target.agent, partial(_is_starting, self._containers)
        ):
            self._advance(target, baseline.generation, None)

    def _rests_still(self, baseline: Baseline) -> bool:
        rest = self._rests.get(baseline.agent)
        return rest is not None and time.monotonic() < rest.until and baseline.check_requested_at <= rest.asked_at

    def _hold_up(self, target: ManagedAgent, baseline: Baseline, error: Exception) -> None:
        """Reconciling failed for now: report it once, and retry with increasing delays."""
        reason = str(error)
        before = self._rests.get(target.agent)
        if before is None or before.reason != reason:
            log.error("held_up agent=%s error=%r", target.agent, reason[:300])
            self._ledger.audit.add(
                "host", Act.RECONCILE_FAILED, ref=str(target.repo), agent=target.agent, error=reason[:300]
            )
        failures = before.failures + 1 if before is not None else 1
        until = time.monotonic() + RECONCILIATION.delay(failures)
        self._rests[target.agent] = Backoff(reason, failures, until, baseline.check_requested_at)

    def _advance(self, target: ManagedAgent, wanted: Generation, deployment: Deployment | None) -> bool:
        """Perform the steps that are possible now; True once the container of this artifact has sent a heartbeat.

        Each step may be repeated: after a crash they are planned again from the actual state.
        """
        for step in plan_steps(wanted, self._actual(target.agent)):
            if deployment is not None and deployment.state is not step.STATE:
                self._ledger.deployments.transition(deployment, step.STATE)
            if isinstance(step, Probe):
                return self._probe(target.agent, step.sha)
            try:
                if not self._do(target, step, is_new=deployment is not None):
                    return False
            except FAULTS as error:
                if is_transient(error):
                    raise
                raise StepFailed(in_words(error)) from error
        self._probes.pop(target.agent, None)
        return True

    def _do(self, target: ManagedAgent, step: Build | Switch | Activate, *, is_new: bool) -> bool:
        """Perform a step; False if it needs more time, and is to be performed again. What `is_new` checks its health."""
        dirs = self._containers.dirs(target.agent)
        match step:
            case Build():
                mirror = target.mirror()
                made = self.planner.plan_to_build(target.agent, mirror, target.policy.branch, step.sha)
                if not self._containers.backend.prepare(dirs, step.sha, mirror, made.packages):
                    return False
                build(made, step.sha, dirs.gens)
            case Switch():
                dirs.point(step.sha)
            case Activate():
                if self._containers.has_ended(target.agent):
                    return False  # by itself, and just now: the host writes its crash down first
                if self._containers.stop(target.agent):
                    self._ledger.runs.release(target.agent, refund=True, first=True)
                extra = self._environment(dirs.gens / step.sha)
                self._containers.start(target.agent, str(step.sha), {**extra, NEW: "1"} if is_new else extra)
            case _:
                assert_never(step)
        return True

    def build_ahead(self, target: ManagedAgent, wanted: Generation) -> None:
        """Build an artifact whose turn has not come; what is wrong with it is told then."""
        if wanted in self._containers.dirs(target.agent).built():
            return
        try:
            self._do(target, Build(wanted), is_new=True)
        except (BuildFailed, GitError, *FAULTS) as error:
            log.info("not_built_ahead agent=%s error=%r", target.agent, str(error)[:300])

    def _environment(self, artifact: Path) -> dict[str, str]:
        try:
            return environment(artifact)
        except (LookupError, TypeError, AttributeError, ValueError, OSError) as error:
            if not is_transient(error):  # half written before a power cut: it is built again
                shutil.rmtree(artifact, ignore_errors=True)
            raise

    def _probe(self, agent: str, sha: str) -> bool:
        """Whether the container has sent a heartbeat; raises ProbeFailed after the time for it."""
        probed, deadline = self._probes.get(agent, ("", 0.0))
        if probed != sha:  # another one was probed last, and what time it had does not count
            deadline = time.monotonic() + self._probe_seconds
            self._probes[agent] = sha, deadline
        if self._containers.answered(agent) == sha:
            del self._probes[agent]
            return True
        if why := self._containers.trouble(agent, sha):
            del self._probes[agent]
            raise ProbeFailed(why)
        if time.monotonic() < deadline:
            return False
        del self._probes[agent]
        end = self._containers.log(agent, 20)
        raise ProbeFailed(f"no heartbeat within {self._probe_seconds:g} s\n{end}")

    def _actual(self, agent: str) -> Actual:
        dirs = self._containers.dirs(agent)
        running = self._containers.running(agent)
        built = frozenset(sha for sha in dirs.built() if self._containers.backend.has_made(dirs, sha))
        return Actual(built, dirs.pointed(), running, self._containers.answered(agent) if running else "")


def _changes(planner: Planner, target: ManagedAgent, baseline: Baseline, deployment: Deployment) -> tuple[str, ...]:
    """What a deployment changed in what runs, in sentences."""
    agent, mirror, branch = target.agent, target.mirror(), target.policy.branch
    new = planner.built(agent, mirror, branch, deployment.generation)
    try:
        old = planner.built(agent, mirror, branch, baseline.generation) if baseline.running_sha else None
    except (BuildFailed, GitError):  # it was built under other rules, or its commit is gone
        old = None
    return changes(old, new)


def in_words(error: Exception) -> str:
    """What failed, for people."""
    if isinstance(error, OSError):
        return f"{error.strerror or 'it cannot be used'}{f': {error.filename}' if error.filename else ''}"
    return f"{type(error).__name__}: {error}"


def _is_starting(containers: Containers, agent: str) -> bool:
    running = containers.running(agent)
    return bool(running) and containers.answered(agent) != running
