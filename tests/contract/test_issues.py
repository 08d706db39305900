"""The contract of every forge: issues, comments, and how they are ordered."""

from __future__ import annotations

import pytest

from forge.gitea.client import route
from forge.models import Label
from forge.protocol import Invalid, NotFound, Refused
from tests.contract.conftest import MARK, ContractForge


def test_issues(contract_forge: ContractForge) -> None:
    """An issue is filed, answered, assigned and closed once each, however often that is asked."""
    repo, iris = contract_forge.repo(), contract_forge.iris
    first, again = (iris.open_issue(repo, "squeaks", f"oil it {MARK}", marker=MARK) for _ in range(2))
    assert first.ref == again.ref
    said, same = (iris.comment(first.ref, f"hello {MARK}", marker=MARK) for _ in range(2))
    assert said.id == same.id
    iris.edit_comment(first.ref, said.id, f"goodbye {MARK}")
    assert [comment.body for comment in iris.comments(first.ref)] == [f"goodbye {MARK}"]
    for _ in range(2):
        iris.assign(first.ref, [contract_forge.login("ops")])
    iris.assign(first.ref, [contract_forge.login("iris")])
    assert {user.login for user in iris.issue(first.ref).assignees} == {
        contract_forge.login("ops"),
        contract_forge.login("iris"),
    }
    for _ in range(2):
        iris.close(first.ref)
    assert not iris.issue(first.ref).is_open
    kinds = [row.kind for row in iris.timeline(first.ref)]
    assert kinds == ["comment", "assignees", "assignees", "close"]
    assert iris.sees_subjects(repo)
    reopened = iris.open_issue(repo, "squeaks", f"again {MARK}", marker=MARK)
    assert reopened.ref != first.ref


def test_readers_do_not_assign(contract_forge: ContractForge) -> None:
    """Who may not assign is refused, though the forge drops the wish in silence; nobody is nobody."""
    repo = contract_forge.repo()
    contract_forge.admin.ensure_collaborator(repo, contract_forge.login("eve"), "read")
    issue = contract_forge.eve.open_issue(repo, "t", MARK, marker=MARK)
    with pytest.raises(Refused, match="may not be assigned: iris"):
        contract_forge.eve.assign(issue.ref, [contract_forge.login("iris")])
    with pytest.raises(NotFound):
        contract_forge.ops.assign(issue.ref, ["nobody-here"])
    assert contract_forge.ops.issue(issue.ref).assignees == ()


def test_what_depends_on_another_issue(contract_forge: ContractForge) -> None:
    """An issue is blocked by one that is open, and by none that was closed; who may read it may know."""
    repo = contract_forge.repo()
    first = contract_forge.ops.open_issue(repo, "first", MARK, marker=MARK).ref
    second = contract_forge.ops.open_issue(repo, "second", "its own", marker="its own").ref
    assert not contract_forge.iris.is_blocked(second)
    at = route("repos", *repo.path.split("/"), "issues", second.number, "dependencies")
    contract_forge.raw.post(at, index=first.number, owner=repo.owner, repo=repo.name)
    assert contract_forge.iris.is_blocked(second)
    assert not contract_forge.iris.is_blocked(first)
    contract_forge.ops.close(first)
    assert not contract_forge.iris.is_blocked(second)


def test_labels(contract_forge: ContractForge) -> None:
    """Labels come and go by name, of the repository and its organisation, and nothing is written in vain."""
    repo = contract_forge.repo()
    for label in (Label("bug"), Label("state/todo", exclusive=True), Label("state/doing", exclusive=True)):
        contract_forge.admin.ensure_label(repo, label)
    contract_forge.raw.post(f"/orgs/{contract_forge.org}/labels", name=f"urgent-{repo.name}", color="#ff0000")
    ref = contract_forge.ops.open_issue(repo, "t", MARK, marker=MARK).ref
    contract_forge.ops.label(ref, add=["bug", "state/todo", f"urgent-{repo.name}"])
    contract_forge.ops.label(ref, add=["state/doing"], remove=["bug"])
    assert set(contract_forge.ops.issue(ref).labels) == {"state/doing", f"urgent-{repo.name}"}
    rows = contract_forge.ops.timeline(ref)
    contract_forge.ops.label(ref, add=["state/doing"], remove=["bug"])
    assert contract_forge.ops.timeline(ref) == rows
    assert {(row.label, row.removed) for row in rows} >= {("bug", False), ("bug", True), ("state/doing", False)}
    with pytest.raises(Invalid, match=r"no label state/done$"):
        contract_forge.ops.label(ref, add=["state/done", "bug"])
    assert contract_forge.ops.timeline(ref) == rows


def test_editing(contract_forge: ContractForge) -> None:
    """A title and a text are changed when they differ, and nothing is done twice."""
    repo, ops = contract_forge.repo(), contract_forge.ops
    for ref in (ops.open_issue(repo, "squeaks", MARK, marker=MARK).ref, contract_forge.pull(repo)):
        for _ in range(2):
            ops.edit(ref, title="it squeaks", body="oil it")
        ops.edit(ref, body="oil it well")
        assert (ops.issue(ref).title, ops.issue(ref).body) == ("it squeaks", "oil it well")
        for _ in range(2):
            ops.close(ref)
        assert not ops.issue(ref).is_open
        kinds = [row.kind for row in ops.timeline(ref)]
        assert [kinds.count(kind) for kind in ("change_title", "close")] == [1, 1]
    with pytest.raises(Refused):
        contract_forge.eve.edit(
            ops.open_issue(contract_forge.repo_for("eve"), "t", MARK, marker=MARK).ref, title="mine"
        )


def test_comments_by_id(contract_forge: ContractForge) -> None:
    """A comment is found and changed by its id, until it is gone."""
    repo = contract_forge.repo()
    for ref in (contract_forge.ops.open_issue(repo, "t", MARK, marker=MARK).ref, contract_forge.pull(repo)):
        said = contract_forge.ops.comment(ref, MARK, marker=MARK)
        assert contract_forge.iris.comment_by_id(ref, said.id) == said
        for _ in range(2):
            contract_forge.ops.edit_comment(ref, said.id, f"better {MARK}")
        assert contract_forge.iris.comment_by_id(ref, said.id).body == f"better {MARK}"
        contract_forge.raw.delete(route("repos", *repo.path.split("/"), "issues", "comments", said.id))
        assert contract_forge.iris.comments(ref) == []
        with pytest.raises(NotFound):
            contract_forge.iris.comment_by_id(ref, said.id)
        with pytest.raises(NotFound):
            contract_forge.ops.edit_comment(ref, said.id, "again")


def test_unassigning(contract_forge: ContractForge) -> None:
    """Some are taken off, the others stay."""
    ref = contract_forge.ops.open_issue(contract_forge.repo(), "t", MARK, marker=MARK).ref
    contract_forge.ops.assign(ref, [contract_forge.login("ops"), contract_forge.login("iris")])
    for _ in range(2):
        contract_forge.ops.unassign(ref, [contract_forge.login("iris").upper(), "nobody-here"])
    assert [user.login for user in contract_forge.ops.issue(ref).assignees] == [contract_forge.login("ops")]
    contract_forge.ops.unassign(ref, [contract_forge.login("ops")])
    assert contract_forge.ops.issue(ref).assignees == ()
    assert [row.kind for row in contract_forge.ops.timeline(ref)].count("assignees") == 4


def test_labels_that_exclude_each_other(contract_forge: ContractForge) -> None:
    """One of a scope is on an issue; who asks for two at once is told so, and nothing is written."""
    repo = contract_forge.repo()
    for name in ("state/todo", "state/doing", "area/todo"):
        contract_forge.admin.ensure_label(repo, Label(name, exclusive=True))
    ref = contract_forge.ops.open_issue(repo, "t", MARK, marker=MARK).ref
    contract_forge.ops.label(ref, add=["state/todo", "area/todo"])
    with pytest.raises(Invalid, match="exclude each other: state/doing, state/todo"):
        contract_forge.ops.label(ref, add=["state/doing", "state/todo"])
    assert set(contract_forge.ops.issue(ref).labels) == {"state/todo", "area/todo"}
    for _ in range(2):
        contract_forge.ops.label(ref, add=["state/doing"])
    assert set(contract_forge.ops.issue(ref).labels) == {"state/doing", "area/todo"}


def test_reactions(contract_forge: ContractForge) -> None:
    """Reacting twice is reacting once, on an issue, a pull request and a comment; an unknown reaction is refused."""
    repo, iris = contract_forge.repo(), contract_forge.iris
    issue, pull = contract_forge.ops.open_issue(repo, "t", MARK, marker=MARK).ref, contract_forge.pull(repo)
    comment = contract_forge.ops.comment(issue, MARK, marker=MARK).id
    for ref, where in ((issue, 0), (pull, 0), (issue, comment)):
        for _ in range(2):
            iris.react(ref, "eyes", comment_id=where)
            contract_forge.ops.react(ref, "+1", comment_id=where)
        with pytest.raises(Refused, match="robot"):
            iris.react(ref, "robot", comment_id=where)
        found = contract_forge.ops.reactions(ref, where)
        assert sorted(each.content for each in found) == ["+1", "eyes"]
        assert len({each.user.id for each in found}) == 2


def test_pins(contract_forge: ContractForge) -> None:
    """Pinning an issue twice is pinning it once; a stranger may not."""
    repo = contract_forge.repo_for("eve")
    ref = contract_forge.eve.open_issue(repo, "t", MARK, marker=MARK).ref
    with pytest.raises(Refused):
        contract_forge.eve.pin(ref)
    for _ in range(2):
        contract_forge.ops.pin(ref)
    assert contract_forge.iris.issue(ref).pinned
    assert [row.kind for row in contract_forge.ops.timeline(ref)] == ["pin"]
