"""What operators say of findings without words: a 👎 on the comment about one dismisses it. Performs no I/O.

Forges tell nobody of a reaction: it is seen at the next look at the pull request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from bots.bot import Context
from bots.review_intents import DismissFinding
from bots.review_rounds import FindingState, RememberedFinding, ReviewRound
from forge.models import Ref, ReviewComment, User

DISLIKED = "-1"
WHY = "👎"

_NUMBER = re.compile(r"^<sub>finding (\d{1,6}) · ", re.MULTILINE)


def disliked(ref: Ref, last: ReviewRound | None, ctx: Context) -> tuple[DismissFinding, ...]:
    """The open findings of the last round on whose comments an operator has reacted with 👎."""
    return () if last is None or not last.open else tuple(_disliked(ref, last, ctx))


def without(last: ReviewRound, dismissed: tuple[DismissFinding, ...]) -> ReviewRound:
    """A round as it is when these are dismissed."""
    words = {each.number: each for each in dismissed}

    def told(each: RememberedFinding) -> RememberedFinding:
        word = words.get(each.number)
        return each if word is None else replace(each, state=FindingState.DISMISSED, by=word.by.login, why=word.why)

    return replace(last, findings=tuple(map(told, last.findings)))


def _disliked(ref: Ref, last: ReviewRound, ctx: Context) -> Iterator[DismissFinding]:
    left = {each.number: each for each in last.open}
    account = ctx.team.accounts.get("review")
    for review in ctx.forge.reviews(ref):
        if account is None or review.author.id != account.id:
            continue
        for remark in ctx.forge.review_comments(ref, review.id):
            each = left.get(_number(remark))
            by = None if each is None else _who(ref, remark, ctx)
            if each is not None and by is not None:
                del left[each.number]
                item, key = each.finding, f"disliked:{ref}:{each.number}:{each.context}"
                yield DismissFinding(ref, each.number, each.context, item.rule, item.path, by, WHY, key=key)


def _number(remark: ReviewComment) -> int:
    """The number of the finding that a comment is about; 0 for one that somebody has changed: who writes issues can."""
    found = _NUMBER.search(remark.body)
    return int(found[1]) if found is not None and remark.created_at == remark.updated_at else 0


def _who(ref: Ref, remark: ReviewComment, ctx: Context) -> User | None:
    """The operator who does not like a comment."""
    found = ctx.forge.reactions(ref, remark.id)
    return next((each.user for each in found if each.content == DISLIKED and each.user.id in ctx.team.operators), None)
