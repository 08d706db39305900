"""Questions to Forgejo and Gitea. Changes nothing there."""

from __future__ import annotations

from dataclasses import replace

from forge.gitea import decode_models
from forge.gitea.client import SECONDS, Client, route
from forge.gitea.code_reader import GiteaCodeReader
from forge.gitea.connection import Current, as_named
from forge.gitea.issue_reader import GiteaIssueReader
from forge.gitea.pull_reader import GiteaPullReader
from forge.models import Repo, Repository, User
from forge.protocol import NotFound


class GiteaReader(GiteaIssueReader, GiteaPullReader, GiteaCodeReader):
    """What one account can see of a forge; this is all that a bot gets."""

    def __init__(
        self, *, name: str, url: str, token: str, seconds: float = SECONDS, current: Current = as_named
    ) -> None:
        """`name` is the configured name of the forge; `seconds` is how long a silence is tolerated.

        `current` gives the forge's name of a repository: a renamed one keeps its configured name.
        """
        super().__init__(name, Client(url, token=token, seconds=seconds), current)

    def user(self, login: str) -> User:
        """The account of that name; one that was renamed is not found under its old one."""
        return decode_models.user(self._client.get(route("users", login)))

    def repository(self, repo: Repo) -> Repository:
        """The repository under exactly that name, or its current one; one that was renamed since raises NotFound."""
        now = self._current(repo)
        found = decode_models.repository(self._client.get(self._at(repo)), self._name)
        if found.repo != now:
            raise NotFound(f"{repo} is {found.repo} now")
        return found if now == repo else replace(found, repo=repo)

    def repository_by_id(self, repo_id: int) -> Repository | None:
        """A repository by id; None if it is gone, or not visible."""
        try:
            return decode_models.repository(self._client.get(route("repositories", repo_id)), self._name)
        except NotFound:
            return None

    def repositories(self, owner: str) -> list[Repository]:
        """All repositories of an organisation that this identity sees."""
        return [decode_models.repository(row, self._name) for row in self._client.rows(route("orgs", owner, "repos"))]
