"""What one account says in conversations on lines of a pull request, on Gitea; Forgejo has no calls for it.

A reply has the id of a comment, and only the review that it belongs to lists it (Gitea 1.27); its text is changed as
a comment's.
"""

from __future__ import annotations

from forge.conversation import Conversation
from forge.gitea import decode_models
from forge.gitea.account import Account, checked
from forge.gitea.confirm import once, sure
from forge.models import Comment, ReviewComment
from forge.protocol import NotFound


class ConversationWriter(Account):
    """Replies to remarks, and the end of conversations."""

    def reply(self, to: Conversation, body: str, *, marker: str) -> Comment:
        """Say `body` in a conversation on a line, unless this identity said something with `marker` there already.

        A remark that is gone raises NotFound.
        """
        checked(body, marker)
        at = self._pull_at(to.ref, "comments", to.id, "replies")
        return once(
            lambda: self._said(to, marker), lambda: decode_models.comment(self._client.post(at, body=body), to.ref)
        )

    def edit_reply(self, to: Conversation, reply_id: int, body: str) -> None:
        """Replace the text of a reply; the same text is not sent again."""
        sure(
            lambda: self._client.patch(self._comment_at(to.ref, reply_id), body=body),
            lambda: self._remark(to, reply_id).body == body,
        )

    def resolve(self, conversation: Conversation) -> None:
        """Call a conversation on a line resolved: for the pull request's author and for who may write there."""
        at = self._at(conversation.ref.repo, "pulls", "comments", conversation.id, "resolve")
        sure(
            lambda: self._client.order("POST", at),
            lambda: self._remark(conversation, conversation.id).resolved,
        )

    def _said(self, to: Conversation, marker: str) -> Comment | None:
        rows = self._client.get(self._pull_at(to.ref, "reviews", to.review, "comments")).each()
        said = (row for row in rows if marker in row["body"].words() and row["user"].present)
        return next(
            (decode_models.comment(row, to.ref) for row in said if self._mine(decode_models.user(row["user"]))), None
        )

    def _remark(self, of: Conversation, remark_id: int) -> ReviewComment:
        remarks = self.review_comments(of.ref, of.review)
        found = next((remark for remark in remarks if remark.id == remark_id), None)
        if found is None:
            raise NotFound(f"{of.ref}: no remark {remark_id}")
        return found
