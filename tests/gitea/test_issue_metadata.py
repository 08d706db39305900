"""How an account orders things, against a forge that drops wishes in silence and crashes on what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from forge.gitea.writer import GiteaForge
from forge.models import Ref
from forge.protocol import Invalid, NotFound, Refused, Unavailable
from tests.gitea.forms import APP, EVE, IRIS, ISSUE, issue, label

if TYPE_CHECKING:
    from tests.gitea.conftest import Wire

ONE = "/repos/acme/app/issues/12"
OTHER = Ref(APP, 5)
DEPENDENCIES = f"{ONE}/dependencies"


def scoped(number: int, name: str) -> dict[str, Any]:
    return {**label(number, name), "exclusive": True}


def test_labels_of_one_scope(wire: Wire, forge: GiteaForge) -> None:
    """Two labels that push each other out are never asked for, whether they are held or not."""
    wire.say([scoped(1, "a/b/todo")]).say([scoped(2, "a/b/done"), scoped(3, "a/c"), label(4, "a/b/x")]).say([])
    with pytest.raises(Invalid, match=r"exclude each other: a/b/done, a/b/todo$"):
        forge.label(ISSUE, add=["a/b/todo", "a/b/done", "a/c", "a/b/x"])
    assert {asked.method for asked in wire.asked} == {"GET"}


def test_labels_that_push_out(wire: Wire, forge: GiteaForge) -> None:
    """The sibling of an exclusive label goes by itself; nobody else has to remove it."""
    wire.say([scoped(1, "state/todo")]).say([scoped(2, "state/done")]).say([]).say([scoped(2, "state/done")])
    forge.label(ISSUE, add=["state/done"])
    assert [str(asked) for asked in wire.asked if asked.method != "GET"] == [f"POST {ONE}/labels"]


def test_labels_that_come_and_go(wire: Wire, forge: GiteaForge) -> None:
    """A label that is to be added and removed stays, and one that is named twice is added once."""
    wire.say([label(1, "bug")])
    forge.label(ISSUE, add=["bug"], remove=["bug"])
    assert len(wire.asked) == 1
    wire.anew().say([]).say([label(1, "bug")]).say([]).say([label(1, "bug")])
    forge.label(ISSUE, add=["bug", "bug"])
    assert wire.asked[-1].body == {"labels": [1]}


def test_assignees_who_go(wire: Wire, forge: GiteaForge) -> None:
    """Some assignees go and the others stay; one that the forge keeps is said aloud."""
    wire.say(issue(assignees=[EVE, IRIS])).say(issue(assignees=[EVE]), 201).say(issue(assignees=[EVE]))
    forge.unassign(ISSUE, ["IRIS", "nobody"])
    forge.unassign(ISSUE, ["iris"])
    assert wire.bodies(f"PATCH {ONE}") == [{"assignees": ["eve"]}]
    wire.anew().say(issue(assignees=[IRIS])).say(issue(assignees=[IRIS]), 201)
    with pytest.raises(Refused, match="may not be taken away: iris"):
        forge.unassign(ISSUE, ["iris"])


def test_pins(wire: Wire, forge: GiteaForge) -> None:
    """What is pinned is not pinned again, and who may not is refused."""
    wire.say(issue(pin_order=1))
    forge.pin(ISSUE)
    assert len(wire.asked) == 1
    wire.anew().say(issue(pin_order=0)).say({"message": "user should be an owner"}, 403)
    with pytest.raises(Refused, match="owner"):
        forge.pin(ISSUE)


def test_no_more_pins(wire: Wire, forge: GiteaForge) -> None:
    """Forges answer 500 to a fourth pin, which no later try changes; one that is away is asked again."""
    wire.say(issue(pin_order=0)).say({}, 500).say(issue(pin_order=0))
    with pytest.raises(Invalid, match="the forge pins no more issues of acme/app"):
        forge.pin(ISSUE)
    wire.anew().say(issue(pin_order=0)).say({}, 503).say(issue(pin_order=0))
    with pytest.raises(Unavailable):
        forge.pin(ISSUE)


@pytest.mark.parametrize("status", [404, 422])
def test_a_label_that_somebody_else_took_away(wire: Wire, forge: GiteaForge, status: int) -> None:
    """What is gone is no error, in whichever number a forge says so; what is still there is one."""
    held = [{"id": 3, "name": "urgent", "color": "ff0000"}]
    wire.say(held).say({"message": "label does not exist"}, status).say([])
    forge.label(ISSUE, add=[], remove=["urgent"])
    assert [asked.method for asked in wire.asked] == ["GET", "DELETE", "GET"]
    wire.anew().say(held).say({"message": "no"}, status).say(held)
    with pytest.raises((Invalid, NotFound)):
        forge.label(ISSUE, add=[], remove=["urgent"])
