"""The role of each repository in an instance, and the forge access to find it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from forge.gitea.reader import GiteaReader
from forge.models import Repo
from forge.protocol import Refused
from hive.config import Settings
from hive.ledger import Ledger
from hive.outbox.incidents import IncidentReporter
from hive.poller.repository_tracker import RepositoryRole, RepositoryTracker
from hive.secret_store import NoSecret, SecretStore


def repository_tracker(
    settings: Settings, ledger: Ledger, secret_store: SecretStore, url: Callable[[str], str], ops: Callable[[str], Repo]
) -> RepositoryTracker:
    """The repository tracker of an instance; `url` gives a forge's address, `ops` where a team's operators are notified."""
    core = settings.account("core")

    @cache
    def finder(forge: str, token: str) -> GiteaReader:
        # By the names of the configuration: what is there under another one is found by its id.
        return GiteaReader(name=forge, url=url(forge), token=token)

    def ask(forge: str) -> GiteaReader:
        try:
            return finder(forge, secret_store.token(forge, core))
        except NoSecret as error:
            raise Refused(f"no token of {core} can be read here", status=401) from error

    return RepositoryTracker(ledger, ask, dict(places(settings)), IncidentReporter(ledger, core, ops))


def places(settings: Settings) -> Iterator[tuple[Repo, RepositoryRole]]:
    """The repositories of the configuration, and those of the hive itself that it works in."""
    for team, mine in settings.teams.items():
        for name in mine.repos:
            yield Repo(mine.forge, team, name), RepositoryRole((team,))
        for agent in mine.agents:
            yield Repo(mine.forge, settings.configs, agent), RepositoryRole((team,), agent)
    for forge in settings.forges:
        teams = tuple(team for team, mine in settings.teams.items() if mine.forge == forge)
        if teams:
            meta, ops = settings.own_repos(settings.first_team(forge))
            yield meta, RepositoryRole(teams, is_reportable=False)
            yield ops, RepositoryRole(teams)
            yield settings.knowledge_of(forge), RepositoryRole(teams)
