"""What an account says, against a forge that fails after it has written, or answers 500 to what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from forge.gitea.reader import GiteaReader
from forge.gitea.writer import GiteaForge
from forge.models import Reaction, User
from forge.protocol import Conflict, NotFound, Unavailable
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


def test_opening_again(wire: Wire, forge: GiteaForge) -> None:
    """What is open is left alone; what stays closed is a conflict; a 500 that has opened it is no failure."""
    wire.say(issue())
    forge.reopen(ISSUE)
    wire.anew().say(issue(state="closed")).say(issue(), 201)
    forge.reopen(ISSUE)
    assert wire.bodies(f"PATCH {ONE}") == [{"state": "open"}]
    wire.anew().say(issue(state="closed")).say(issue(state="closed"), 201)
    with pytest.raises(Conflict, match="still closed"):
        forge.reopen(ISSUE)
    wire.anew().say(issue(state="closed")).say({}, 500).say(issue())
    forge.reopen(ISSUE)


def test_an_edited_comment_under_a_500(wire: Wire, forge: GiteaForge) -> None:
    """A comment that was changed under a 500 is read back, and is not changed again."""
    wire.say(comment("old")).say(HTML, 500, kind="text/html").say(comment("new"))
    forge.edit_comment(ISSUE, 546, "new")
    assert wire.heard() == [f"GET {SAID}", f"PATCH {SAID}", f"GET {SAID}"]
    wire.anew().say(comment("old")).say(HTML, 500, kind="text/html").say(comment("old"))
    with pytest.raises(Unavailable, match="PATCH"):
        forge.edit_comment(ISSUE, 546, "new")


def test_taking_a_comment_away(wire: Wire, forge: GiteaForge) -> None:
    """A comment that is gone is gone, by whoever; one that was taken away under a 500 too."""
    wire.say(comment("x")).say(b"", 204).say({}, 404)
    forge.delete_comment(ISSUE, 546)
    forge.delete_comment(ISSUE, 546)
    assert wire.heard() == [f"GET {SAID}", f"DELETE {SAID}", f"GET {SAID}"]
    wire.anew().say(comment("x")).say({}, 500).say({}, 404)
    forge.delete_comment(ISSUE, 546)
    wire.anew().say(comment("x")).say({}, 500).say(comment("x"))
    with pytest.raises(Unavailable, match="DELETE"):
        forge.delete_comment(ISSUE, 546)


@pytest.mark.parametrize("status", [301, 307])
def test_a_comment_that_moved_is_not_gone(wire: Wire, forge: GiteaForge, status: int) -> None:
    """In a repository that was renamed nothing was taken away, and the error says where it is."""
    wire.say(b"", status, Location="/api/v1/repos/acme/after/issues/comments/546")
    with pytest.raises(NotFound, match="moved to /api/v1/repos/acme/after/"):
        forge.delete_comment(ISSUE, 546)


def reaction(content: str, user: dict[str, Any] = IRIS) -> dict[str, Any]:
    return {"user": user, "content": content, "created_at": "2026-11-21T12:00:00Z"}


def test_reactions(wire: Wire, reader: GiteaReader) -> None:
    """Reactions to an issue come in pages, those to a comment at once, and null is none."""
    wire.say([reaction("eyes"), reaction("+1", EVE)]).say([])
    assert reader.reactions(ISSUE) == [Reaction(User(7, "iris"), "eyes"), Reaction(User(9, "eve"), "+1")]
    wire.anew().say([reaction("eyes")]).say(None)
    assert [each.content for each in reader.reactions(ISSUE, 546)] == ["eyes"]
    assert reader.reactions(ISSUE, 546) == []
    assert wire.heard() == [f"GET {SAID}/reactions"] * 2
    assert "page" not in wire.asked[0].query


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


def test_taking_a_reaction_back(wire: Wire, forge: GiteaForge) -> None:
    """A reaction is taken back with a body that names it, if it is there."""
    wire.say([reaction("eyes")]).say(b"").say([reaction("eyes", EVE)])
    forge.remove_reaction(ISSUE, "eyes", comment_id=546)
    forge.remove_reaction(ISSUE, "eyes", comment_id=546)
    assert wire.bodies(f"DELETE {SAID}/reactions") == [{"content": "eyes"}]
    assert len(wire.asked) == 3


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
