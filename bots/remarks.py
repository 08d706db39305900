"""What was said on a thread, wherever on it: comments, and replies to remarks on code. Performs no I/O.

A reply is told of as a comment, and no list of comments has it (seen on Gitea 1.27 and Forgejo 11; Forgejo 17 by its
source): it is one of the remarks of the review that it answers.
"""

from __future__ import annotations

from dataclasses import dataclass

from forge.protocol import NotFound, Reader
from forge.types import Comment, Ref, ReviewComment


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to a remark on code, as a comment; `to` is the remark that the conversation began with."""

    comment: Comment
    to: ReviewComment


def reply(forge: Reader, ref: Ref, comment_id: int) -> Reply | None:
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
        return Reply(Comment(said.id, ref, said.author, said.body, *times, said.html_url), first)
    return None
