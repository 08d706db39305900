"""The role of each repository in an instance, and the forge access to find it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from forge.gitea.reader import GiteaReader
from forge.models import Repo
from forge.protocol import ForgeError, Refused
from hive.instance.instance import Instance
from hive.outbox.incidents import IncidentReporter
from hive.poller.repository_tracker import RepositoryRole, RepositoryTracker
from hive.secret_store import NoSecret


def repository_tracker(instance: Instance) -> RepositoryTracker:
    """The repository tracker of an instance."""
    core = instance.settings.account("core")

    @cache
    def finder(forge: str, token: str) -> GiteaReader:
        # By the names of the configuration: what is there under another one is found by its id.
        return GiteaReader(name=forge, url=instance.url(forge), token=token)

    def ask(forge: str) -> GiteaReader:
        try:
            return finder(forge, instance.secret_store.token(forge, core))
        except NoSecret as error:
            raise Refused(f"no token of {core} can be read here", status=401) from error

    return RepositoryTracker(
        instance.ledger, ask, dict(places(instance)), IncidentReporter(instance.ledger, core, instance.ops)
    )


def places(instance: Instance) -> Iterator[tuple[Repo, RepositoryRole]]:
    """The repositories of the configuration, and those of the hive itself that it works in."""
    settings = instance.settings
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
            yield instance.knowledge(forge), RepositoryRole(teams)


def address(instance: Instance, repo: Repo) -> str:
    """The current path of a repository on the forge; raises OSError while it is unavailable, or the repository is missing."""
    try:
        if not instance.repository_tracker.is_available(repo):
            raise OSError(f"{repo} is not where it was")
    except ForgeError as error:
        raise OSError(f"{repo} cannot be looked for: {error}") from error
    return instance.names.current(repo).path
