"""Issues at a browser: filing, talking, labelling, assigning, finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from forge.embedded.services import comments, issues, labels

if TYPE_CHECKING:
    from tests.embedded.pages.conftest import Village


def test_filing(village: Village) -> None:
    """Who files an issue comes to its page; labels and assignees are a writer's choice."""
    bug, app = village.label("type/bug"), village.label("area/app")
    typed = {
        "title": "  It is broken ",
        "content": "Look:\r\n\r\n- here",
        "label_ids": [bug["id"], app["id"]],
        "assignees": ["iris"],
    }
    page = village.core.send(f"{village.home}/issues/new", "/issues/new", **typed)
    assert (page.answers, page.path) == ([303, 200], f"{village.home}/issues/1")
    issue = issues.get(village.site, village.repo, 1)
    assert (issue["title"], issue["body"]) == ("It is broken", "Look:\n\n- here")
    assert [label["name"] for label in labels.on(village.site, issue)] == ["area/app", "type/bug"]
    assert "core assigned iris" in page.words
    form = village.iris.open(f"{village.home}/issues/new").form("/issues/new")
    assert {name for name, _ in form.fields} == {"_csrf", "title", "content"}
    village.iris.send(f"{village.home}/issues/new", "/issues/new", **typed)
    assert labels.on(village.site, issues.get(village.site, village.repo, 2)) == []


@pytest.mark.parametrize("title", ["", "   "])
def test_filing_without_a_title(village: Village, title: str) -> None:
    """An issue without a title is refused, and nothing that was typed or chosen is lost."""
    bug = village.label("type/bug")
    typed = {"title": title, "content": "All\nof <this>", "label_ids": [bug["id"]], "assignees": ["core"]}
    page = village.core.send(f"{village.home}/issues/new", "/issues/new", **typed)
    assert page.status == 422
    assert "An issue needs a title." in page.words
    kept = dict(page.form("/issues/new").fields)
    assert (kept["content"], kept["label_ids"], kept["assignees"]) == ("All\nof <this>", str(bug["id"]), "core")
    assert issues.find(village.site, village.repo, 1) is None


def test_filing_for_a_stranger(village: Village) -> None:
    """What the forge's rules refuse is told in its words."""
    village.site.state.update("repos", village.repo["id"], private=1)
    page = village.core.send(f"{village.home}/issues/new", "/issues/new", title="x", assignees=["eve"])
    assert page.status == 422
    assert "user doesn't have access to repo" in page.words


def test_talking(village: Village) -> None:
    """A comment appears; with it, or without one, an issue is closed and opened again."""
    issue = village.issue(by="iris")
    path = f"{village.home}/issues/{issue['number']}"
    page = village.eve.send(path, "/comments", content="**Me** too")
    assert page.answers == [303, 200]
    assert ("strong", {}) in page.tags
    assert ("status", "close") in village.iris.open(path).form("/comments").buttons
    page = village.iris.send(path, "/comments", content="Mended.", status="close")
    assert "iris closed this" in page.words
    assert "Closed" in page.words
    assert ("status", "reopen") in page.form("/comments").buttons
    page = village.core.send(path, "/comments", status="reopen")
    assert "core reopened this" in page.words
    said = [row["body"] for row in comments.of_issue(village.site, issue)]
    assert said == ["**Me** too", "Mended."]
    assert "A comment needs words." in village.eve.send(path, "/comments", content=" ").words


def test_an_unknown_state(village: Village) -> None:
    """A comment with a word that is no state changes no state."""
    issue = village.issue()
    village.core.send(f"{village.home}/issues/1", "/comments", content="x", status="explode")
    assert village.now(issue)["closed"] is None


def test_what_is_refused_keeps_the_words(village: Village) -> None:
    """Closing what has open dependencies is refused; the comment is said, and words that are not are kept."""
    issue, other = village.issue(), village.issue("Another")
    issues.add_dependency(village.site, village.user("core"), issue, other)
    page = village.core.send(f"{village.home}/issues/1", "/comments", content="Done.", status="close")
    assert page.status == 412
    assert "cannot close this issue because it still has open dependencies" in page.words
    assert [row["body"] for row in comments.of_issue(village.site, issue)] == ["Done."]
    page = village.iris.open(
        f"{village.home}/issues/1/comments",
        [("_csrf", village.iris.token()), ("content", "Mine."), ("status", "close")],
    )
    assert page.status == 403
    assert dict(page.form("/comments").fields)["content"] == "Mine."


def test_labels_and_assignees(village: Village) -> None:
    """The forms at the side set exactly what is ticked, and show what is."""
    issue = village.issue()
    bug, feature = (village.label(name, exclusive=True) for name in ("type/bug", "type/feature"))
    app = village.label("app", "0b3d2e")
    path = f"{village.home}/issues/1"
    page = village.core.send(path, "/labels", labels=[bug["id"], app["id"]])
    assert page.answers == [303, 200]
    assert [value for name, value in page.form("/labels").fields if name == "labels"] == [
        str(app["id"]),
        str(bug["id"]),
    ]
    village.core.fill(page, "/labels", labels=[feature["id"], bug["id"], app["id"]])
    assert [label["name"] for label in labels.on(village.site, issue)] == ["app", "type/feature"]
    page = village.core.send(path, "/labels", labels=[])
    assert labels.on(village.site, issue) == []
    assert "and removed type bug" in page.words
    page = village.core.send(path, "/assignees", assignees=["iris", "core"])
    assert [value for name, value in page.form("/assignees").fields if name == "assignees"] == ["core", "iris"]
    page = village.core.send(path, "/assignees", assignees=["core"])
    assert "and unassigned iris" in page.words
    token = [("_csrf", village.core.token())]
    assert village.core.open(f"{path}/assignees", [*token, ("assignees", "nobody-here")]).status == 422


def test_the_stylesheet_of_labels(village: Village) -> None:
    """The colours of labels come as a stylesheet that is named by them."""
    village.label("a", "ff0000")
    village.label("b", "00ff00")
    page = village.nobody.open(f"{village.home}/issues")
    (place,) = (about["href"] for tag, about in page.tags if tag == "link" and "labels" in about["href"])
    assert place == "/assets/labels/00ff00-ff0000.css"
    css = village.nobody.open(place)
    assert css.headers["Content-Type"].startswith("text/css")
    assert ".l-ff0000{" in css.text
    assert village.nobody.open("/assets/labels/red;}body{x.css").status == 404


def test_the_course_of_things(village: Village) -> None:
    """A conversation tells in order what was said and what happened, and who did it."""
    site, core = village.site, village.user("core")
    issue, bug, app = village.issue("First"), village.label("type/bug"), village.label("area/app")
    other = village.issue("Second")
    labels.add(site, core, issue, [bug["id"], app["id"]])
    issues.assign(site, core, issue, core)
    issues.set_title(site, core, issue, "First of all")
    comments.create(site, village.user("iris"), other, f"See #{issue['number']}.")
    village.commit({"x": "x"}, message=f"Mend\n\nfixes #{issue['number']}")
    issues.pin(site, core, issue, pinned=True)
    issues.set_due(site, core, issue, 1_800_000_000)
    issues.add_dependency(site, core, issue, other)
    words = village.nobody.open(f"{village.home}/issues/{issue['number']}").words
    order = [
        "core added type bug area app", "core took this on", "core changed the title from First to First of all",
        "iris mentioned this in Second #2", "core mentioned this in the commit Mend", "core closed this", "core pinned this",
        "core set the deadline to 2027-01-15", "core added a dependency: Second #2",
    ]  # fmt: skip
    assert sorted(order, key=words.index) == order


def test_reactions(village: Village) -> None:
    """Reactions are shown with who gave them."""
    issue = village.issue()
    said = comments.create(village.site, village.user("eve"), issue, "Hello")
    comments.react(village.site, village.user("iris"), issue, "heart")
    comments.react(village.site, village.user("iris"), issue, "rocket", comment_id=said["id"])
    comments.react(village.site, village.user("core"), issue, "rocket", comment_id=said["id"])
    page = village.nobody.open(f"{village.home}/issues/1")
    assert ("span", {"title": "iris"}) in page.tags
    assert ("span", {"title": "iris, core"}) in page.tags
    assert "🚀 2" in page.words


def test_finding(village: Village) -> None:
    """Lists are narrowed by a label, an assignee, words of the title and the state, and say how many there are."""
    bug = village.label("type/bug")
    village.issue("Honey is gone", labels=[bug["id"]])
    village.issue("Wax is gone", assignees=["iris"])
    closed = village.issue("Honey is back", labels=[bug["id"]])
    issues.set_state(village.site, village.user("core"), closed, closed=True)
    village.pull(title="Honey pull")

    def found(query: str) -> set[str]:
        words = village.nobody.open(f"{village.home}/issues{query}").words
        return {title for title in ("Honey is gone", "Wax is gone", "Honey is back", "Honey pull") if title in words}

    assert found("") == {"Honey is gone", "Wax is gone"}
    assert found("?state=closed") == {"Honey is back"}
    assert found("?label=type%2Fbug") == {"Honey is gone"}
    assert found("?assignee=iris") == {"Wax is gone"}
    assert found("?q=honey") == {"Honey is gone"}
    assert found("?q=honey&state=closed&label=type%2Fbug") == {"Honey is back"}
    for unknown in ("?label=nothing", "?assignee=nobody-here", "?q=nothing"):
        assert found(unknown) == set()
    assert "1 open 1 closed" in village.nobody.open(f"{village.home}/issues?q=honey").words
    assert "Honey pull" in village.nobody.open(f"{village.home}/pulls").words


def test_long_lists(village: Village) -> None:
    """A long list comes in pages that keep what it was narrowed by."""
    for number in range(27):
        village.issue(f"number {number} of honey")
    village.issue("wax")
    page = village.nobody.open(f"{village.home}/issues?q=honey")
    assert "number 26" in page.words
    assert "number 1 of" not in page.words
    assert "?q=honey&page=2" in page.links
    assert "number 1 of" in village.nobody.open(f"{village.home}/issues?q=honey&page=2").words
    assert village.nobody.open(f"{village.home}/issues?page=0x").status == 200


def test_the_living_part(village: Village) -> None:
    """What a page asks for again and again comes only when something changed, and without what somebody types in."""
    issue = village.issue()
    path = f"{village.home}/issues/1?part=live"
    part = village.core.open(path)
    assert "<html" not in part.text
    assert not part.has_form("/comments")
    mark = part.headers["ETag"]
    assert village.core.raw(path, If_None_Match=mark).status == 304
    bug = village.label("type/bug")
    for action in (
        lambda: labels.add(village.site, village.user("core"), issue, [bug["id"]]),
        lambda: issues.assign(village.site, village.user("core"), issue, village.user("iris")),
        lambda: comments.create(village.site, village.user("iris"), issue, "I am at it."),
        lambda: comments.react(village.site, village.user("iris"), issue, "heart"),
        lambda: issues.set_state(village.site, village.user("core"), village.now(issue), closed=True),
    ):
        action()
        answer = village.core.raw(path, If_None_Match=mark)
        assert answer.status == 200
        mark = answer.headers["ETag"]
    assert "I am at it." in village.core.open(path).words
