"""Upgrades the hive to the commit of its own source that operators approved: verify, build, hand over, report.

What starts and ends processes is the launcher of `hive up`: this asks it for a change, and reads what became of it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from bots.models import HIVE
from forge.models import Repo
from hive.git_mirror.mirror import GitError, Mirror
from hive.ledger import Baseline, Deployment, DeploymentState, Ledger
from hive.reconcile.branch_watch import BranchWatch
from hive.reconcile.build import BuildFailed
from hive.reconcile.generation_build import GenerationBuild, problems_of
from hive.reconcile.holds import Holds
from hive.reconcile.report import Reporter
from hive.reconcile.verify import Rejected
from hive.supervisor.generations import Generations, VersionChange

log = logging.getLogger("hive.reconcile.own_upgrade")

NO_LAUNCHER = "the hive was not started by `hive up`, which alone can change the version that runs"
CHANGED = ("all of the hive is this version; work in flight went on",)


@dataclass
class OwnUpgrade:
    """The upgrade of one hive; `keep` is called in turns by the thread of the host."""

    ledger: Ledger
    watch: BranchWatch
    reporter: Reporter
    holds: Holds
    generations: Generations
    build: GenerationBuild | str
    """What builds; a text is why nothing can be built here."""

    seconds: float
    """How long a new version may take to come up."""

    is_launched: bool
    _building: threading.Thread | None = None
    _built: dict[str, str] = field(default_factory=dict)
    _said: tuple[int, str] | None = None

    @property
    def _repo(self) -> Repo:
        return self.watch.source.repo

    def keep(self) -> None:
        """Go on with an upgrade, or look whether operators approved another one. Raises errors of the ledger, and OSError."""
        baseline = self.ledger.deployments.baseline(HIVE)
        if baseline is None:
            return
        deployment = self.ledger.deployments.current(HIVE)
        if deployment is None:
            self.generations.forget_outcome()
            self._look(baseline)
        elif deployment.is_waiting:
            self._begin(deployment)
        elif deployment.state is DeploymentState.BUILD:
            self._build(deployment)
        else:
            self._follow(deployment)

    def _look(self, baseline: Baseline) -> None:
        found = self.watch.look(baseline)
        if found is None:
            return
        with self.ledger.transaction():
            if isinstance(found.verdict, Rejected):
                why = found.verdict.reason
                if self.ledger.deployments.reject(baseline, found.head or why, why):
                    self.reporter.rejected(baseline, self._repo, found.head, found.verdict)
                asked_at = baseline.check_requested_at
            else:
                verdict, asked_at = found.verdict, found.asked_at
                deployment = self.ledger.deployments.start(baseline, verdict.sha, verdict.pulls, verdict.cursor)
                self.reporter.approved(deployment, self._repo)
            self.ledger.deployments.mark_checked(HIVE, asked_at)

    def _begin(self, deployment: Deployment) -> None:
        if (hold := self.holds.of(deployment)) is None:
            self.ledger.deployments.transition(deployment, DeploymentState.BUILD)
        elif not hold.is_brief and self._said != (deployment.id, hold.key):
            with self.ledger.transaction():
                self.reporter.waits(deployment, self._repo, hold)
            self._said = deployment.id, hold.key

    def _build(self, deployment: Deployment) -> None:
        """Build in a thread of its own: containers are looked after meanwhile."""
        if not self.is_launched:
            self._fail(deployment, DeploymentState.FAILED, NO_LAUNCHER)
        elif isinstance(self.build, str):
            self._fail(deployment, DeploymentState.FAILED, self.build)
        elif self._building is None:
            what = (self.build, self.watch.source.mirror, deployment.sha)
            with self.ledger.transaction():
                self.reporter.building(deployment, self._repo)
            self._building = threading.Thread(target=self._made, args=what, name="upgrade", daemon=True)
            self._building.start()
        elif not self._building.is_alive():
            self._building = None
            if why := self._built.pop(deployment.sha, "the build ended without a word; the log of the host has more"):
                self._fail(deployment, DeploymentState.FAILED, why)
            else:
                self.ledger.deployments.transition(deployment, DeploymentState.SWITCH)

    def _made(self, build: GenerationBuild, mirror: Callable[[], Mirror], sha: str) -> None:
        try:
            build.build(mirror(), sha)
        except (BuildFailed, GitError, OSError) as error:
            log.warning("not_built sha=%s error=%r", sha, str(error)[:300])
            self._built[sha] = problems_of(error) or type(error).__name__
        else:
            self._built[sha] = ""

    def _follow(self, deployment: Deployment) -> None:
        """Take note of what the launcher did; ask it, if it does not know of it.

        It goes on meanwhile, from what is wanted to a trial and its outcome: looked at in this order, nothing is missed.
        """
        is_known = self.generations.wanted() is not None or self.generations.trial() is not None
        outcome = self.generations.outcome()
        if outcome is not None and outcome.deployment == deployment.id:
            if outcome.runs:
                with self.ledger.transaction():
                    self.ledger.deployments.transition(deployment, DeploymentState.DEPLOYED)
                    self.reporter.deployed(deployment, self._repo, CHANGED)
                self.generations.tidy({deployment.sha, deployment.previous_sha})
            else:
                self._fail(deployment, DeploymentState.ROLLED_BACK, outcome.why)
            self.generations.forget_outcome()
        elif not is_known:
            if self.generations.is_built(deployment.sha):
                current = self.generations.current()
                self.generations.request(VersionChange(deployment.sha, current, deployment.id, self.seconds))
            else:
                self.ledger.deployments.transition(deployment, DeploymentState.BUILD)

    def _fail(self, deployment: Deployment, state: DeploymentState, why: str) -> None:
        with self.ledger.transaction():
            self.ledger.deployments.transition(deployment, state, why)
            self.reporter.failed(deployment, self._repo, why)
