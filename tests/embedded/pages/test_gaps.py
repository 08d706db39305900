"""Pages work when something is missing, deleted, or absurdly large."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from forge.embedded.git import ZERO
from forge.embedded.services import (
    comments,
    contents,
    issues,
    labels,
    orgs,
    people,
    pulls,
    pushes,
    removal,
    repos,
    reviews,
)
from forge.embedded.services.reviews import Remark
from forge.embedded.shapes import pulls as shapes

if TYPE_CHECKING:
    from tests.embedded.pages.conftest import ForgeEnv

HUGE = "9" * 30


def test_those_who_are_gone(env: ForgeEnv) -> None:
    """A conversation can be read after its users, labels, teams, comments and branches were deleted."""
    site, core, pull, other = env.site, env.user("core"), env.pull(), env.issue("Other")
    gone = people.create(site, f"gone-{env.org['login']}", "x", email="")
    team = orgs.create_team(site, env.org, "short", permission="read", units={}, all_repos=True)
    label = env.label("type/bug")
    labels.add(site, gone, pull, [label["id"]])
    issues.assign(site, core, pull, gone)
    reviews.request_team(site, core, pull, team)
    reviews.write(site, gone, pull, "APPROVED", "Well done.", remarks=[Remark("lines.txt", 20, "Fine.")])
    said = comments.create(site, gone, other, f"See #{pull['number']}")
    comments.delete(site, gone, said)
    contents.delete_branch(site, env.user("mara"), env.repo, "topic")
    labels.delete(site, label)
    orgs.delete_team(site, team)
    people.delete(site, gone)
    path = f"{env.home}/pulls/{pull['number']}"
    for place in (f"{path}/files", f"{path}/commits", f"{env.home}/issues", f"{env.home}/pulls?state=closed"):
        assert env.core.open(place).status == 200, place
    page = env.core.open(path)
    for words in (
        "Ghost approved these changes",
        "core requested a review from a former team",
        "Closed without a merge",
    ):
        assert words in page.words
    assert "its head branch is gone" in env.core.fill(page, "/comments", status="reopen").words


def test_a_fork_that_is_gone(env: ForgeEnv) -> None:
    """A pull request from a fork can be read after the fork was deleted."""
    site, eve = env.site, env.user("eve")
    fork = repos.fork(site, eve, env.repo, eve, f"fork-{env.org['login']}")
    git, who = site.git(fork), repos.signature(site, eve)
    sha = git.write_commit("main^{tree}", ["main"], "From afar", who, who)
    pushes.move(site, eve, fork, [("refs/heads/afar", ZERO, sha)])
    pull = pulls.create(site, eve, env.repo, title="From afar", head="eve:afar", base="main")
    removal.delete_repo(site, eve, fork)
    for rest in ("", "/files", "/commits"):
        assert env.mara.open(f"{env.home}/pulls/{pull['number']}{rest}").status == 200


def test_no_common_history(env: ForgeEnv) -> None:
    """A pull request without a merge base changes every file of its head; it has no diff and no patch as text."""
    site, core = env.site, env.user("core")
    git, who = site.git(env.repo), repos.signature(site, core)
    tree = git.write_tree("4b825dc642cb6eb9a060e54bf8d69288fbee4904", {"alone.txt": git.store(b"alone\n")})
    sha = git.write_commit(tree, [], "Alone", who, who)
    pushes.move(site, core, env.repo, [("refs/heads/alone", ZERO, sha)])
    assert "alone.txt" in env.core.open(f"{env.home}/compare/alone").words
    pull = pulls.create(site, core, env.repo, title="Alone", head="alone", base="main")
    path = f"{env.home}/pulls/{pull['number']}"
    assert "core wants to merge 1 commit" in env.core.open(path).words
    assert "alone.txt" in env.core.open(f"{path}/files").words
    assert "Alone" in env.core.open(f"{path}/commits").words
    assert [env.core.open(f"{path}.{kind}").status for kind in ("diff", "patch")] == [404, 404]


@pytest.mark.parametrize(
    "path",
    [
        f"/issues/{HUGE}",
        f"/pulls/{HUGE}",
        "/issues/-1",
        "/issues/1x",
        "/pulls/0",
    ],
)
def test_numbers_that_no_one_counts_to(env: ForgeEnv, path: str) -> None:
    """A number that no issue can have is 404."""
    assert env.mara.open(env.home + path).status == 404


def test_huge_numbers_in_forms(env: ForgeEnv) -> None:
    """Absurd page, line and label numbers are ignored."""
    pull, issue = env.pull(), env.issue()
    assert "It is broken" in env.core.open(f"{env.home}/issues?page={HUGE}").words
    path = f"{env.home}/pulls/{pull['number']}/files"
    assert env.eve.open(f"{path}?comment=lines.txt:{HUGE}").status == 200
    page = env.eve.send(path, "/reviews", type="comment", path="lines.txt", line=HUGE, side="new", comment="x")
    assert page.status == 422
    page = env.core.open(f"{env.home}/issues/{issue['number']}")
    assert page.status == 200
    token = [("_csrf", env.core.token()), ("labels", HUGE)]
    assert env.core.open(f"{env.home}/issues/{issue['number']}/labels", token).status == 200


def test_empty_words(env: ForgeEnv) -> None:
    """Empty texts that the API accepts are shown as empty."""
    issue = env.issue(body=" \n")
    comments.create(env.site, env.user("eve"), issue, " ")
    words = env.nobody.open(f"{env.home}/issues/1").words
    assert "No description." in words
    assert "eve just now No text." in words


def test_comparing_commits(env: ForgeEnv) -> None:
    """Two commits can be compared, as the address in a push event does; no pull request can be opened from that."""
    old = repos.tip(env.site, env.repo, "main")
    new = env.commit({"x.txt": "x\n"}, message="Add x")
    page = env.core.open(f"{env.home}/compare/{old}...{new}")
    for words in ("Add x", "x.txt", "1 file changed"):
        assert words in page.words
    assert [tag for tag, _ in page.tags if tag == "textarea"] == []


def test_addresses_of_the_api_lead_here(env: ForgeEnv) -> None:
    """Each page address in the API's answers leads to what it names."""
    site, pull = env.site, env.pull()
    review = reviews.write(site, env.user("eve"), pull, "COMMENT", "Hm.", remarks=[Remark("lines.txt", 20, "Why?")])
    (remark,) = reviews.remarks(site, review)
    comment = comments.create(site, env.user("eve"), pull, "Well.")
    for told in (shapes.review(site, review, None), shapes.remark(site, remark, None)):
        place, _, fragment = told["html_url"].removeprefix(site.url).partition("#")
        page = env.nobody.open(place)
        assert fragment in {about.get("id") for _, about in page.tags}
    page = env.nobody.open(f"{env.home}/pulls/{pull['number']}")
    assert f"issuecomment-{comment['id']}" in {about.get("id") for _, about in page.tags}
