"""Commits of several files, and statuses, against a forge that moved on or says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from forge.gitea.writer import GiteaForge
from forge.models import CommitStatus, FileEdit, State
from forge.protocol import Conflict, Invalid, NotFound, Unavailable
from tests.gitea.forms import APP, HEAD, entry

if TYPE_CHECKING:
    from tests.gitea.conftest import Wire

AT = "/repos/acme/app/contents"
EDITS = [FileEdit("a/new", b"new\n"), FileEdit("old", b"new\n"), FileEdit("bad", None), FileEdit("same", b"same\n")]


def commit(forge: GiteaForge, edits: list[FileEdit] = EDITS, *, start: str = "") -> None:
    forge.commit(APP, edits, message="change", branch="main", start=start)


def state(wire: Wire) -> Wire:
    """Say what the files of EDITS hold before."""
    return wire.say({}, 404).say(entry(b"old\n")).say(entry(b"bad\n")).say(entry(b"same\n"))


def after(wire: Wire) -> Wire:
    """Say what the files of EDITS hold when they are done."""
    return wire.say(entry(b"new\n")).say(entry(b"new\n")).say({}, 404).say(entry(b"same\n"))


def test_several_files(wire: Wire, forge: GiteaForge) -> None:
    """Each file is made, changed or taken away by the name of what it holds, in one request."""
    state(wire).say({"files": []}, 201)
    commit(forge)
    [sent] = wire.bodies(f"POST {AT}")
    assert (sent["branch"], sent["message"], "new_branch" in sent) == ("main", "change", False)
    assert sent["files"] == [
        {"operation": "create", "path": "a/new", "content": "bmV3Cg=="},
        {"operation": "update", "path": "old", "content": "bmV3Cg==", "sha": entry(b"old\n")["sha"]},
        {"operation": "delete", "path": "bad", "sha": entry(b"bad\n")["sha"]},
    ]
    assert wire.heard()[0] == f"GET {AT}/a/new"


def test_nothing_to_commit(wire: Wire, forge: GiteaForge) -> None:
    """What is so already makes no commit."""
    after(wire)
    commit(forge)
    commit(forge, [])
    assert {asked.method for asked in wire.asked} == {"GET"}


@pytest.mark.parametrize(
    ("status", "words"), [(422, "sha does not match"), (409, "sha does not match"), (422, "already exists")]
)
def test_files_that_moved_on(wire: Wire, forge: GiteaForge, status: int, words: str) -> None:
    """A file that somebody else changed meanwhile is a conflict, whatever number the forge gives it."""
    state(wire).say({"message": f"{words} [given: x]"}, status)
    with pytest.raises(Conflict, match=words):
        commit(forge)


def test_a_commit_under_a_500(wire: Wire, forge: GiteaForge) -> None:
    """A commit whose answer says nothing is looked for in every file."""
    after(state(wire).say({}, 502))
    commit(forge)
    wire.anew()
    state(state(wire).say({}, 502))
    with pytest.raises(Unavailable, match="POST"):
        commit(forge)


def test_a_new_branch(wire: Wire, forge: GiteaForge) -> None:
    """A branch that is not there is made by the commit; one that is there goes on."""
    wire.say({}, 404).say({}, 404).say({"files": []}, 201)
    commit(forge, EDITS[:1], start="dev")
    assert wire.asked[1].query == {"ref": "dev"}
    [sent] = wire.bodies(f"POST {AT}")
    assert (sent["branch"], sent["new_branch"]) == ("dev", "main")
    wire.anew().say({"name": "main", "commit": {"id": HEAD}}).say({}, 404).say({"files": []}, 201)
    commit(forge, EDITS[:1], start="dev")
    assert (wire.asked[1].query, "new_branch" in wire.asked[-1].body) == ({"ref": "main"}, False)


def test_a_new_branch_under_a_500(wire: Wire, forge: GiteaForge) -> None:
    """A branch that was not made was not made."""
    wire.say({}, 404).say({}, 404).say({}, 500).say({}, 404)
    with pytest.raises(Unavailable, match="POST"):
        commit(forge, EDITS[:1], start="dev")
    wire.anew().say({}, 404).say({}, 404).say({}, 500)
    wire.say({"name": "main", "commit": {"id": HEAD}}).say(entry(b"new\n"))
    commit(forge, EDITS[:1], start="dev")


@pytest.mark.parametrize("path", ["../x", "a//b", "/etc/passwd", ""])
def test_paths_that_lead_elsewhere(wire: Wire, forge: GiteaForge, path: str) -> None:
    """A path stays in its repository, in a body too."""
    with pytest.raises(Invalid, match="no path"):
        commit(forge, [FileEdit(path, b"")])
    assert not wire.asked


def test_two_edits_of_one_file(wire: Wire, forge: GiteaForge) -> None:
    """A file is not two things at once."""
    with pytest.raises(ValueError, match="two edits of one file"):
        commit(forge, [FileEdit("a", b"1"), FileEdit("a", None)])
    assert not wire.asked


def test_statuses_of_nothing(wire: Wire, forge: GiteaForge) -> None:
    """A 500 is not tried again for a commit that is not there, and is for one that is."""
    status = CommitStatus("hive/eval", State.SUCCESS)
    wire.say([]).say({}, 500).say([]).say({}, 404)
    with pytest.raises(NotFound, match=f"work:acme/app has no commit {HEAD}"):
        forge.set_status(APP, HEAD, status)
    assert wire.heard()[-1] == f"GET /repos/acme/app/git/commits/{HEAD}"
    wire.anew().say([]).say({}, 500).say([]).say({"sha": HEAD})
    with pytest.raises(Unavailable, match="POST"):
        forge.set_status(APP, HEAD, status)
