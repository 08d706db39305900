"""The contract of every forge: issues, comments, and how they are ordered."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from forge.gitea.client import route
from forge.protocol import Conflict, Invalid, NotFound, Refused
from forge.types import Label, Ref
from tests.contract.conftest import MARK, Town, some


def test_issues(town: Town) -> None:
    """An issue is filed, answered, assigned and closed once each, however often that is asked."""
    repo, iris = town.repo(), town.iris
    first, again = (iris.open_issue(repo, "squeaks", f"oil it {MARK}", marker=MARK) for _ in range(2))
    assert first.ref == again.ref
    said, same = (iris.comment(first.ref, f"hello {MARK}", marker=MARK) for _ in range(2))
    assert said.id == same.id
    iris.edit_comment(first.ref, said.id, f"goodbye {MARK}")
    assert [comment.body for comment in iris.comments(first.ref)] == [f"goodbye {MARK}"]
    for _ in range(2):
        iris.assign(first.ref, [town.login("ops")])
    iris.assign(first.ref, [town.login("iris")])
    assert {user.login for user in iris.issue(first.ref).assignees} == {town.login("ops"), town.login("iris")}
    for _ in range(2):
        iris.close(first.ref)
    assert not iris.issue(first.ref).is_open
    kinds = [row.kind for row in iris.timeline(first.ref)]
    assert kinds == ["comment", "assignees", "assignees", "close"]
    assert iris.sees_subjects(repo)
    reopened = iris.open_issue(repo, "squeaks", f"again {MARK}", marker=MARK)
    assert reopened.ref != first.ref


def test_readers_do_not_assign(town: Town) -> None:
    """Who may not assign is refused, though the forge drops the wish in silence; nobody is nobody."""
    repo = town.repo()
    town.admin.ensure_collaborator(repo, town.login("eve"), "read")
    issue = town.eve.open_issue(repo, "t", MARK, marker=MARK)
    with pytest.raises(Refused, match="may not be assigned: iris"):
        town.eve.assign(issue.ref, [town.login("iris")])
    with pytest.raises(NotFound):
        town.ops.assign(issue.ref, ["nobody-here"])
    assert town.ops.issue(issue.ref).assignees == ()


def test_labels(town: Town) -> None:
    """Labels come and go by name, of the repository and its organisation, and nothing is written in vain."""
    repo = town.repo()
    for label in (Label("bug"), Label("state/todo", exclusive=True), Label("state/doing", exclusive=True)):
        town.admin.ensure_label(repo, label)
    town.raw.post(f"/orgs/{town.org}/labels", name=f"urgent-{repo.name}", color="#ff0000")
    ref = town.ops.open_issue(repo, "t", MARK, marker=MARK).ref
    town.ops.label(ref, add=["bug", "state/todo", f"urgent-{repo.name}"])
    town.ops.label(ref, add=["state/doing"], remove=["bug"])
    assert set(town.ops.issue(ref).labels) == {"state/doing", f"urgent-{repo.name}"}
    rows = town.ops.timeline(ref)
    town.ops.label(ref, add=["state/doing"], remove=["bug"])
    assert town.ops.timeline(ref) == rows
    assert {(row.label, row.removed) for row in rows} >= {("bug", False), ("bug", True), ("state/doing", False)}
    with pytest.raises(Invalid, match=r"no label state/done$"):
        town.ops.label(ref, add=["state/done", "bug"])
    assert town.ops.timeline(ref) == rows


def test_what_changed(town: Town) -> None:
    """A sweep finds what changed, issues and pull requests alike, and nothing that did not."""
    repo = town.repo()
    issue = town.ops.open_issue(repo, "t", MARK, marker=MARK)
    pull = town.pull(repo)
    assert {found.ref for found in town.ops.changed_since(repo, issue.updated_at)} == {issue.ref, pull}
    assert [found.is_pull for found in town.ops.changed_since(repo, issue.updated_at) if found.ref == pull] == [True]
    assert town.ops.changed_since(repo, datetime.now(UTC) + timedelta(hours=1)) == []


def test_editing(town: Town) -> None:
    """A title and a text are changed when they differ, closed is opened again, and nothing is done twice."""
    repo, ops = town.repo(), town.ops
    for ref in (ops.open_issue(repo, "squeaks", MARK, marker=MARK).ref, town.pull(repo)):
        for _ in range(2):
            ops.edit(ref, title="it squeaks", body="oil it")
        ops.edit(ref, body="oil it well")
        assert (ops.issue(ref).title, ops.issue(ref).body) == ("it squeaks", "oil it well")
        ops.close(ref)
        for _ in range(2):
            ops.reopen(ref)
        assert ops.issue(ref).is_open
        kinds = [row.kind for row in ops.timeline(ref)]
        assert [kinds.count(kind) for kind in ("change_title", "close", "reopen")] == [1, 1, 1]
    with pytest.raises(Refused):
        town.eve.edit(ops.open_issue(town.repo_for("eve"), "t", MARK, marker=MARK).ref, title="mine")


def test_comments_by_id(town: Town) -> None:
    """A comment is found, changed and taken away by its id, and taking it away twice is once."""
    repo = town.repo()
    for ref in (town.ops.open_issue(repo, "t", MARK, marker=MARK).ref, town.pull(repo)):
        said = town.ops.comment(ref, MARK, marker=MARK)
        assert town.iris.comment_by_id(ref, said.id) == said
        for _ in range(2):
            town.ops.edit_comment(ref, said.id, f"better {MARK}")
        assert town.iris.comment_by_id(ref, said.id).body == f"better {MARK}"
        for _ in range(2):
            town.ops.delete_comment(ref, said.id)
        assert town.iris.comments(ref) == []
        with pytest.raises(NotFound):
            town.iris.comment_by_id(ref, said.id)
        with pytest.raises(NotFound):
            town.ops.edit_comment(ref, said.id, "again")


def test_reactions(town: Town) -> None:
    """A reaction is there or not, on an issue, a pull request and a comment; a word that is none is refused."""
    repo, iris = town.repo(), town.iris
    issue, pull = town.ops.open_issue(repo, "t", MARK, marker=MARK).ref, town.pull(repo)
    comment = town.ops.comment(issue, MARK, marker=MARK).id
    for ref, where in ((issue, 0), (pull, 0), (issue, comment)):
        assert iris.reactions(ref, where) == []
        for _ in range(2):
            iris.react(ref, "eyes", comment_id=where)
            town.ops.react(ref, "+1", comment_id=where)
        found = {(each.user.login, each.content) for each in iris.reactions(ref, where)}
        assert found == {(town.login("iris"), "eyes"), (town.login("ops"), "+1")}
        for _ in range(2):
            iris.unreact(ref, "eyes", comment_id=where)
            iris.unreact(ref, "+1", comment_id=where)
        assert [(each.user.login, each.content) for each in iris.reactions(ref, where)] == [(town.login("ops"), "+1")]
        with pytest.raises(Refused, match="robot"):
            iris.react(ref, "robot", comment_id=where)


def test_unassigning(town: Town) -> None:
    """Some are taken off, the others stay."""
    ref = town.ops.open_issue(town.repo(), "t", MARK, marker=MARK).ref
    town.ops.assign(ref, [town.login("ops"), town.login("iris")])
    for _ in range(2):
        town.ops.unassign(ref, [town.login("iris").upper(), "nobody-here"])
    assert [user.login for user in town.ops.issue(ref).assignees] == [town.login("ops")]
    town.ops.unassign(ref, [town.login("ops")])
    assert town.ops.issue(ref).assignees == ()
    assert [row.kind for row in town.ops.timeline(ref)].count("assignees") == 4


def test_milestones(town: Town) -> None:
    """A milestone is made once, set by its title and cleared, on issues and pull requests."""
    repo, ops = town.repo(), town.ops
    for title in ("spring", "spring cleaning", "spring"):
        ops.ensure_milestone(repo, title, description="soon")
    at = route("repos", *repo.path.split("/"), "milestones")
    assert sorted(row["title"].text() for row in town.raw.rows(at)) == ["spring", "spring cleaning"]
    for ref in (ops.open_issue(repo, "t", MARK, marker=MARK).ref, town.pull(repo)):
        for title in ("spring cleaning", "spring", "spring", ""):
            ops.set_milestone(ref, title)
            assert ops.issue(ref).milestone == title
        assert [row.kind for row in ops.timeline(ref)].count("milestone") == 3
        with pytest.raises(Invalid, match="no milestone 'sprin'"):
            ops.set_milestone(ref, "sprin")
    spring = next(row for row in town.raw.rows(at) if row["title"].text() == "spring")["id"].number()
    town.raw.patch(f"{at}/{spring}", state="closed")
    ops.ensure_milestone(repo, "spring")
    assert town.raw.get(f"{at}/{spring}")["state"].text() == "open"


def test_what_strangers_may_not_set(town: Town) -> None:
    """What the forge drops in silence is refused aloud, on an issue of one's own too."""
    repo = town.repo_for("eve")
    town.ops.ensure_milestone(repo, "spring")
    ref = town.eve.open_issue(repo, "t", MARK, marker=MARK).ref
    with pytest.raises(Refused):
        town.eve.set_milestone(ref, "spring")
    with pytest.raises(Refused):
        town.eve.set_due(ref, date(2030, 1, 2))
    with pytest.raises(Refused):
        town.eve.pin(ref)
    assert (town.ops.issue(ref).milestone, town.ops.issue(ref).due) == ("", None)


def test_due_days(town: Town) -> None:
    """A day is a day, whatever the forge makes of its hours."""
    ref = town.ops.open_issue(town.repo(), "t", MARK, marker=MARK).ref
    for day in (date(2030, 1, 2), date(2030, 1, 2), date(2031, 12, 31), None, None):
        town.ops.set_due(ref, day)
        assert town.ops.issue(ref).due == day
    kinds = [row.kind for row in town.ops.timeline(ref)]
    assert len([kind for kind in kinds if "deadline" in kind]) == 3


def test_pins(town: Town) -> None:
    """An issue is pinned or not."""
    ref = town.ops.open_issue(town.repo(), "t", MARK, marker=MARK).ref
    for _ in range(2):
        town.ops.pin(ref)
    assert town.iris.issue(ref).pinned
    for _ in range(2):
        town.ops.unpin(ref)
    assert not town.iris.issue(ref).pinned
    assert [row.kind for row in town.ops.timeline(ref)] == ["pin", "unpin"]


def test_dependencies(town: Town) -> None:
    """What waits for another cannot be closed before it; two do not wait for each other."""
    repo, ops = town.repo(), town.ops
    first, second = (ops.open_issue(repo, f"t{n}", f"{MARK}{n}", marker=f"{MARK}{n}").ref for n in range(2))
    for _ in range(2):
        ops.depend(second, first)
    assert (ops.dependencies(second), ops.dependencies(first)) == ([first], [])
    with pytest.raises(Conflict, match="wait for each other"):
        ops.depend(first, second)
    with pytest.raises(Conflict, match="still has open dependencies"):
        ops.close(second)
    with pytest.raises(NotFound):
        ops.depend(first, Ref(repo, 999))
    for _ in range(2):
        ops.undepend(second, first)
    assert ops.dependencies(second) == []
    ops.close(second)


def test_labels_that_exclude_each_other(town: Town) -> None:
    """One of a scope is on an issue; who asks for two at once is told so, and nothing is written."""
    repo = town.repo()
    for name in ("state/todo", "state/doing", "area/todo"):
        town.admin.ensure_label(repo, Label(name, exclusive=True))
    ref = town.ops.open_issue(repo, "t", MARK, marker=MARK).ref
    town.ops.label(ref, add=["state/todo", "area/todo"])
    with pytest.raises(Invalid, match="exclude each other: state/doing, state/todo"):
        town.ops.label(ref, add=["state/doing", "state/todo"])
    assert set(town.ops.issue(ref).labels) == {"state/todo", "area/todo"}
    for _ in range(2):
        town.ops.label(ref, add=["state/doing"])
    assert set(town.ops.issue(ref).labels) == {"state/doing", "area/todo"}


def test_notifications(town: Town) -> None:
    """Who is assigned hears of what comes until it is read; nobody hears of what they did themselves."""
    repo, start = town.repo(), datetime.now(UTC) - timedelta(minutes=5)
    ref = town.ops.open_issue(repo, "t", MARK, marker=MARK).ref
    town.ops.assign(ref, [town.login("iris")])
    town.ops.comment(ref, f"look {MARK}", marker=MARK)
    [notice] = town.until(lambda: some([each for each in town.iris.notifications(start) if each.ref == ref]))
    assert notice.unread
    assert town.iris.notifications(notice.updated_at + timedelta(hours=1)) == []
    assert ref not in {each.ref for each in town.ops.notifications(start)}
    town.iris.mark_read(datetime.now(UTC) + timedelta(minutes=5))
    assert ref not in {each.ref for each in town.iris.notifications(start) if each.unread}
