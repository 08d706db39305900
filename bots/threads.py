"""What was said on a thread, wherever on it: comments, and replies to remarks on code. Performs no I/O.

A reply is told of as a comment, and no list of comments has it (seen on Gitea 1.27 and Forgejo 11; Forgejo 17 by its
source): it is one of the remarks of the review that it answers.
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
    """An answer to a remark on code, as a comment; `to` is the remark that the `conversation` began with."""

    comment: Comment
    to: ReviewComment
    conversation: Conversation


def reply(forge: Reader, ref: Ref, comment_id: int) -> ThreadReply | None:
    """The reply of that id, if it is one; a remark that begins a conversation is its review's."""
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
    """What a review's remarks begin: one conversation for each line."""
    firsts: dict[tuple[str, int, bool], ReviewComment] = {}
    for remark in sorted(remarks, key=lambda remark: remark.id):
        firsts.setdefault((remark.path, remark.line, remark.old), remark)
    return tuple(Conversation(review.ref, review.id, remark.id) for remark in firsts.values())


def within(conversation: Conversation, go_on: ContinueRun, forge: Reader) -> ContinueRun:
    """What was said in a conversation on a line is answered there."""
    head = forge.pull(conversation.ref).head_sha
    return replace(go_on, about=(conversation,), head_sha=head, answers=conversation)
