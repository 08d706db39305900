"""What the host needs to upgrade the hive itself: where its source is, who may approve it, and what builds it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bots.models import HIVE
from forge.gitea.reader import GiteaReader
from hive.app.work import mirrors
from hive.instance.instance import Instance
from hive.reconcile.backends import NoBackend
from hive.reconcile.backends.bubblewrap import Bubblewrap
from hive.reconcile.branch_watch import BranchSource, BranchWatch
from hive.reconcile.generation_build import GenerationBuild
from hive.reconcile.holds import Holds
from hive.reconcile.own_upgrade import OwnUpgrade
from hive.reconcile.report import Reporter
from hive.reconcile.verify import Policy
from hive.supervisor.generations import CONFIG, DIRECTORY, GENERATION, Generations

UNCONFINED = "a build has to be confined by bubblewrap, which does not work here: {why}"


@dataclass
class UpgradeWatch:
    """Looks after the hive's own version; `hive init` may make its source known while this process runs."""

    instance: Instance
    holds: Holds
    _upgrade: OwnUpgrade | None = None

    def keep(self) -> None:
        """Go on with what is under way, or look whether operators merged another version. Raises errors of the ledger, and NoSecret."""
        if self._upgrade is None:
            self._upgrade = own_upgrade(self.instance, self.holds)
        if self._upgrade is not None:
            self._upgrade.keep()


def own_upgrade(instance: Instance, holds: Holds) -> OwnUpgrade | None:
    """What upgrades this hive; None if `hive.yaml` names no source, or `hive init` was not run since. Raises NoSecret."""
    repo, settings = instance.settings.own_source, instance.settings
    baseline = instance.ledger.deployments.baseline(HIVE)
    if repo is None or baseline is None:
        return None
    core = settings.account("core")
    token = instance.secret_store.token(repo.forge, core)
    reader = GiteaReader(name=repo.forge, url=instance.url(repo.forge), token=token, current=instance.names.current)
    policy = Policy(baseline.repo_id, instance.team(repo.owner).operators, settings.upgrade.branch)
    mirror = mirrors(instance, "host")
    source = BranchSource(repo, policy, reader, lambda: mirror(repo), instance.repository_tracker.is_available)
    generations = Generations(settings.state / DIRECTORY)
    return OwnUpgrade(
        instance.ledger,
        BranchWatch(instance.ledger, source),
        Reporter(instance.ledger, core, settings.meta_of(repo.forge)),
        holds,
        generations,
        _build(instance, generations),
        settings.upgrade.minutes * 60.0,
        GENERATION in os.environ,
    )


def _build(instance: Instance, generations: Generations) -> GenerationBuild | str:
    try:
        bwrap = Bubblewrap.find().program
    except NoBackend as error:
        return UNCONFINED.format(why=error)
    config = Path(os.environ.get(CONFIG, instance.settings.home / "hive.yaml")).absolute()
    return GenerationBuild(
        generations, instance.ledger, bwrap, Path(instance.settings.upgrade.wheels), config, instance.settings.state
    )
