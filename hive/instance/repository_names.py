"""Names of repositories: as in `hive.yaml`, and as the forge calls them after a rename. Asks no forge."""

from __future__ import annotations

from dataclasses import dataclass

from forge.models import Repo
from hive.config import Settings
from hive.ledger import Ledger


@dataclass(frozen=True, slots=True, eq=False)
class RepositoryNames:
    """The two names of each repository, known by its id."""

    ledger: Ledger
    settings: Settings

    def current(self, repo: Repo) -> Repo:
        """The current name of a configured repository on the forge; renamed ones are followed by id."""
        pinned = self.ledger.repositories.of(repo)
        return repo if pinned is None else pinned.now

    def named(self, repo: Repo, repo_id: int) -> Repo:
        """The configured name of a repository that a forge reports; the id decides.

        Another repository under a configured name gets a name that is not configured.
        """
        repositories, ours = self.ledger.repositories, self.settings.spelt(repo)
        pinned = repositories.by_id(repo.forge, repo_id)
        if pinned is not None and (self.settings.team_of(pinned.repo) or not self.settings.team_of(ours)):
            return self.settings.spelt(pinned.repo)
        if repositories.of(ours) is not None:
            return Repo(repo.forge, repo.owner, f"{repo.name}~{repo_id}")
        return ours
