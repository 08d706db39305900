"""Who can open which page, and who gets which form on it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from forge.embedded.pages import PAGES
from forge.embedded.services import orgs, people, repos

if TYPE_CHECKING:
    from tests.embedded.pages.conftest import ForgeEnv

OF_REPOS = [page for page in PAGES if page.method == "GET" and page.path.startswith("~")]


def test_private_repositories_are_not_there(env: ForgeEnv) -> None:
    """A private repository looks to strangers exactly as one that does not exist."""
    pull = env.pull()
    parts = {"<owner>/<repo>": env.repo["full_name"], "<number>": str(pull["number"]), "<sha>": env.head(pull)}
    parts |= {"<kind>": "branch", "<path:rest>": "main/README.md", "<path:range>": "main...topic"}
    repos.edit(env.site, env.user("mara"), env.repo, {"private": True})
    for page in OF_REPOS:
        path = functools.reduce(lambda path, part: path.replace(*part), parts.items(), page.rule)
        for stranger in (env.eve, env.nobody):
            hidden, absent = stranger.open(path), stranger.open(path.replace("/app", "/nothing", 1))
            assert (hidden.status, hidden.path) == (404, path)
            assert (absent.status, absent.words) == (404, hidden.words)
        assert env.mara.open(path).status == 200, path


def test_the_front_page(env: ForgeEnv) -> None:
    """The front page and an owner's page list what the viewer may see, and count what is open."""
    secret = repos.create(env.site, env.user("mara"), env.org, "secret", private=True, description="hush")
    env.issue("Seen by all")
    env.pull()
    for path in ("/", f"/{env.org['login']}"):
        for browser, sees in ((env.iris, True), (env.eve, False), (env.nobody, False)):
            page = browser.open(path)
            assert env.home in page.links
            assert (f"/{secret['full_name']}" in page.links) is sees
            assert f"{env.home}/issues/1" in page.links
    titles = [about.get("title") for _, about in env.nobody.open(f"/{env.org['login']}").tags]
    assert "1 open issues" in titles
    assert "1 open pull requests" in titles


def test_lately_hides_what_is_hidden(env: ForgeEnv) -> None:
    """Recent activity shows only what the viewer may see."""
    env.issue("A secret plan")
    repos.edit(env.site, env.user("mara"), env.repo, {"private": True})
    assert "A secret plan" in env.iris.open("/").words
    assert "A secret plan" not in env.eve.open("/").words


def test_units(env: ForgeEnv) -> None:
    """Who may read issues only can open neither code nor pull requests, and gets no tab for them."""
    repos.edit(env.site, env.user("mara"), env.repo, {"private": True})
    issue, pull = env.issue(), env.pull()
    units = {"repo.issues": "read"}
    team = orgs.create_team(env.site, env.org, "callers", permission="read", units=units, all_repos=True)
    orgs.join(env.site, team, env.user("eve"))
    page = env.eve.open(f"{env.home}/issues/{issue['number']}")
    assert page.status == 200
    assert f"{env.home}/pulls" not in page.links
    for hidden in (
        "",
        "/src/branch/main",
        "/commits/branch/main",
        "/pulls",
        f"/pulls/{pull['number']}",
        f"/issues/{pull['number']}",
    ):
        assert env.eve.open(env.home + hidden).status == 404, hidden


def test_a_reader_finds_no_forms_of_writers(env: ForgeEnv) -> None:
    """Only writers change labels, assignees and the state of others' issues: readers get no form, and are refused."""
    issue, label = env.issue(), env.label("type/bug")
    path = f"{env.home}/issues/{issue['number']}"
    assert env.core.open(path).has_form("/labels")
    page = env.iris.open(path)
    assert page.has_form("/comments")
    assert ("status", "close") not in page.form("/comments").buttons
    assert not page.has_form("/labels")
    assert not page.has_form("/assignees")
    token = [("_csrf", env.iris.token())]
    for rest, field in (
        ("labels", ("labels", str(label["id"]))),
        ("assignees", ("assignees", "iris")),
        ("comments", ("status", "close")),
    ):
        assert env.iris.open(f"{path}/{rest}", [*token, field]).status == 403
    assert env.site.state.rows("SELECT 1 FROM issue_labels WHERE issue_id = ?", issue["id"]) == []
    assert env.now(issue)["closed"] is None


def test_nobody_is_sent_to_sign_in(env: ForgeEnv) -> None:
    """A stranger can read, and is redirected to the sign-in page when he comments."""
    issue = env.issue()
    page = env.nobody.open(f"{env.home}/issues/{issue['number']}")
    assert not page.has_form("/comments")
    assert f"/user/login?redirect_to={env.home}/issues/{issue['number']}" in page.links
    answer = env.nobody.open(f"{env.home}/issues/{issue['number']}/comments", [("_csrf", env.nobody.token())])
    assert answer.path.startswith("/user/login")


def test_an_archived_repository(env: ForgeEnv) -> None:
    """An archived repository is read-only: it shows no forms and refuses them."""
    issue, pull = env.issue(), env.pull()
    token = [("_csrf", env.mara.token()), ("content", "x"), ("title", "x")]
    repos.edit(env.site, env.user("mara"), env.repo, {"archived": True})
    for path in (f"/issues/{issue['number']}", f"/pulls/{pull['number']}", f"/pulls/{pull['number']}/files"):
        page = env.mara.open(env.home + path)
        assert page.status == 200
        assert [form for form in ("/comments", "/labels", "/merge", "/reviews") if page.has_form(form)] == []
    answer = env.mara.open(f"{env.home}/issues/{issue['number']}/comments", token)
    assert answer.status == 423
    assert "archived" in answer.words


def test_other_names(env: ForgeEnv) -> None:
    """A former name, a name in other case and the clone address redirect to the repository, for those who may see it."""
    env.issue()
    for other in (env.home.upper(), f"{env.home}.git"):
        assert env.iris.open(f"{other}/issues/1?part=x").path == f"{env.home}/issues/1?part=x"
    repos.edit(env.site, env.user("mara"), env.repo, {"name": "honey", "private": True})
    assert env.iris.open(f"{env.home}/issues").path == f"/{env.org['login']}/honey/issues"
    assert env.eve.open(f"{env.home}/issues").path == f"{env.home}/issues"


def test_a_former_login(env: ForgeEnv) -> None:
    """The page of a user is found by the former name."""
    user = people.create(env.site, f"old-{env.org['login']}", "x", email="")
    people.rename(env.site, user, f"new-{env.org['login']}")
    assert env.nobody.open(f"/old-{env.org['login']}").path == f"/new-{env.org['login']}"
    assert env.nobody.open("/nobody-of-that-name").status == 404


def test_what_is_not_there(env: ForgeEnv) -> None:
    """A missing page is a 404 in the design of the others; the API has its own."""
    for path in (
        "/a/b/c/d",
        f"{env.home}/nothing",
        f"{env.home}/issues/999",
        f"{env.home}/issues/x",
        f"{env.home}/issues/1/labels",
    ):
        page = env.mara.open(path)
        assert (page.status, page.has_form("/logout")) == (404, True), path
        assert "An embedded forge for trying out, tests and demos." in page.words
    assert env.mara.open("/api/v1/nothing").text == "404 page not found\n"
