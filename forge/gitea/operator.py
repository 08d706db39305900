"""Merging on Forgejo and Gitea: what an operator does and no bot can want."""

from __future__ import annotations

from forge.gitea import shapes
from forge.gitea.client import SECONDS, Client
from forge.gitea.connection import Connection
from forge.protocol import Conflict, Refused, Unavailable
from forge.types import PullRequest, Ref


class GiteaOperator(Connection):
    """The hands of an operator."""

    def __init__(self, *, name: str, url: str, token: str, seconds: float = SECONDS) -> None:
        """`name` is the house's name for the forge; the token is the operator's own."""
        super().__init__(name, Client(url, token=token, seconds=seconds))

    def merge(self, ref: Ref, *, head_sha: str, style: str = "merge") -> None:
        """Merge a pull request if its head is `head_sha`; one that is merged at that head is done.

        Forgejo answers 500 to some merges that it has done, and 405 to a merge of what is merged.
        """
        try:
            self._client.post(self._at(ref.repo, "pulls", ref.number, "merge"), Do=style, head_commit_id=head_sha)
        except (Refused, Unavailable) as error:
            pull = self._pull(ref)
            if not pull.merged:
                raise
            if pull.head_sha != head_sha:
                raise Conflict(f"{ref}: merged at another head") from error

    def _pull(self, ref: Ref) -> PullRequest:
        return shapes.pull(self._client.get(self._pull_at(ref)), ref.repo)
