"""What an account says, against a forge that fails after it has written, or answers 500 to what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from forge.gitea.reader import GiteaReader
from forge.gitea.writer import GiteaForge
from forge.protocol import NotFound, Unavailable
from tests.gitea.forms import EVE, HTML, IRIS, ISSUE, comment, issue

if TYPE_CHECKING:
    from tests.gitea.conftest import Wire

ONE = "/repos/acme/app/issues/12"
SAID = "/repos/acme/app/issues/comments/546"


def test_titles_and_texts(wire: Wire, forge: GiteaForge) -> None:
    """Only what differs is sent: forges make an event of each of the two."""
    wire.say(issue(title="old", body="same")).say(issue(), 201)
    forge.edit(ISSUE, title="new", body="same")
    assert wire.bodies(f"PATCH {ONE}") == [{"title": "new"}]
    wire.anew().say(issue(title="old", body="same"))
    forge.edit(ISSUE, title="old", body="same")
    forge.edit(ISSUE)
    assert {asked.method for asked in wire.asked} == {"GET"}


def test_an_edit_under_a_500(wire: Wire, forge: GiteaForge) -> None:
    """An edit whose answer says nothing is looked for before its failure is believed."""
    wire.say(issue(title="old")).say({}, 500).say(issue(title="new"))
    forge.edit(ISSUE, title="new")
    wire.anew().say(issue(title="old")).say({}, 500).say(issue(title="old"))
    with pytest.raises(Unavailable, match="PATCH"):
        forge.edit(ISSUE, title="new")


def test_an_edited_comment_under_a_500(wire: Wire, forge: GiteaForge) -> None:
    """A comment that was changed under a 500 is read back, and is not changed again."""
    wire.say(comment("old")).say(HTML, 500, kind="text/html").say(comment("new"))
    forge.edit_comment(ISSUE, 546, "new")
    assert wire.heard() == [f"GET {SAID}", f"PATCH {SAID}", f"GET {SAID}"]
    wire.anew().say(comment("old")).say(HTML, 500, kind="text/html").say(comment("old"))
    with pytest.raises(Unavailable, match="PATCH"):
        forge.edit_comment(ISSUE, 546, "new")


def reaction(content: str, user: dict[str, Any] = IRIS) -> dict[str, Any]:
    return {"user": user, "content": content, "created_at": "2026-11-21T12:00:00Z"}


def test_reacting(wire: Wire, forge: GiteaForge) -> None:
    """A reaction of another is not one's own; one that is there is not sent, as Forgejo 17 answers 500 to it."""
    wire.say([reaction("eyes", EVE), reaction("+1")]).say([]).say(reaction("eyes"), 201)
    forge.react(ISSUE, "eyes")
    assert wire.bodies(f"POST {ONE}/reactions") == [{"content": "eyes"}]
    wire.anew().say([reaction("eyes")])
    forge.react(ISSUE, "eyes", comment_id=546)
    assert wire.heard() == [f"GET {SAID}/reactions"]


def test_reacting_in_the_same_moment(wire: Wire, forge: GiteaForge) -> None:
    """A 500 to a reaction is none if the reaction is there."""
    wire.say([]).say(HTML, 500, kind="text/html").say([reaction("eyes")]).say([])
    forge.react(ISSUE, "eyes")
    wire.anew().say([]).say(HTML, 500, kind="text/html").say([])
    with pytest.raises(Unavailable, match="POST"):
        forge.react(ISSUE, "eyes")


@pytest.mark.parametrize("ask", ["comments", "timeline"])
def test_lists_of_nothing(wire: Wire, reader: GiteaReader, ask: str) -> None:
    """What is asked of an issue that is not there is not found, though Gitea 1.26 answers 500."""
    wire.say({"version": "1.26.0"})
    reader.capabilities()
    wire.say({"message": "issue does not exist"}, 500).say({}, 404)
    with pytest.raises(NotFound):
        getattr(reader, ask)(ISSUE)
    wire.anew().say({}, 500).say(issue())
    with pytest.raises(Unavailable, match=ask):
        getattr(reader, ask)(ISSUE)
    assert wire.heard() == [f"GET {ONE}/{ask}", f"GET {ONE}"]
