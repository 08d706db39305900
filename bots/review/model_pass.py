"""Has a model read a change, where the hive has one, and lays what it says beside what the analysers say. Performs no I/O.

What it says are findings like others; whether it could be asked is part of whether the head was reviewed. A stranger's pull request is
read by no model.
"""

from __future__ import annotations

from dataclasses import replace

from bots.bot import Context
from bots.model_review import MODEL, ReviewTask, with_model
from bots.models import Level
from bots.review.look import Look
from bots.review_rounds import ReadByModel


def read_by_model(look: Look, ctx: Context, *, again: str) -> Look:
    """A look with what a model says; `again` identifies a full review, for which it is asked once more."""
    if ctx.reviewer is None or look.is_strangers or not look.policy.model or not look.is_readable:
        return look
    review = ctx.reviewer.review(look.pull, _task(look, ctx, again))
    failed = ((MODEL, review.failed),) if review.failed else ()
    return replace(look, scan=with_model(look.scan, review), not_reviewed=(*look.not_reviewed, *failed), model=review)


def read_since(look: Look) -> ReadByModel | None:
    """What a model has read when this round is over: the head, unless it failed; then what it had read before."""
    before = look.last.read if look.last is not None else None
    if look.model is None or look.model.failed:
        return before
    return ReadByModel(look.pull.head_sha, tuple(path for path, _ in look.model.unread))


def is_read_at_last(look: Look) -> bool:
    """Whether a model has read now what it had not read of the same changes, which may be approved at last."""
    before = look.last.read if look.last is not None else None
    now = read_since(look)
    was_partly = look.policy.approve and before is not None and bool(before.unread)
    return was_partly and now is not None and not now.unread


def _task(look: Look, ctx: Context, again: str) -> ReviewTask:
    """What is asked: all of the change, or what is new since the last round for the same base."""
    pull, last = look.pull, look.last
    is_same_base = last is not None and last.base == pull.base_branch
    before = last.read if last is not None and is_same_base and not look.full else None
    said = [item for item in look.found if item.level is not Level.GREEN]
    known = [] if last is None else [each.finding for each in last.open if each.finding.engine == MODEL]
    return ReviewTask(
        *(pull.title, pull.body, pull.author.login, ctx.team.standing(pull.author)),
        *(pull.base_branch, look.scan.base_sha),
        findings=(*said, *known),
        policy=look.policy,
        since=before.head_sha if before is not None else "",
        unread=before.unread if before is not None else (),
        again=again if look.full else "",
    )
