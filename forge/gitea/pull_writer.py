"""What one account does to pull requests on Forgejo and Gitea; merging is not among it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from forge.gitea import decode_models
from forge.gitea.account import Account, checked, without
from forge.models import PullRequest, Ref, Repo, Review, ReviewComment, ReviewState
from forge.protocol import Conflict, Refused, Unavailable

_ANSWERS = frozenset({ReviewState.APPROVED, ReviewState.REQUEST_CHANGES, ReviewState.COMMENT})

UNPLACED = 4
"""How often a review is said again without a remark that the forge fails at; the last time it is said without all."""

NO_PLACE = "The forge could not put these on their lines:"


class GiteaPullWriter(Account):
    """Pull requests and reviews."""

    def open_pull(self, repo: Repo, *, head: str, base: str, title: str, body: str) -> PullRequest:
        """Open a pull request, or find the open one with this head and base.

        `head` is a branch, or `owner:branch` for one of a fork. A missing branch is 500 on
        Forgejo 10: it raises NotFound as elsewhere.
        """
        try:
            made = self._client.post(self._at(repo, "pulls"), head=head, base=base, title=title, body=body)
            return self.pull(decode_models.ref(made, repo))
        except (Conflict, Unavailable) as error:
            found = next(self._sifted(repo, head, base), None)
            if found is not None:
                return found
            if error.status == 500:
                for branch in (name for name in (base, head) if ":" not in name):
                    self.branch(repo, branch)
            raise

    def request_reviews(self, ref: Ref, logins: Sequence[str]) -> None:
        """Request reviews; of the author raises Invalid, of an unknown login NotFound."""
        missing = without(logins, [user.login for user in self.pull(ref).reviewers])
        if not missing:
            return
        self._client.post(self._pull_at(ref, "requested_reviewers"), reviewers=missing)
        dropped = without(missing, [user.login for user in self.pull(ref).reviewers])
        if dropped:
            raise Refused(f"{ref}: may not be asked for a review: {', '.join(dropped)}")

    def review(
        self, ref: Ref, *, head_sha: str, state: ReviewState, body: str, comments: Sequence[ReviewComment], marker: str
    ) -> Review:
        """Submit one review pinned to a head, unless one of this identity contains `marker`.

        A pending review of this identity is deleted first: it would swallow the new one's comments. A remark that the
        forge fails at (Gitea 1.27: 500 for a line past the end of a file) is said in the body instead of on its line.
        On a pull request of the same author only COMMENT is possible, the rest raises Invalid.
        """
        checked(body, marker)
        if state not in _ANSWERS:
            raise ValueError(f"{state} is no answer to a pull request")
        mine, remarks = self._own_reviews(ref), list(comments)
        unplaced: list[ReviewComment] = []
        for left in range(UNPLACED, -1, -1):
            if done := _saying(mine, marker, head_sha):
                return done
            self._drop_pending(ref, mine)
            said = {"event": state.value, "body": _with(body, unplaced), "commit_id": head_sha}
            try:
                answer = self._client.post(
                    self._pull_at(ref, "reviews"), **said, comments=[_remark(c) for c in remarks]
                )
                return decode_models.submitted(answer, ref)
            except Unavailable as error:
                mine = self._own_reviews(ref)
                if done := _saying(mine, marker, head_sha):
                    return done
                if error.status != 500 or not remarks or not left:
                    raise
                failed = self._failed_at(ref, mine, remarks) if left > 1 else remarks
                unplaced += failed
                remarks = [remark for remark in remarks if remark not in failed]
        raise AssertionError("the last try returns or raises")

    def _drop_pending(self, ref: Ref, mine: Iterable[Review]) -> None:
        for each in mine:
            if each.state is ReviewState.PENDING:
                self._client.delete(f"{self._pull_at(ref, 'reviews')}/{each.id}")

    def _failed_at(self, ref: Ref, mine: Iterable[Review], remarks: Sequence[ReviewComment]) -> Sequence[ReviewComment]:
        """The remark that a forge failed at: the first that is not in what it left pending; all, if it left nothing to tell."""
        for pending in (each for each in mine if each.state is ReviewState.PENDING):
            held = sum(1 for _ in self._client.get(f"{self._pull_at(ref, 'reviews')}/{pending.id}/comments").each())
            if held < len(remarks):
                return remarks[held : held + 1]
        return remarks

    def _own_reviews(self, ref: Ref) -> list[Review]:
        return [review for review in self.reviews(ref) if self._mine(review.author)]


def _with(body: str, unplaced: Sequence[ReviewComment]) -> str:
    """A body with the remarks that have no place on a line."""
    if not unplaced:
        return body
    return "\n\n".join([body, NO_PLACE, *(f"`{each.path}:{each.line}`\n\n{each.body}" for each in unplaced)])


def _remark(comment: ReviewComment) -> dict[str, object]:
    side = "old_position" if comment.old else "new_position"
    return {"path": comment.path, "body": comment.body, side: comment.line}


def _saying(reviews: Iterable[Review], marker: str, head_sha: str) -> Review | None:
    said = (review for review in reviews if review.state in _ANSWERS and review.head_sha == head_sha)
    return next((review for review in said if marker in review.body), None)
