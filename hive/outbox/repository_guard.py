"""What whoever works in a repository asks of it first. Knows no forge."""

from __future__ import annotations

from typing import Protocol

from forge.models import Repo


class RepositoryGuard(Protocol):
    """Who is asked where repositories are."""

    def here(self, repo: Repo) -> bool:
        """Whether the repository that is meant by a name can be worked in now."""

    def astray(self, repo: Repo) -> bool:
        """Whether what was not found there may be found when it is looked for again."""
