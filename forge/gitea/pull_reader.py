"""Questions to Forgejo and Gitea about pull requests. Changes nothing there."""

from __future__ import annotations

from collections.abc import Iterator

from forge.gitea import decode_models
from forge.gitea.connection import ForgeConnection
from forge.models import FileChange, PullRequest, Ref, Repo, Review, ReviewComment
from forge.protocol import NotFound


class GiteaPullReader(ForgeConnection):
    """What one account can see of pull requests."""

    def pull(self, ref: Ref) -> PullRequest:
        """A pull request."""
        return decode_models.pull(self._client.get(self._pull_at(ref)), ref.repo)

    def open_pulls(self, repo: Repo, *, head: str = "", base: str = "") -> list[PullRequest]:
        """The open pull requests, of one head (`branch`, or `owner:branch` of a fork) and into one base if given.

        Forgejo 17 can filter by both and Gitea 1.24 by base, each with parameters of its own; the
        others ignore these, so the answer is filtered again.
        """
        return list(self._sifted(repo, head, base))

    def pull_of(self, repo: Repo, sha: str) -> PullRequest | None:
        """The merged pull request that a commit of the base branch came from, if any."""
        try:
            found = decode_models.pull(self._client.get(self._at(repo, "commits", sha, "pull")), repo)
        except NotFound:
            return None
        return found if found.merged else None

    def files(self, ref: Ref) -> list[FileChange]:
        """The files that a pull request changes."""
        return [decode_models.file_change(row) for row in self._client.counted(self._pull_at(ref, "files"))]

    def diff(self, ref: Ref) -> str:
        """The unified diff of a pull request; raises Invalid for one that is too large."""
        return self._client.text(self._at(ref.repo, "pulls", f"{ref.number}.diff"))

    def reviews(self, ref: Ref) -> list[Review]:
        """All reviews of a pull request, oldest first; pending ones of others are not shown."""
        rows = (decode_models.review(row, ref) for row in self._client.counted(self._pull_at(ref, "reviews")))
        return sorted((review for review in rows if review), key=lambda review: review.id)

    def review_comments(self, ref: Ref, review_id: int) -> list[ReviewComment]:
        """The remarks of one review; forges do not page them."""
        rows = self._client.get(self._pull_at(ref, "reviews", review_id, "comments")).each()
        return [decode_models.review_comment(row) for row in rows]

    def _sifted(self, repo: Repo, head: str, base: str) -> Iterator[PullRequest]:
        owner, _, branch = head.rpartition(":")
        wanted = {"head": branch, "base": base, "base_branch": base}
        asked = {name: value for name, value in wanted.items() if value}
        for row in self._client.counted(self._at(repo, "pulls"), state="open", **asked):
            pull = decode_models.pull(row, repo)
            if base in {"", pull.base_branch} and (not head or _head(pull) == ((owner or repo.owner).lower(), branch)):
                yield pull


def _head(pull: PullRequest) -> tuple[str, str]:
    return pull.head_repo.owner.lower() if pull.head_repo else "", pull.head_branch
