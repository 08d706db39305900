"""Checks repositories before a set-up: a moved one is told from a missing one, and neither is replaced."""

from __future__ import annotations

from collections.abc import Iterator

from forge.gitea.reader import GiteaReader
from forge.models import Repo
from forge.protocol import NotFound
from hive.instance.instance import Instance, StartupError
from hive.poller.repository_tracker import locate


def fault(instance: Instance, reader: GiteaReader, repo: Repo) -> str:
    """Why the repository of a name cannot be used; empty if it can, or is unknown."""
    pinned = instance.ledger.repositories.of(repo)
    if pinned is not None:
        return locate(reader, pinned).lost
    try:
        other = instance.ledger.repositories.by_id(repo.forge, reader.repository(repo).id)
        if other is not None:
            return f"{repo.path} is the repository that is known as {other.repo.path}"
    except NotFound as error:
        if error.status in range(300, 400):
            return f"{repo.path} was renamed or transferred before the hive knew it: fix `repos`"
    return ""


class RepositoryChecks:
    """The repositories of one forge before its set-up."""

    def __init__(self, instance: Instance, forge: str, reader: GiteaReader) -> None:
        self._instance = instance
        self._forge = forge
        self._reader = reader

    def check(self, *, create_missing: bool) -> None:
        """Raise StartupError for a repository that is not the known one, and for a missing one."""
        for repo, work in self._all():
            wrong = fault(self._instance, self._reader, repo)
            if wrong:
                raise StartupError(f"{wrong}; nothing was created")
            if work and not create_missing and self._is_missing(repo):
                raise StartupError(
                    f"{repo.path} does not exist: fix `repos`, create it on the forge, or run hive init --create-missing"
                )

    def _all(self) -> Iterator[tuple[Repo, bool]]:
        settings = self._instance.settings
        for team, mine in settings.teams.items():
            for repo in settings.repos_of(team) if mine.forge == self._forge else ():
                yield repo, repo.owner != settings.configs

    def _is_missing(self, repo: Repo) -> bool:
        try:
            self._reader.repository(repo)
        except NotFound:
            return True
        return False
