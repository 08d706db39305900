"""What an operator does on Forgejo and Gitea and no bot can want: merging."""

from __future__ import annotations

from forge.gitea.client import SECONDS, Client
from forge.gitea.issue_reader import GiteaIssueReader
from forge.gitea.pull_reader import GiteaPullReader
from forge.models import Ref
from forge.protocol import Conflict, Refused, Unavailable


class GiteaOperator(GiteaIssueReader, GiteaPullReader):
    """The hands of an operator."""

    def __init__(self, *, name: str, url: str, token: str, seconds: float = SECONDS) -> None:
        """`name` is the configured name of the forge; the token is the operator's own."""
        super().__init__(name, Client(url, token=token, seconds=seconds))

    def merge(self, ref: Ref, *, head_sha: str, style: str = "merge") -> None:
        """Merge a pull request if its head is `head_sha`; one that is merged at that head is done.

        Forgejo answers 500 to some merges that it has done, all forges do to one that waits for an
        open issue, and 405 is the answer to a merge of what is merged.
        """
        try:
            self._client.post(self._pull_at(ref, "merge"), Do=style, head_commit_id=head_sha)
        except (Refused, Unavailable) as error:
            pull = self.pull(ref)
            if pull.merged and pull.head_sha != head_sha:
                raise Conflict(f"{ref}: merged at another head") from error
            if pull.merged:
                return
            if isinstance(error, Unavailable):
                self._look_for_reasons(ref, error)
            raise

    def _look_for_reasons(self, ref: Ref, error: Unavailable) -> None:
        waiting = [issue.ref for issue in self._awaited(ref) if issue.is_open] if error.status == 500 else []
        if waiting:
            raise Conflict(f"{ref}: waits for {', '.join(map(str, waiting))}") from error
