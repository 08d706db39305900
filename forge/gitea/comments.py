"""What one account says on Forgejo and Gitea: issues, comments, reactions."""

from __future__ import annotations

from forge.gitea import models
from forge.gitea.account import Account, checked
from forge.gitea.confirm import gone, once, sure
from forge.models import Comment, Issue, Ref, Repo
from forge.protocol import Conflict, Unavailable


class CommentWriter(Account):
    """Deeds on issues, and on what pull requests share with them."""

    def open_issue(self, repo: Repo, title: str, body: str, *, marker: str) -> Issue:
        """File an issue, unless an open one of this identity contains `marker`."""
        checked(body, marker)
        return once(
            lambda: self._filed(repo, marker),
            lambda: models.issue(self._client.post(self._at(repo, "issues"), title=title, body=body), repo),
        )

    def edit(self, ref: Ref, *, title: str | None = None, body: str | None = None) -> None:
        """Change the title or the text of an issue or pull request; None leaves it.

        Only what differs is sent: forges send an event for each of the two.
        """
        wanted = {key: text for key, text in (("title", title), ("body", body)) if text is not None}

        def differing() -> dict[str, str]:
            held = self.issue(ref)
            return {key: text for key, text in wanted.items() if text != getattr(held, key)}

        changes = differing()
        if not changes:
            return
        try:
            self._client.patch(self._issue_at(ref), **changes)
        except Unavailable:
            if differing():
                raise

    def close(self, ref: Ref) -> None:
        """Close an issue or pull request; one with an open dependency raises Conflict."""
        self._turn(ref, is_open=False)

    def reopen(self, ref: Ref) -> None:
        """Open an issue or pull request again."""
        self._turn(ref, is_open=True)

    def comment(self, ref: Ref, body: str, *, marker: str) -> Comment:
        """Say `body`, unless a comment of this identity that contains `marker` is there already."""
        checked(body, marker)
        return once(
            lambda: next(
                (each for each in self.comments(ref) if marker in each.body and self._mine(each.author)), None
            ),
            lambda: models.comment(self._client.post(self._issue_at(ref, "comments"), body=body), ref),
        )

    def edit_comment(self, ref: Ref, comment_id: int, body: str) -> None:
        """Replace a comment's text; the same text is not sent again, as Forgejo calls that an edit."""
        sure(
            lambda: self._client.patch(self._comment_at(ref, comment_id), body=body),
            lambda: self.comment_by_id(ref, comment_id).body == body,
        )

    def delete_comment(self, ref: Ref, comment_id: int) -> None:
        """Take a comment away."""
        sure(
            lambda: self._client.delete(self._comment_at(ref, comment_id)),
            lambda: gone(lambda: self.comment_by_id(ref, comment_id)),
        )

    def react(self, ref: Ref, content: str, *, comment_id: int = 0) -> None:
        """React to an issue, a pull request or one of its comments; unknown words raise Refused.

        Forgejo 17 answers 500 to a reaction that is there.
        """
        at = self._reactions_at(ref, comment_id)
        sure(lambda: self._client.post(at, content=content), lambda: self._reacted(ref, content, comment_id))

    def remove_reaction(self, ref: Ref, content: str, *, comment_id: int = 0) -> None:
        """Take a reaction of this identity back."""
        at = self._reactions_at(ref, comment_id)
        sure(lambda: self._client.delete(at, content=content), lambda: not self._reacted(ref, content, comment_id))

    def _turn(self, ref: Ref, *, is_open: bool) -> None:
        state, other = ("open", "closed") if is_open else ("closed", "open")

        def turn() -> None:
            answer = self._client.patch(self._issue_at(ref), state=state)
            if models.issue(answer, ref.repo).is_open is not is_open:
                raise Conflict(f"{ref}: still {other}")

        sure(turn, lambda: self.issue(ref).is_open is is_open)

    def _filed(self, repo: Repo, marker: str) -> Issue | None:
        rows = self._client.rows(self._at(repo, "issues"), state="open", type="issues", created_by=self._own().login)
        issues = (models.issue(row, repo) for row in rows)
        return next((issue for issue in issues if self._mine(issue.author) and marker in issue.body), None)

    def _reactions_at(self, ref: Ref, comment_id: int) -> str:
        return self._comment_at(ref, comment_id, "reactions") if comment_id else self._issue_at(ref, "reactions")

    def _reacted(self, ref: Ref, content: str, comment_id: int) -> bool:
        found = self.reactions(ref, comment_id)
        return any(each.content == content and self._mine(each.user) for each in found)
