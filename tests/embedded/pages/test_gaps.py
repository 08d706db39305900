"""Pages hold where something is missing, gone, or too large to be true."""

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
    from tests.embedded.pages.conftest import Village

HUGE = "9" * 30


def test_those_who_are_gone(village: Village) -> None:
    """A conversation can be read when those who took part, their labels, teams, comments and branches are gone."""
    site, core, pull, other = village.site, village.user("core"), village.pull(), village.issue("Other")
    gone = people.create(site, f"gone-{village.org['login']}", "x", email="")
    team = orgs.create_team(site, village.org, "short", permission="read", units={}, all_repos=True)
    label = village.label("type/bug")
    labels.add(site, gone, pull, [label["id"]])
    issues.assign(site, core, pull, gone)
    reviews.request_team(site, core, pull, team)
    reviews.write(site, gone, pull, "APPROVED", "Well done.", said=[Remark("lines.txt", 20, "Fine.")])
    said = comments.create(site, gone, other, f"See #{pull['number']}")
    comments.delete(site, gone, said)
    contents.delete_branch(site, village.user("mara"), village.repo, "topic")
    labels.delete(site, label)
    orgs.delete_team(site, team)
    people.delete(site, gone)
    path = f"{village.home}/pulls/{pull['number']}"
    for place in (f"{path}/files", f"{path}/commits", f"{village.home}/issues", f"{village.home}/pulls?state=closed"):
        assert village.core.open(place).status == 200, place
    page = village.core.open(path)
    for words in ("Ghost approved these changes", "core asked a former team for a review", "Closed without a merge"):
        assert words in page.words
    assert "its head branch is gone" in village.core.fill(page, "/comments", status="reopen").words


def test_a_fork_that_is_gone(village: Village) -> None:
    """What came from a fork can still be read and merged when the fork is gone."""
    site, eve = village.site, village.user("eve")
    fork = repos.fork(site, eve, village.repo, eve, f"fork-{village.org['login']}")
    git, who = site.git(fork), repos.signature(site, eve)
    sha = git.write_commit("main^{tree}", ["main"], "From afar", who, who)
    pushes.move(site, eve, fork, [("refs/heads/afar", ZERO, sha)])
    pull = pulls.create(site, eve, village.repo, title="From afar", head="eve:afar", base="main")
    removal.delete_repo(site, eve, fork)
    for rest in ("", "/files", "/commits"):
        assert village.mara.open(f"{village.home}/pulls/{pull['number']}{rest}").status == 200


def test_no_common_history(village: Village) -> None:
    """A branch that shares no commit with its base brings everything, and cannot be merged."""
    site, core = village.site, village.user("core")
    git, who = site.git(village.repo), repos.signature(site, core)
    tree = git.write_tree("4b825dc642cb6eb9a060e54bf8d69288fbee4904", {"alone.txt": git.store(b"alone\n")})
    sha = git.write_commit(tree, [], "Alone", who, who)
    pushes.move(site, core, village.repo, [("refs/heads/alone", ZERO, sha)])
    assert "alone.txt" in village.core.open(f"{village.home}/pulls/new?head=alone").words
    pull = pulls.create(site, core, village.repo, title="Alone", head="alone", base="main")
    path = f"{village.home}/pulls/{pull['number']}"
    assert "core wants to merge 1 commit" in village.core.open(path).words
    assert "alone.txt" in village.core.open(f"{path}/files").words
    assert "Alone" in village.core.open(f"{path}/commits").words
    assert "+alone" in village.core.open(f"{path}.diff").text
    assert village.core.open(f"{path}.patch").status == 404


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
def test_numbers_that_no_one_counts_to(village: Village, path: str) -> None:
    """A number that no issue can have is not there."""
    assert village.mara.open(village.home + path).status == 404


def test_huge_numbers_in_forms(village: Village) -> None:
    """Pages, lines and labels of absurd numbers are none."""
    pull, issue = village.pull(), village.issue()
    assert "It is broken" in village.core.open(f"{village.home}/issues?page={HUGE}").words
    path = f"{village.home}/pulls/{pull['number']}/files"
    assert village.eve.open(f"{path}?comment=lines.txt:{HUGE}").status == 200
    page = village.eve.send(path, "/reviews", type="comment", path="lines.txt", line=HUGE, side="new", remark="x")
    assert page.status == 422
    page = village.core.open(f"{village.home}/issues/{issue['number']}")
    assert page.status == 200
    token = [("_csrf", village.core.token()), ("labels", HUGE)]
    assert village.core.open(f"{village.home}/issues/{issue['number']}/labels", token).status == 200


def test_empty_words(village: Village) -> None:
    """Whatever the API lets somebody say without a word is shown as nothing."""
    issue = village.issue(body=" \n")
    comments.create(village.site, village.user("eve"), issue, " ")
    words = village.nobody.open(f"{village.home}/issues/1").words
    assert "No description." in words
    assert "eve just now Nothing." in words


def test_comparing_commits(village: Village) -> None:
    """Two commits, as the address in a push event names them, are compared; there is nothing to open between them."""
    old = repos.tip(village.site, village.repo, "main")
    new = village.commit({"x.txt": "x\n"}, message="Add x")
    page = village.core.open(f"{village.home}/compare/{old}...{new}")
    for words in ("Add x", "x.txt", "1 file changed"):
        assert words in page.words
    assert not page.has_form("/pulls/new")


def test_addresses_of_the_api_lead_here(village: Village) -> None:
    """Each address of a page that the API tells leads to what it names."""
    site, pull = village.site, village.pull()
    review = reviews.write(site, village.user("eve"), pull, "COMMENT", "Hm.", said=[Remark("lines.txt", 20, "Why?")])
    (remark,) = reviews.remarks(site, review)
    comment = comments.create(site, village.user("eve"), pull, "Well.")
    for told in (shapes.review(site, review, None), shapes.remark(site, remark, None)):
        place, _, baseline = told["html_url"].removeprefix(site.url).partition("#")
        page = village.nobody.open(place)
        assert baseline in {about.get("id") for _, about in page.tags}
    page = village.nobody.open(f"{village.home}/pulls/{pull['number']}")
    assert f"issuecomment-{comment['id']}" in {about.get("id") for _, about in page.tags}
