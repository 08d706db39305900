"""How an account orders things, against a forge that drops wishes in silence and crashes on what is there."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from forge.gitea.writer import GiteaForge
from forge.models import Ref
from forge.protocol import Conflict, Invalid, NotFound, Refused, Unavailable
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
    wire.say(issue(assignees=[EVE, IRIS])).say({}, 201).say(issue(assignees=[EVE]))
    forge.unassign(ISSUE, ["IRIS", "nobody"])
    forge.unassign(ISSUE, ["iris"])
    assert wire.bodies(f"PATCH {ONE}") == [{"assignees": ["eve"]}]
    wire.anew().say(issue(assignees=[IRIS])).say({}, 201).say(issue(assignees=[IRIS]))
    with pytest.raises(Refused, match="may not be taken away: iris"):
        forge.unassign(ISSUE, ["iris"])


def milestone(number: int, title: str, state: str = "open") -> dict[str, Any]:
    return {"id": number, "title": title, "state": state}


def test_setting_a_milestone(wire: Wire, forge: GiteaForge) -> None:
    """A milestone is meant by its whole title, and of two the older one; it is set by id and cleared by 0."""
    spring = milestone(4, "spring")
    wire.say(issue()).say([milestone(2, "spring cleaning"), milestone(9, "spring"), spring]).say([])
    wire.say({}, 201).say(issue(milestone=spring))
    forge.set_milestone(ISSUE, "spring")
    assert wire.asked[1].query == {"state": "all", "name": "spring", "page": "1", "limit": "50"}
    forge.set_milestone(ISSUE, "spring")
    assert wire.bodies(f"PATCH {ONE}") == [{"milestone": 4}]
    wire.anew().say(issue(milestone=spring)).say({}, 201).say(issue())
    forge.set_milestone(ISSUE, "")
    assert wire.bodies(f"PATCH {ONE}") == [{"milestone": 0}]


def test_milestones_that_are_not_set(wire: Wire, forge: GiteaForge) -> None:
    """A title that is none's is invalid; a wish that the forge drops is refused."""
    wire.say(issue()).say([milestone(4, "springtime")]).say([])
    with pytest.raises(Invalid, match="work:acme/app has no milestone 'spring'"):
        forge.set_milestone(ISSUE, "spring")
    wire.anew().say(issue()).say([milestone(4, "spring")]).say([]).say({}, 201).say(issue())
    with pytest.raises(Refused, match="may not be set"):
        forge.set_milestone(ISSUE, "spring")


def test_making_a_milestone(wire: Wire, forge: GiteaForge) -> None:
    """A milestone is made once, though the forge said 500 to it, and one that was closed is opened."""
    at = "/repos/acme/app/milestones"
    wire.say([]).say({}, 500).say([milestone(4, "spring")]).say([])
    forge.ensure_milestone(APP, "spring", description="soon")
    assert wire.bodies(f"POST {at}") == [{"title": "spring", "description": "soon"}]
    wire.anew().say([milestone(4, "spring", "closed")]).say([]).say(milestone(4, "spring"))
    forge.ensure_milestone(APP, "spring")
    assert wire.bodies(f"PATCH {at}/4") == [{"state": "open"}]


def test_due_days(wire: Wire, forge: GiteaForge) -> None:
    """A day is the one that the forge's own zone calls it."""
    wire.say(issue()).say({}, 201).say(issue(due_date="2030-01-02T23:59:59-05:00"))
    forge.set_due(ISSUE, date(2030, 1, 2))
    forge.set_due(ISSUE, date(2030, 1, 2))
    assert wire.bodies(f"PATCH {ONE}") == [{"due_date": "2030-01-02T00:00:00Z"}]
    wire.anew().say(issue(due_date="2030-01-02T23:59:59Z")).say({}, 201).say(issue(due_date="2030-01-02T23:59:59Z"))
    with pytest.raises(Refused, match="due"):
        forge.set_due(ISSUE, None)
    assert wire.bodies(f"PATCH {ONE}") == [{"unset_due_date": True}]


def test_pins(wire: Wire, forge: GiteaForge) -> None:
    """What is pinned is not pinned again, and who may not is refused."""
    wire.say(issue(pin_order=1))
    forge.pin(ISSUE)
    assert len(wire.asked) == 1
    wire.anew().say(issue(pin_order=0)).say({"message": "user should be an owner"}, 403)
    with pytest.raises(Refused, match="owner"):
        forge.pin(ISSUE)
    wire.anew().say(issue(pin_order=2)).say(b"", 204).say(issue(pin_order=0))
    forge.unpin(ISSUE)
    forge.unpin(ISSUE)
    assert wire.heard() == [f"GET {ONE}", f"DELETE {ONE}/pin", f"GET {ONE}"]


def waited_for(number: int) -> dict[str, Any]:
    return issue(number=number, repository={"id": 3, "full_name": "acme/app", "owner": "acme", "name": "app"})


def test_depending(wire: Wire, forge: GiteaForge) -> None:
    """A dependency names its issue, and one that is there is not asked for: forges answer 500 to it."""
    wire.say([]).say([]).say({}, 201).say([waited_for(5)]).say([])
    forge.add_dependency(ISSUE, OTHER)
    forge.add_dependency(ISSUE, OTHER)
    assert wire.bodies(f"POST {DEPENDENCIES}") == [{"index": 5, "owner": "acme", "repo": "app"}]
    wire.anew().say([waited_for(5)]).say([]).say({}, 201)
    forge.remove_dependency(ISSUE, OTHER)
    assert wire.bodies(f"DELETE {DEPENDENCIES}") == [{"index": 5, "owner": "acme", "repo": "app"}]
    wire.anew().say([])
    forge.remove_dependency(ISSUE, OTHER)
    assert len(wire.asked) == 1


def test_depending_in_the_same_moment(wire: Wire, forge: GiteaForge) -> None:
    """A 500 to a dependency is none if it is there, and one to try again if it is not."""
    wire.say([]).say([]).say({}, 500).say([waited_for(5)]).say([])
    forge.add_dependency(ISSUE, OTHER)
    wire.anew().say([]).say([]).say({}, 500).say([])
    with pytest.raises(Unavailable, match="POST"):
        forge.add_dependency(ISSUE, OTHER)


def test_circles(wire: Wire, forge: GiteaForge) -> None:
    """Two do not wait for each other, nor one for itself; no 500 is tried again for that."""
    wire.say([]).say([waited_for(12)]).say([])
    with pytest.raises(Conflict, match="wait for each other"):
        forge.add_dependency(ISSUE, OTHER)
    wire.anew().say([])
    with pytest.raises(Conflict, match="wait for each other"):
        forge.add_dependency(ISSUE, ISSUE)
    assert {asked.method for asked in wire.asked} == {"GET"}


def test_depending_on_another_forge(wire: Wire, forge: GiteaForge) -> None:
    """Nothing waits for an issue of another forge."""
    wire.say([])
    with pytest.raises(ValueError, match="is not on the forge work"):
        forge.add_dependency(ISSUE, Ref.parse("other:acme/app#5"))
    wire.anew().say([]).say([]).say({"message": "IsErrIssueNotExist"}, 404)
    with pytest.raises(NotFound):
        forge.add_dependency(ISSUE, OTHER)
