"""Somebody at a forge who does by hand what the hive never does."""

from __future__ import annotations

from datetime import datetime

from forge.gitea import decode_models
from forge.gitea.issue_reader import moment
from forge.gitea.writer import GiteaForge
from forge.models import Issue, Ref, Repo


class Person(GiteaForge):
    """An account with a token, and a few more calls."""

    def reopen(self, ref: Ref) -> None:
        """Open an issue or pull request again."""
        self._client.patch(self._issue_at(ref), state="open")

    def changed_since(self, repo: Repo, since: datetime) -> list[Issue]:
        """Issues and pull requests, open or not, updated at or after `since`."""
        rows = self._client.rows(self._at(repo, "issues"), state="all", since=moment(since))
        return [decode_models.issue(row, repo) for row in rows]

    def delete_comment(self, ref: Ref, comment_id: int) -> None:
        """Remove a comment."""
        self._client.delete(self._comment_at(ref, comment_id))
