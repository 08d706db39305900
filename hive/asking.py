"""Asks operators for a review of a pull request, in a comment where a forge does not let it be requested."""

from __future__ import annotations

from collections.abc import Callable

from bots.intents import RequestReview
from forge.protocol import Forge, Invalid, NotFound, Refused
from hive.home import Done, Dropped

CALLED = "🙋 {operators}: this pull request waits for you."


def ask(forge: Forge, deed: RequestReview, marked: Callable[[str], str], marker: str) -> Done:
    """Ask for reviews; where that may not be, the operators are called in a comment. Raises Dropped."""
    pull = forge.pull(deed.ref)
    reviewed = {review.author.login for review in forge.reviews(deed.ref)}
    logins = [login for login in deed.operators if login != pull.author.login and login not in reviewed]
    if not pull.is_open or not logins:
        raise Dropped(f"nobody has to be asked about {deed.ref}")
    try:
        forge.request_reviews(deed.ref, logins)
    except (Refused, Invalid, NotFound) as error:
        called = CALLED.format(operators=", ".join(f"@{login}" for login in logins))
        forge.comment(deed.ref, marked(called), marker=marker)
        return Done(detail={"operators": logins, "called": str(error)})
    return Done(detail={"operators": logins})
