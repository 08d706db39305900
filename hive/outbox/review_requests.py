"""Asks operators for a review of a pull request, in a comment where a forge does not let it be requested."""

from __future__ import annotations

from collections.abc import Callable

from bots.intents import RequestReview
from forge.protocol import Forge, Invalid, NotFound, Refused
from hive.outbox.local_actions import Result, Superseded

CALLED = "🙋 {operators}: this pull request waits for you."


def request_review(forge: Forge, action: RequestReview, marked: Callable[[str], str], marker: str) -> Result:
    """Ask for reviews; where that may not be, the operators are called in a comment. Raises Dropped."""
    pull = forge.pull(action.ref)
    reviewed = {review.author.login for review in forge.reviews(action.ref)}
    logins = [login for login in action.operators if login != pull.author.login and login not in reviewed]
    if not pull.is_open or not logins:
        raise Superseded(f"nobody has to be asked about {action.ref}")
    try:
        forge.request_reviews(action.ref, logins)
    except (Refused, Invalid, NotFound) as error:
        called = CALLED.format(operators=", ".join(f"@{login}" for login in logins))
        forge.comment(action.ref, marked(called), marker=marker)
        return Result(detail={"operators": logins, "called": str(error)})
    return Result(detail={"operators": logins})
