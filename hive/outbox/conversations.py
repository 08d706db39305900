"""Conversations on lines of pull requests: replies there, and resolves those whose lines a run has changed.

Only where the forge has an API for it (Gitea 1.27); elsewhere replies go to the thread, and conversations stay open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache

from forge.conversation import Conversation
from forge.models import Comment, Ref, Review, ReviewComment
from forge.protocol import Forge, Invalid, NotFound, Refused
from hive.ledger import Ledger
from hive.outbox.actions import ResolveFixedConversations
from hive.outbox.registry import Superseded

Lines = list[bytes] | None
"""A file's lines; None for a file that is not there."""


def reachable(forge: Forge, to: Conversation | None) -> Conversation | None:
    """The conversation to reply in, if it still exists and the forge allows it; None for the thread."""
    if to is None or not forge.capabilities().reply_to_remark:
        return None
    return None if _remark(forge, to) is None else to


def post(forge: Forge, ref: Ref, to: Conversation | None, body: str, marker: str) -> Comment:
    """Say `body` once, in a conversation on a line or on the thread."""
    return forge.comment(ref, body, marker=marker) if to is None else forge.reply(to, body, marker=marker)


def resolve_fixed(
    forge: Forge, core: Callable[[], Forge], ledger: Ledger, action: ResolveFixedConversations
) -> list[int]:
    """Resolve the conversations whose lines a run has changed since it was notified; returns the ids of their remarks.

    A conversation is resolved once: one that was reopened stays open. `core` gives the forge as the hive's own account, for
    what the run's account may not do. Raises Superseded if there is none.
    """
    if not forge.capabilities().resolve_conversation:
        raise Superseded("conversations are not resolved by calls on this forge")
    pull = forge.pull(action.ref)
    head = forge.branch(action.ref.repo, pull.head_branch).sha if pull.is_open else pull.head_sha
    reviews = {review.id: review for review in forge.reviews(action.ref)}
    lines = _reader(forge, action.ref)
    ended = []
    for conversation, told in ledger.conversations.unresolved(action.run):
        remark, review = _remark(forge, conversation), reviews.get(conversation.review)
        is_open = remark is not None and review is not None and not remark.resolved
        if remark and review and is_open:
            if not _is_changed(remark, review, told, head, lines):
                continue
            resolve(forge, core, conversation)
            ended.append(conversation.id)
        ledger.conversations.resolve(conversation)
    if not ended:
        raise Superseded("no line that was spoken of has changed")
    return ended


def is_kept(line: int, before: list[bytes], after: list[bytes]) -> bool:
    """Whether a line (counted from 1) of a file still exists; a moved line does.

    Between the common beginning and end of both versions, a line is gone if it occurs less often: that takes linear time
    for any content.
    """
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    if not start < line <= len(before) - end:
        return 0 < line <= len(before)
    text = before[line - 1]
    counts = (Counter(part[start : len(part) - end])[text] for part in (before, after))
    was, is_now = counts
    return is_now >= was


def _is_changed(
    remark: ReviewComment, review: Review, told: str, head: str, lines: Callable[[str, str], Lines]
) -> bool:
    """Whether a line has changed since its run was notified; earlier changes do not count."""
    if remark.old or head == told:
        return False
    try:
        said, then, now = (lines(remark.path, sha) for sha in (review.head_sha, told, head))
    except Invalid:  # too large for the forge to return
        return False
    if said is None or then is None or not is_kept(remark.line, said, then):
        return False
    return now is None or not is_kept(remark.line, said, now)


def resolve(forge: Forge, core: Callable[[], Forge], conversation: Conversation) -> None:
    """Call a conversation resolved, as the hive's own account where `forge` may not."""
    try:
        forge.resolve(conversation)
    except Refused:
        core().resolve(conversation)


def _remark(forge: Forge, conversation: Conversation) -> ReviewComment | None:
    try:
        remarks = forge.review_comments(conversation.ref, conversation.review)
    except NotFound:
        return None
    return next((remark for remark in remarks if remark.id == conversation.id), None)


def _reader(forge: Forge, ref: Ref) -> Callable[[str, str], Lines]:
    @cache
    def lines(path: str, at: str) -> Lines:
        try:
            return [line.rstrip(b"\r") for line in forge.file(ref.repo, path, at).split(b"\n")]
        except NotFound:
            return None

    return lines
