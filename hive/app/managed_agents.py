"""What the host's reconciler is told of each agent: where its configuration is, who may change it, and whom to tell."""

from __future__ import annotations

from dataclasses import dataclass, field

from forge.gitea.reader import GiteaReader
from forge.models import Repo
from hive.app.polls import poll_reader
from hive.app.work import mirrors
from hive.instance.instance import Instance, StartupError
from hive.reconcile.quiet_repositories import QuietRepositories
from hive.reconcile.reconciler import ManagedAgent
from hive.reconcile.report import Reporter
from hive.reconcile.verify import Policy


@dataclass
class ManagedAgents:
    """Makes what is told; agents of one forge share the list of its configurations."""

    _quiet: dict[str, QuietRepositories] = field(default_factory=dict)

    def of(self, instance: Instance, team: str, agent: str) -> ManagedAgent:
        """An agent of a team; raises StartupError if its configuration was never adopted, NoSecret without `core`'s token."""
        settings = instance.settings
        forge, core = settings.teams[team].forge, settings.account("core")
        repo = Repo(forge, settings.configs, agent)
        baseline = instance.ledger.deployments.baseline(agent)
        if baseline is None:
            raise StartupError(f"the configuration of {agent} was never adopted; run: hive init")
        token = instance.secret_store.token(forge, core)
        if forge not in self._quiet:
            self._quiet[forge] = QuietRepositories(poll_reader(instance, forge), settings.configs)
        mirror = mirrors(instance, "host")
        return ManagedAgent(
            agent,
            repo,
            Policy(baseline.repo_id, instance.team(team).operators, baseline.branch),
            GiteaReader(name=forge, url=instance.url(forge), token=token, current=instance.names.current),
            lambda: mirror(repo),
            Reporter(instance.ledger, core, Repo(forge, *settings.meta.split("/", 1))),
            instance.repository_tracker.is_available,
            self._quiet[forge],
        )
