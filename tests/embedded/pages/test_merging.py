"""The merge box: a button exactly when the forge would merge for who looks, and otherwise every reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from forge.embedded.instance import Refusal
from forge.embedded.services import issues, merging, pulls, repos, reviews
from forge.embedded.services.merging import Wish
from forge.embedded.state import Row

if TYPE_CHECKING:
    from tests.embedded.pages.conftest import Shown, Village

TWENTY = {"lines.txt": "".join(f"line {n}\n" if n != 20 else "line XX\n" for n in range(1, 41))}


def path_of(village: Village, pull: Row, rest: str = "") -> str:
    """The page of a pull request."""
    return f"{village.home}/pulls/{pull['number']}{rest}"


def box(page: Shown) -> str:
    """What the merge box says."""
    words = page.words
    start = next(
        words.index(mark)
        for mark in ("Merging is blocked", "Ready to be merged", "Merged as", "Closed without")
        if mark in words
    )
    return words[start : words.rindex("Add a comment")] if "Add a comment" in words else words[start:]


def would_merge(village: Village, login: str, pull: Row) -> bool:
    """What the forge's own rules say."""
    try:
        merging.check(village.site, village.user(login), village.now(pull), Wish("merge"))
    except Refusal:
        return False
    return True


def _check(village: Village, pull: Row) -> None:
    village.protect(enable_status_check=True, status_check_contexts=["hive/review", "hive/b*"])
    village.status(village.head(pull), "hive/review", "failure", "🔴 2", "https://ci.example/1")
    village.status(village.head(pull), "ci/extra", "pending", "at it")


def _approvals(village: Village, pull: Row) -> None:
    village.protect(required_approvals=2)
    reviews.write(village.site, village.user("mara"), pull, "APPROVED", "")
    reviews.write(village.site, village.user("eve"), pull, "APPROVED", "")


def _rejected(village: Village, pull: Row) -> None:
    village.protect(block_on_rejected_reviews=True)
    reviews.write(village.site, village.user("mara"), pull, "REQUEST_CHANGES", "No.")


def _requested(village: Village, pull: Row) -> None:
    village.protect(block_on_official_review_requests=True)
    reviews.request(village.site, village.user("core"), pull, village.user("mara"))


def _behind(village: Village, pull: Row) -> None:
    village.protect(block_on_outdated_branch=True, enable_push=True)
    village.commit({"x": "x"}, by="core")


def _files(village: Village, pull: Row) -> None:
    village.protect(protected_file_patterns="*.txt;*.md")


def _strangers(village: Village, pull: Row) -> None:
    village.protect(enable_merge_whitelist=True, merge_whitelist_usernames=["root0"])


def _draft(village: Village, pull: Row) -> None:
    pulls.set_title(village.site, village.user("core"), pull, "WIP: not yet")


def _conflict(village: Village, pull: Row) -> None:
    village.commit(TWENTY)


def _depends(village: Village, pull: Row) -> None:
    issues.add_dependency(village.site, village.user("core"), pull, village.issue("First this"))


Hinder = Callable[["Village", Row], None]


@pytest.mark.parametrize(
    ("hinder", "said"),
    [
        (_check, ["Not all required status checks successful", "hive/review has failed", "hive/b* is missing", "ci/extra at it"]),
        (_approvals, ["Does not have enough approvals", "Approvals required: 2", "mara approved", "eve approved, which does not count here"]),
        (_rejected, ["There are requested changes", "mara requested changes"]),
        (_requested, ["There are official review requests", "mara was asked for a review"]),
        (_behind, ["The head branch is behind the base branch", "Commits of main that it lacks: 1", "Update it"]),
        (_files, ["Changed protected files", "lines.txt"]),
        (_strangers, ["User not allowed to merge PR", "You are not among those who may merge into main."]),
        (_draft, ["Work in progress PRs cannot be merged", "Take “WIP:” off the title"]),
        (_conflict, ["This branch has conflicts with main"]),
        (_depends, ["Depends on #2, which is still open"]),
    ],
)  # fmt: skip
def test_why_not(village: Village, hinder: Hinder, said: list[str]) -> None:
    """A blocked pull request shows no button, and says in the API's words what stands in the way and what exactly that is."""
    pull = village.pull()
    page = village.mara.open(path_of(village, pull))
    assert would_merge(village, "mara", pull)
    assert f'name="head_commit_id" value="{village.head(pull)}"' in page.text
    assert "Ready to be merged into main" in box(page)
    token = village.mara.token()
    hinder(village, pull)
    page = village.mara.open(path_of(village, pull))
    assert not would_merge(village, "mara", pull)
    assert "head_commit_id" not in page.text
    for words in ["Merging is blocked", *said]:
        assert words in box(page)
    typed = [("_csrf", token), ("do", "merge"), ("head_commit_id", village.head(pull))]
    refused = village.mara.open(path_of(village, pull, "/merge"), typed)
    assert refused.status >= 400
    assert "Merging is blocked" in refused.words
    assert village.now(pull)["closed"] is None


def test_who_may(village: Village) -> None:
    """The button is for those who may merge; others read why they may not."""
    pull = village.pull()
    for browser, may in (
        (village.mara, True),
        (village.core, True),
        (village.iris, False),
        (village.eve, False),
        (village.nobody, False),
    ):
        page = browser.open(path_of(village, pull))
        assert page.has_form("/merge") is may
        if browser.login:
            assert would_merge(village, browser.login, pull) is may
        else:
            assert "Sign in as somebody who may merge." in box(page)


def test_all_reasons_at_once(village: Village) -> None:
    """Who may not merge still reads what else stands in the way."""
    pull = village.pull()
    _check(village, pull)
    words = box(village.iris.open(path_of(village, pull)))
    assert "Not all required status checks successful" in words
    assert "User not allowed to merge PR" in words


def test_statuses(village: Village) -> None:
    """Each check is a row: a dot of its colour, its name, its words, whether it is required, and where there is more."""
    pull = village.pull()
    _check(village, pull)
    village.status(village.head(pull), "hive/build", "success", "builds", "javascript:alert(1)")
    page = village.nobody.open(path_of(village, pull))
    words = box(page)
    assert "hive/review 🔴 2 required Details" in words
    assert "hive/build builds required" in words
    assert "builds required Details" not in words
    dots = [about["title"] for tag, about in page.tags if about.get("class", "").startswith("dot ")]
    assert sorted(dots) == ["failure", "pending", "success"]
    assert page.links.count("https://ci.example/1") == 1


@pytest.mark.parametrize("style", ["merge", "rebase", "rebase-merge", "squash", "fast-forward-only"])
def test_merging(village: Village, style: str) -> None:
    """The green button merges what was looked at in the chosen style, and the page says so."""
    pull = village.pull()
    page = village.mara.send(path_of(village, pull), "/merge", do=style)
    assert page.answers == [303, 200]
    assert "Merged as" in box(page)
    assert "mara merged 1 commit into main from topic" in page.words
    assert not page.has_form("/merge")
    row = pulls.row(village.site, pull)
    assert (row["merge_sha"], row["merged_by"]) == (
        repos.tip(village.site, village.repo, "main"),
        village.user("mara")["id"],
    )
    assert repos.tip(village.site, village.repo, "topic")


def test_merging_and_deleting_the_branch(village: Village) -> None:
    """The branch goes with the merge when that is ticked."""
    pull = village.pull()
    page = village.mara.send(path_of(village, pull), "/merge", delete_branch_after_merge="on")
    assert "mara deleted the branch topic" in page.words
    assert repos.tip(village.site, village.repo, "topic") == ""


def test_a_newer_head(village: Village) -> None:
    """What was pushed after the page was shown is not merged by it."""
    pull = village.pull()
    page = village.mara.open(path_of(village, pull))
    village.commit({"x": "x"}, branch="topic")
    answer = village.mara.fill(page, "/merge")
    assert answer.status == 409
    assert "head out of date" in answer.words
    assert pulls.row(village.site, pull)["merged"] is None
    assert f'value="{village.head(pull)}"' in answer.text


@pytest.mark.parametrize("typed", [{"head_commit_id": ""}, {"do": "manually-merged"}, {"do": ""}])
def test_merging_without_looking(village: Village, typed: dict[str, str]) -> None:
    """A merge has to say what was looked at, and in which of the allowed styles it is meant."""
    pull = village.pull()
    assert village.mara.send(path_of(village, pull), "/merge", **typed).status == 422
    assert pulls.row(village.site, pull)["merged"] is None


def test_styles(village: Village) -> None:
    """Only the styles that the repository allows are offered, its favourite first."""
    pull = village.pull()
    chosen = {"allow_rebase": False, "default_merge_style": "squash"}
    repos.edit(village.site, village.user("mara"), village.repo, chosen)
    page = village.mara.open(path_of(village, pull))
    assert [about["value"] for tag, about in page.tags if tag == "option"] == [
        "squash",
        "merge",
        "rebase-merge",
        "fast-forward-only",
    ]
    assert village.mara.fill(page, "/merge", do="rebase").status == 422


def test_updating(village: Village) -> None:
    """A branch that lacks commits of its base is brought up to date by those who may push to it."""
    pull = village.pull()
    assert not village.core.open(path_of(village, pull)).has_form("/update")
    village.commit({"x": "x"})
    assert not village.iris.open(path_of(village, pull)).has_form("/update")
    page = village.core.send(path_of(village, pull), "/update")
    assert page.answers == [303, 200]
    assert not page.has_form("/update")
    assert "core pushed 1 commit" in page.words
    answer = village.iris.open(path_of(village, pull, "/update"), [("_csrf", village.iris.token())])
    assert (answer.status, "You may not do that." in answer.words) == (403, True)


def test_closed(village: Village) -> None:
    """A closed pull request has no button, and is opened again unless it was merged."""
    pull = village.pull()
    page = village.core.send(path_of(village, pull), "/comments", status="close")
    assert "Closed without a merge" in box(page)
    assert not page.has_form("/merge")
    page = village.core.send(path_of(village, pull), "/comments", status="reopen")
    page = village.core.fill(page, "/merge")
    assert page.form("/comments").buttons == [("", "")]
    typed = [("_csrf", village.core.token()), ("status", "reopen")]
    assert (
        "cannot reopen this pull request because it was merged"
        in village.core.open(path_of(village, pull, "/comments"), typed).words
    )


def test_waiting_for_checks(village: Village) -> None:
    """A merge that waits for its checks is announced."""
    pull = village.pull()
    _check(village, pull)
    merging.schedule(village.site, village.user("mara"), pull, Wish("merge"))
    page = village.nobody.open(path_of(village, pull))
    assert "It will be merged by itself as soon as all checks succeed." in box(page)
    assert "mara wants this merged as soon as all checks succeed" in page.words
