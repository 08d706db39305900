"""What a repository is called: in the house as in `hive.yaml`, on its forge as somebody may have renamed it since. Asks no forge."""

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
        """What the forge calls a repository of the house now: one that was renamed is followed by its id."""
        pinned = self.ledger.repositories.of(repo)
        return repo if pinned is None else pinned.now

    def named(self, repo: Repo, repo_id: int) -> Repo:
        """A repository that a forge tells of, by the name that the house uses; the id decides.

        What bears the name of one of ours and is not it gets a name that is nobody's.
        """
        repositories, ours = self.ledger.repositories, self.settings.spelt(repo)
        pinned = repositories.by_id(repo.forge, repo_id)
        if pinned is not None and (self.settings.team_of(pinned.repo) or not self.settings.team_of(ours)):
            return self.settings.spelt(pinned.repo)
        if repositories.of(ours) is not None:
            return Repo(repo.forge, repo.owner, f"{repo.name}~{repo_id}")
        return ours
