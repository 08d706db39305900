"""Issues in a browser: filing, commenting, labelling, assigning, filtering."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from forge.embedded.services import comments, issues, labels

if TYPE_CHECKING:
    from tests.embedded.pages.conftest import ForgeEnv


def test_filing(env: ForgeEnv) -> None:
    """Filing an issue leads to its page; only writers can choose labels and assignees."""
    bug, app = env.label("type/bug"), env.label("area/app")
    typed = {
        "title": "  It is broken ",
        "content": "Look:\r\n\r\n- here",
        "label_ids": [bug["id"], app["id"]],
        "assignees": ["iris"],
    }
    page = env.core.send(f"{env.home}/issues/new", "/issues/new", **typed)
    assert (page.answers, page.path) == ([303, 200], f"{env.home}/issues/1")
    issue = issues.get(env.site, env.repo, 1)
    assert (issue["title"], issue["body"]) == ("It is broken", "Look:\n\n- here")
    assert [label["name"] for label in labels.on(env.site, issue)] == ["area/app", "type/bug"]
    assert "core assigned iris" in page.words
    form = env.iris.open(f"{env.home}/issues/new").form("/issues/new")
    assert {name for name, _ in form.fields} == {"_csrf", "title", "content"}
    env.iris.send(f"{env.home}/issues/new", "/issues/new", **typed)
    assert labels.on(env.site, issues.get(env.site, env.repo, 2)) == []


@pytest.mark.parametrize("title", ["", "   "])
def test_filing_without_a_title(env: ForgeEnv, title: str) -> None:
    """An issue without a title is refused, and the form keeps its values."""
    bug = env.label("type/bug")
    typed = {"title": title, "content": "All\nof <this>", "label_ids": [bug["id"]], "assignees": ["core"]}
    page = env.core.send(f"{env.home}/issues/new", "/issues/new", **typed)
    assert page.status == 422
    assert "An issue needs a title." in page.words
    kept = dict(page.form("/issues/new").fields)
    assert (kept["content"], kept["label_ids"], kept["assignees"]) == ("All\nof <this>", str(bug["id"]), "core")
    assert issues.find(env.site, env.repo, 1) is None


def test_filing_for_a_stranger(env: ForgeEnv) -> None:
    """What the services refuse is shown with their message."""
    env.site.state.update("repos", env.repo["id"], private=1)
    page = env.core.send(f"{env.home}/issues/new", "/issues/new", title="x", assignees=["eve"])
    assert page.status == 422
    assert "user doesn't have access to repo" in page.words


def test_talking(env: ForgeEnv) -> None:
    """A comment is shown; an issue is closed and reopened with a comment or without one."""
    issue = env.issue(by="iris")
    path = f"{env.home}/issues/{issue['number']}"
    page = env.eve.send(path, "/comments", content="**Me** too")
    assert page.answers == [303, 200]
    assert ("strong", {}) in page.tags
    assert ("status", "close") in env.iris.open(path).form("/comments").buttons
    page = env.iris.send(path, "/comments", content="Mended.", status="close")
    assert "iris closed this" in page.words
    assert "Closed" in page.words
    assert ("status", "reopen") in page.form("/comments").buttons
    page = env.core.send(path, "/comments", status="reopen")
    assert "core reopened this" in page.words
    said = [row["body"] for row in comments.of_issue(env.site, issue)]
    assert said == ["**Me** too", "Mended."]
    assert "A comment needs a text." in env.eve.send(path, "/comments", content=" ").words


def test_an_unknown_state(env: ForgeEnv) -> None:
    """A comment with an unknown state changes no state."""
    issue = env.issue()
    env.core.send(f"{env.home}/issues/1", "/comments", content="x", status="explode")
    assert env.now(issue)["closed"] is None


def test_what_is_refused_keeps_the_words(env: ForgeEnv) -> None:
    """Closing an issue with open dependencies is refused: nothing is posted, and the form keeps its text."""
    issue, other = env.issue(), env.issue("Another")
    issues.add_dependency(env.site, env.user("core"), issue, other)
    page = env.core.send(f"{env.home}/issues/1", "/comments", content="Done.", status="close")
    assert page.status == 412
    assert "cannot close this issue because it still has open dependencies" in page.words
    assert dict(page.form("/comments").fields)["content"] == "Done."
    assert comments.of_issue(env.site, issue) == []
    page = env.iris.open(
        f"{env.home}/issues/1/comments",
        [("_csrf", env.iris.token()), ("content", "Mine."), ("status", "close")],
    )
    assert page.status == 403
    assert dict(page.form("/comments").fields)["content"] == "Mine."


def test_labels_and_assignees(env: ForgeEnv) -> None:
    """The forms in the sidebar set exactly what is checked, and show what is set."""
    issue = env.issue()
    bug, feature = (env.label(name, exclusive=True) for name in ("type/bug", "type/feature"))
    app = env.label("app", "0b3d2e")
    path = f"{env.home}/issues/1"
    page = env.core.send(path, "/labels", labels=[bug["id"], app["id"]])
    assert page.answers == [303, 200]
    assert [value for name, value in page.form("/labels").fields if name == "labels"] == [
        str(app["id"]),
        str(bug["id"]),
    ]
    env.core.fill(page, "/labels", labels=[feature["id"], bug["id"], app["id"]])
    assert [label["name"] for label in labels.on(env.site, issue)] == ["app", "type/feature"]
    page = env.core.send(path, "/labels", labels=[])
    assert labels.on(env.site, issue) == []
    assert "and removed type bug" in page.words
    page = env.core.send(path, "/assignees", assignees=["iris", "core"])
    assert [value for name, value in page.form("/assignees").fields if name == "assignees"] == ["core", "iris"]
    page = env.core.send(path, "/assignees", assignees=["core"])
    assert "and unassigned iris" in page.words
    token = [("_csrf", env.core.token())]
    assert env.core.open(f"{path}/assignees", [*token, ("assignees", "nobody-here")]).status == 422


def test_the_course_of_things(env: ForgeEnv) -> None:
    """A conversation shows comments and events in order, each with its author."""
    site, core = env.site, env.user("core")
    issue, bug, app = env.issue("First"), env.label("type/bug"), env.label("area/app")
    other = env.issue("Second")
    labels.add(site, core, issue, [bug["id"], app["id"]])
    issues.assign(site, core, issue, core)
    issues.set_title(site, core, issue, "First of all")
    comments.create(site, env.user("iris"), other, f"See #{issue['number']}.")
    env.commit({"x": "x"}, message=f"Mend\n\nfixes #{issue['number']}")
    issues.pin(site, core, issue, pinned=True)
    issues.set_due(site, core, issue, 1_800_000_000)
    issues.add_dependency(site, core, issue, other)
    words = env.nobody.open(f"{env.home}/issues/{issue['number']}").words
    order = [
        "core added type bug area app", "core self-assigned this", "core changed the title from First to First of all",
        "iris mentioned this in Second #2", "core mentioned this in the commit Mend", "core closed this", "core pinned this",
        "core set the deadline to 2027-01-15", "core added a dependency: Second #2",
    ]  # fmt: skip
    assert sorted(order, key=words.index) == order


def test_reactions(env: ForgeEnv) -> None:
    """Reactions are shown with their authors."""
    issue = env.issue()
    said = comments.create(env.site, env.user("eve"), issue, "Hello")
    comments.react(env.site, env.user("iris"), issue, "heart")
    comments.react(env.site, env.user("iris"), issue, "rocket", comment_id=said["id"])
    comments.react(env.site, env.user("core"), issue, "rocket", comment_id=said["id"])
    page = env.nobody.open(f"{env.home}/issues/1")
    assert ("span", {"title": "iris"}) in page.tags
    assert ("span", {"title": "iris, core"}) in page.tags
    assert "🚀 2" in page.words


def test_finding(env: ForgeEnv) -> None:
    """Lists are filtered by label, assignee, title and state, and show counts."""
    bug = env.label("type/bug")
    env.issue("Honey is gone", labels=[bug["id"]])
    env.issue("Wax is gone", assignees=["iris"])
    closed = env.issue("Honey is back", labels=[bug["id"]])
    issues.set_state(env.site, env.user("core"), closed, closed=True)
    env.pull(title="Honey pull")

    def found(query: str) -> set[str]:
        words = env.nobody.open(f"{env.home}/issues{query}").words
        return {title for title in ("Honey is gone", "Wax is gone", "Honey is back", "Honey pull") if title in words}

    assert found("") == {"Honey is gone", "Wax is gone"}
    assert found("?state=closed") == {"Honey is back"}
    assert found("?label=type%2Fbug") == {"Honey is gone"}
    assert found("?assignee=iris") == {"Wax is gone"}
    assert found("?q=honey") == {"Honey is gone"}
    assert found("?q=honey&state=closed&label=type%2Fbug") == {"Honey is back"}
    for unknown in ("?label=nothing", "?assignee=nobody-here", "?q=nothing"):
        assert found(unknown) == set()
    assert "1 open 1 closed" in env.nobody.open(f"{env.home}/issues?q=honey").words
    assert "Honey pull" in env.nobody.open(f"{env.home}/pulls").words


def test_long_lists(env: ForgeEnv) -> None:
    """A long list is paginated, and its pages keep the filters."""
    for number in range(27):
        env.issue(f"number {number} of honey")
    env.issue("wax")
    page = env.nobody.open(f"{env.home}/issues?q=honey")
    assert "number 26" in page.words
    assert "number 1 of" not in page.words
    assert "?q=honey&page=2" in page.links
    assert "number 1 of" in env.nobody.open(f"{env.home}/issues?q=honey&page=2").words
    assert env.nobody.open(f"{env.home}/issues?page=0x").status == 200


def test_the_living_part(env: ForgeEnv) -> None:
    """Live reload gets the changed parts only after a change, and never the comment field."""
    issue = env.issue()
    path = f"{env.home}/issues/1?part=live"
    part = env.core.open(path)
    assert "<html" not in part.text
    assert not part.has_form("/comments")
    mark = part.headers["ETag"]
    assert env.core.raw(path, If_None_Match=mark).status == 304
    bug = env.label("type/bug")
    for action in (
        lambda: labels.add(env.site, env.user("core"), issue, [bug["id"]]),
        lambda: issues.assign(env.site, env.user("core"), issue, env.user("iris")),
        lambda: comments.create(env.site, env.user("iris"), issue, "I am at it."),
        lambda: comments.react(env.site, env.user("iris"), issue, "heart"),
        lambda: issues.set_state(env.site, env.user("core"), env.now(issue), closed=True),
    ):
        action()
        answer = env.core.raw(path, If_None_Match=mark)
        assert answer.status == 200
        mark = answer.headers["ETag"]
    assert "I am at it." in env.core.open(path).words
