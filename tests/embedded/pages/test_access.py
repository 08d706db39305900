"""Who sees which page, and who finds which form on it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from forge.embedded.pages import PAGES
from forge.embedded.pages.visit import Page
from forge.embedded.services import orgs, people, repos

if TYPE_CHECKING:
    from tests.embedded.pages.conftest import Village

OF_REPOS = [page for page in PAGES if page.line.startswith("GET ~")]


def _path(village: Village, page: Page) -> str:
    """An address of a page that is there."""
    pull = village.pull()
    parts = {"<owner>/<repo>": village.repo["full_name"], "<number>": str(pull["number"]), "<sha>": village.head(pull)}
    parts |= {"<kind>": "branch", "<path:rest>": "main/README.md", "<path:range>": "main...topic"}
    return functools.reduce(lambda path, part: path.replace(*part), parts.items(), page.path)


@pytest.mark.parametrize("page", OF_REPOS, ids=lambda page: page.line)
def test_private_repositories_are_not_there(village: Village, page: Page) -> None:
    """A private repository looks to strangers exactly as one that does not exist."""
    path = _path(village, page)
    repos.edit(village.site, village.user("mara"), village.repo, {"private": True})
    for stranger in (village.eve, village.nobody):
        hidden, absent = stranger.open(path), stranger.open(path.replace("/app", "/nothing", 1))
        assert (hidden.status, hidden.path) == (404, path)
        assert (absent.status, absent.words) == (404, hidden.words)
    assert village.mara.open(path).status == 200


def test_the_front_page(village: Village) -> None:
    """The front page and an owner's page list what the viewer may see, and count what is open."""
    secret = repos.create(village.site, village.user("mara"), village.org, "secret", private=True, description="hush")
    village.issue("Seen by all")
    village.pull()
    for path in ("/", f"/{village.org['login']}"):
        for browser, sees in ((village.iris, True), (village.eve, False), (village.nobody, False)):
            page = browser.open(path)
            assert village.home in page.links
            assert (f"/{secret['full_name']}" in page.links) is sees
            assert f"{village.home}/issues/1" in page.links
    titles = [about.get("title") for _, about in village.nobody.open(f"/{village.org['login']}").tags]
    assert "1 open issues" in titles
    assert "1 open pull requests" in titles


def test_lately_hides_what_is_hidden(village: Village) -> None:
    """What happened lately is told to those only who may see it."""
    village.issue("A secret plan")
    repos.edit(village.site, village.user("mara"), village.repo, {"private": True})
    assert "A secret plan" in village.iris.open("/").words
    assert "A secret plan" not in village.eve.open("/").words


def test_units(village: Village) -> None:
    """Who may see the issues only sees neither code nor pull requests, and no tab for them."""
    repos.edit(village.site, village.user("mara"), village.repo, {"private": True})
    issue, pull = village.issue(), village.pull()
    units = {"repo.issues": "read"}
    team = orgs.create_team(village.site, village.org, "callers", permission="read", units=units, all_repos=True)
    orgs.join(village.site, team, village.user("eve"))
    page = village.eve.open(f"{village.home}/issues/{issue['number']}")
    assert page.status == 200
    assert f"{village.home}/pulls" not in page.links
    for hidden in (
        "",
        "/src/branch/main",
        "/commits/branch/main",
        "/pulls",
        f"/pulls/{pull['number']}",
        f"/issues/{pull['number']}",
    ):
        assert village.eve.open(village.home + hidden).status == 404, hidden


def test_a_reader_finds_no_forms_of_writers(village: Village) -> None:
    """Labels, assignees and the state of others' issues are a writer's, in the page and behind it."""
    issue, label = village.issue(), village.label("type/bug")
    path = f"{village.home}/issues/{issue['number']}"
    assert village.core.open(path).has_form("/labels")
    page = village.iris.open(path)
    assert page.has_form("/comments")
    assert ("status", "close") not in page.form("/comments").buttons
    assert not page.has_form("/labels")
    assert not page.has_form("/assignees")
    token = [("_csrf", village.iris.token())]
    for rest, field in (
        ("labels", ("labels", str(label["id"]))),
        ("assignees", ("assignees", "iris")),
        ("comments", ("status", "close")),
    ):
        assert village.iris.open(f"{path}/{rest}", [*token, field]).status == 403
    assert village.site.state.rows("SELECT 1 FROM issue_labels WHERE issue_id = ?", issue["id"]) == []
    assert village.now(issue)["closed"] is None


def test_nobody_is_sent_to_sign_in(village: Village) -> None:
    """Who is not signed in reads, and is sent to sign in when he wants to take part."""
    issue = village.issue()
    page = village.nobody.open(f"{village.home}/issues/{issue['number']}")
    assert not page.has_form("/comments")
    assert f"/user/login?redirect_to={village.home}/issues/{issue['number']}" in page.links
    answer = village.nobody.open(
        f"{village.home}/issues/{issue['number']}/comments", [("_csrf", village.nobody.token())]
    )
    assert answer.path.startswith("/user/login")


def test_an_archived_repository(village: Village) -> None:
    """An archived repository is read and not written: no forms, and no deeds."""
    issue, pull = village.issue(), village.pull()
    token = [("_csrf", village.mara.token()), ("content", "x"), ("title", "x")]
    repos.edit(village.site, village.user("mara"), village.repo, {"archived": True})
    for path in (f"/issues/{issue['number']}", f"/pulls/{pull['number']}", f"/pulls/{pull['number']}/files"):
        page = village.mara.open(village.home + path)
        assert page.status == 200
        assert [form for form in ("/comments", "/labels", "/merge", "/reviews") if page.has_form(form)] == []
    answer = village.mara.open(f"{village.home}/issues/{issue['number']}/comments", token)
    assert answer.status == 423
    assert "archived" in answer.words


def test_other_names(village: Village) -> None:
    """A former name, a name in other letters and the address of a clone lead to the repository, but only who may see it."""
    village.issue()
    for other in (village.home.upper(), f"{village.home}.git"):
        assert village.iris.open(f"{other}/issues/1?part=x").path == f"{village.home}/issues/1?part=x"
    repos.edit(village.site, village.user("mara"), village.repo, {"name": "honey", "private": True})
    assert village.iris.open(f"{village.home}/issues").path == f"/{village.org['login']}/honey/issues"
    assert village.eve.open(f"{village.home}/issues").path == f"{village.home}/issues"


def test_a_former_login(village: Village) -> None:
    """The page of a user is found by his former name."""
    user = people.create(village.site, f"old-{village.org['login']}", "x", email="")
    people.rename(village.site, user, f"new-{village.org['login']}")
    assert village.nobody.open(f"/old-{village.org['login']}").path == f"/new-{village.org['login']}"
    assert village.nobody.open("/nobody-of-that-name").status == 404


def test_what_is_not_there(village: Village) -> None:
    """What is not there is told in the same look, and the API keeps its own words."""
    for path in (
        "/a/b/c/d",
        f"{village.home}/nothing",
        f"{village.home}/issues/999",
        f"{village.home}/issues/x",
        f"{village.home}/issues/1/labels",
    ):
        page = village.mara.open(path)
        assert (page.status, page.has_form("/logout")) == (404, True), path
        assert "An embedded forge for trying out, tests and demos." in page.words
    assert village.mara.open("/api/v1/nothing").text == "404 page not found\n"
