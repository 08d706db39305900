"""What an account says on lines of a pull request, against a forge that fails after it has written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from forge.conversation import Conversation
from forge.gitea.writer import GiteaForge
from forge.protocol import NotFound, Refused, Unavailable
from tests.gitea.forms import EVE, HTML, IRIS, ISSUE, comment

if TYPE_CHECKING:
    from tests.gitea.conftest import Wire

TALK = Conversation(ISSUE, review=8, id=5)
LIST = "/repos/acme/app/pulls/12/reviews/8/comments"
REPLY = "/repos/acme/app/pulls/12/comments/5/replies"
RESOLVE = "/repos/acme/app/pulls/comments/5/resolve"


def remark(body: str, **changed: object) -> dict[str, Any]:
    """A remark as the review lists it."""
    return comment(body) | {"path": "a.py", "position": 1, "original_position": 0, "resolver": None} | changed


def test_a_reply_is_said_once(wire: Wire, forge: GiteaForge) -> None:
    """Its own marker among the review's remarks is the reply; somebody else's copy of it is not."""
    wire.say([remark("hello", user=EVE), remark("said <!-- m -->")])
    assert forge.reply(TALK, "new <!-- m -->", marker="<!-- m -->").body == "said <!-- m -->"
    wire.anew().say([remark("copied <!-- m -->", user=EVE)]).say(remark("new <!-- m -->"), 201)
    assert forge.reply(TALK, "new <!-- m -->", marker="<!-- m -->").body == "new <!-- m -->"
    assert wire.bodies(f"POST {REPLY}") == [{"body": "new <!-- m -->"}]


def test_a_reply_under_a_500(wire: Wire, forge: GiteaForge) -> None:
    """A reply that was written under a 500 is found; one that was not is Unavailable, and one to nothing NotFound."""
    wire.say([]).say(HTML, 500, kind="text/html").say([remark("new <!-- m -->")])
    assert forge.reply(TALK, "new <!-- m -->", marker="<!-- m -->").id == 546
    wire.anew().say([]).say(HTML, 500, kind="text/html").say([])
    with pytest.raises(Unavailable):
        forge.reply(TALK, "new <!-- m -->", marker="<!-- m -->")
    wire.anew().say([]).say({"message": "comment does not exist"}, 404)
    with pytest.raises(NotFound):
        forge.reply(TALK, "new <!-- m -->", marker="<!-- m -->")
    with pytest.raises(ValueError, match="marker"):
        forge.reply(TALK, "new", marker="<!-- m -->")


def test_an_edited_reply(wire: Wire, forge: GiteaForge) -> None:
    """The same text is not sent again, and one that was changed under a 500 is read back."""
    wire.say([remark("old")]).say(HTML, 500, kind="text/html").say([remark("new")])
    forge.edit_reply(TALK, 546, "new")
    assert wire.heard() == [f"GET {LIST}", "PATCH /repos/acme/app/issues/comments/546", f"GET {LIST}"]
    wire.anew().say([remark("new")])
    forge.edit_reply(TALK, 546, "new")
    with pytest.raises(NotFound, match="no remark 9"):
        forge.edit_reply(TALK, 9, "new")


def test_resolving(wire: Wire, forge: GiteaForge) -> None:
    """What is resolved is left alone; under a 500 it is looked for; who may not is refused."""
    held, done = [remark("x", id=5)], [remark("x", id=5, resolver=IRIS)]
    wire.say(done)
    forge.resolve(TALK)
    wire.anew().say(held).say(None, 204)
    forge.resolve(TALK)
    assert wire.heard() == [f"GET {LIST}", f"POST {RESOLVE}"]
    wire.anew().say(held).say(HTML, 500, kind="text/html").say(done)
    forge.resolve(TALK)
    wire.anew().say(held).say({"message": "user should have permission to resolve comment"}, 403)
    with pytest.raises(Refused):
        forge.resolve(TALK)
