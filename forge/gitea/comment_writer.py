"""Writes of one account to Forgejo and Gitea: issues, comments, reactions."""

from __future__ import annotations

from forge.gitea import decode_models
from forge.gitea.account import Account, checked
from forge.gitea.confirm import once, sure
from forge.models import Comment, Issue, Ref, Repo
from forge.protocol import Conflict, Unavailable


class CommentWriter(Account):
    """Writes to issues, and to what pull requests share with them."""

    def open_issue(self, repo: Repo, title: str, body: str, *, marker: str) -> Issue:
        """File an issue, unless an open one of this identity contains `marker`."""
        checked(body, marker)
        return once(
            lambda: self._filed(repo, marker),
            lambda: decode_models.issue(self._client.post(self._at(repo, "issues"), title=title, body=body), repo),
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

        def close() -> None:
            answer = self._client.patch(self._issue_at(ref), state="closed")
            if decode_models.issue(answer, ref.repo).is_open:
                raise Conflict(f"{ref}: still open")

        sure(close, lambda: not self.issue(ref).is_open)

    def comment(self, ref: Ref, body: str, *, marker: str, seen: Issue | None = None) -> Comment:
        """Say `body`, unless a comment of this identity that contains `marker` is there already.

        `seen` is the subject as it was read just now, if it was: without comments there is none to look for.
        """
        checked(body, marker)
        return once(
            lambda: self._commented(ref, marker),
            lambda: decode_models.comment(self._client.post(self._issue_at(ref, "comments"), body=body), ref),
            none_yet=seen is not None and seen.comments == 0,
        )

    def edit_comment(self, ref: Ref, comment_id: int, body: str) -> None:
        """Replace a comment's text; the same text is not sent again, as Forgejo calls that an edit."""
        sure(
            lambda: self._client.patch(self._comment_at(ref, comment_id), body=body),
            lambda: self.comment_by_id(ref, comment_id).body == body,
        )

    def react(self, ref: Ref, content: str, *, comment_id: int = 0) -> None:
        """React to an issue, a pull request or one of its comments; unknown reactions raise Refused.

        Forgejo 17 answers 500 to a reaction that exists already.
        """

        def is_there() -> bool:
            found = self.reactions(ref, comment_id)
            return any(each.content == content and self._mine(each.user) for each in found)

        sure(lambda: self._client.post(self._reactions_at(ref, comment_id), content=content), is_there)

    def _commented(self, ref: Ref, marker: str) -> Comment | None:
        return next((each for each in self.comments(ref) if marker in each.body and self._mine(each.author)), None)

    def _filed(self, repo: Repo, marker: str) -> Issue | None:
        rows = self._client.rows(self._at(repo, "issues"), state="open", type="issues", created_by=self._own().login)
        issues = (decode_models.issue(row, repo) for row in rows)
        return next((issue for issue in issues if self._mine(issue.author) and marker in issue.body), None)
