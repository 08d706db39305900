"""Comments of a thread, anywhere on it: comments, and replies to review comments. Performs no I/O.

A forge reports a reply as a comment, but no list of comments has it (seen on Gitea 1.27 and Forgejo 11; Forgejo 17 by
its source): it is one of the comments of the review that it answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bots.intents import ContinueRun
from forge.conversation import Conversation
from forge.models import Comment, Ref, Review, ReviewComment
from forge.protocol import NotFound, Reader


@dataclass(frozen=True, slots=True)
class ThreadReply:
    """A reply to a review comment, as a comment; `to` is the first comment of its `conversation`."""

    comment: Comment
    to: ReviewComment
    conversation: Conversation


def reply(forge: Reader, ref: Ref, comment_id: int) -> ThreadReply | None:
    """The reply of that id, if it is one; the first comment of a conversation belongs to its review."""
    try:
        reviews = forge.reviews(ref)
    except NotFound:  # an issue has none
        return None
    for review in reviews:
        remarks = sorted(forge.review_comments(ref, review.id), key=lambda remark: remark.id)
        said = next((remark for remark in remarks if remark.id == comment_id), None)
        if said is None or said.author is None or said.created_at is None or said.updated_at is None:
            continue
        place = (said.path, said.line, said.old)
        first = next(remark for remark in remarks if (remark.path, remark.line, remark.old) == place)
        if first.id == said.id:
            return None
        times = (said.created_at, said.updated_at)
        comment = Comment(said.id, ref, said.author, said.body, *times, said.html_url)
        return ThreadReply(comment, first, Conversation(ref, review.id, first.id))
    return None


def conversations(review: Review, remarks: Iterable[ReviewComment]) -> tuple[Conversation, ...]:
    """The conversations that a review has started: one for each line."""
    firsts: dict[tuple[str, int, bool], ReviewComment] = {}
    for remark in sorted(remarks, key=lambda remark: remark.id):
        firsts.setdefault((remark.path, remark.line, remark.old), remark)
    return tuple(Conversation(review.ref, review.id, remark.id) for remark in firsts.values())


def within(conversation: Conversation, go_on: ContinueRun, forge: Reader) -> ContinueRun:
    """Let the answer to a comment on a line be posted in its conversation."""
    head = forge.pull(conversation.ref).head_sha
    return replace(go_on, about=(conversation,), head_sha=head, answers=conversation)
