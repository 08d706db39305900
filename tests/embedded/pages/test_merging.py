"""The merge box: a button exactly when the viewer may merge, otherwise every reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from forge.embedded.instance import Refusal
from forge.embedded.services import issues, merging, pulls, repos, reviews
from forge.embedded.services.merging import MergeOptions
from forge.embedded.state import Row

if TYPE_CHECKING:
    from tests.embedded.pages.conftest import ForgeEnv, Shown

TWENTY = {"lines.txt": "".join(f"line {n}\n" if n != 20 else "line XX\n" for n in range(1, 41))}


def path_of(env: ForgeEnv, pull: Row, rest: str = "") -> str:
    """The page of a pull request."""
    return f"{env.home}/pulls/{pull['number']}{rest}"


def box(page: Shown) -> str:
    """What the merge box says."""
    words = page.words
    start = next(
        words.index(mark)
        for mark in ("Merging is blocked", "Ready to be merged", "Merged as", "Closed without")
        if mark in words
    )
    return words[start : words.rindex("Add a comment")] if "Add a comment" in words else words[start:]


def would_merge(env: ForgeEnv, login: str, pull: Row) -> bool:
    """Whether the services would merge."""
    try:
        merging.check(env.site, env.user(login), env.now(pull), MergeOptions("merge"))
    except Refusal:
        return False
    return True


def _check(env: ForgeEnv, pull: Row) -> None:
    env.protect(enable_status_check=True, status_check_contexts=["hive/review", "hive/b*"])
    env.status(env.head(pull), "hive/review", "failure", "🔴 2", "https://ci.example/1")
    env.status(env.head(pull), "ci/extra", "pending", "at it")


def _approvals(env: ForgeEnv, pull: Row) -> None:
    env.protect(required_approvals=2)
    reviews.write(env.site, env.user("mara"), pull, "APPROVED", "")
    reviews.write(env.site, env.user("eve"), pull, "APPROVED", "")


def _rejected(env: ForgeEnv, pull: Row) -> None:
    env.protect(block_on_rejected_reviews=True)
    reviews.write(env.site, env.user("mara"), pull, "REQUEST_CHANGES", "No.")


def _requested(env: ForgeEnv, pull: Row) -> None:
    env.protect(block_on_official_review_requests=True)
    reviews.request(env.site, env.user("core"), pull, env.user("mara"))


def _behind(env: ForgeEnv, pull: Row) -> None:
    env.protect(block_on_outdated_branch=True, enable_push=True)
    env.commit({"x": "x"}, by="core")


def _files(env: ForgeEnv, pull: Row) -> None:
    env.protect(protected_file_patterns="*.txt;*.md")


def _strangers(env: ForgeEnv, pull: Row) -> None:
    env.protect(enable_merge_whitelist=True, merge_whitelist_usernames=["root0"])


def _draft(env: ForgeEnv, pull: Row) -> None:
    issues.set_title(env.site, env.user("core"), pull, "WIP: not yet")


def _conflict(env: ForgeEnv, pull: Row) -> None:
    env.commit(TWENTY)


def _depends(env: ForgeEnv, pull: Row) -> None:
    issues.add_dependency(env.site, env.user("core"), pull, env.issue("First this"))


Hinder = Callable[["ForgeEnv", Row], None]


@pytest.mark.parametrize(
    ("hinder", "said"),
    [
        (_check, ["Not all required status checks successful", "hive/review has failed", "hive/b* is missing", "ci/extra at it"]),
        (_approvals, ["Does not have enough approvals", "Approvals required: 2", "mara approved", "eve approved, which does not count here"]),
        (_rejected, ["There are requested changes", "mara requested changes"]),
        (_requested, ["There are official review requests", "mara was asked for a review"]),
        (_behind, ["The head branch is behind the base branch", "Commits of main that it lacks: 1", "Update branch"]),
        (_files, ["Changed protected files", "lines.txt"]),
        (_strangers, ["User not allowed to merge PR"]),
        (_draft, ["Work in progress PRs cannot be merged"]),
        (_conflict, ["This branch has conflicts with main"]),
        (_depends, ["Depends on #2, which is still open"]),
    ],
)  # fmt: skip
def test_why_not(env: ForgeEnv, hinder: Hinder, said: list[str]) -> None:
    """A blocked pull request shows no button, but every reason in the API's words, with details."""
    pull = env.pull()
    page = env.mara.open(path_of(env, pull))
    assert would_merge(env, "mara", pull)
    assert f'name="head_commit_id" value="{env.head(pull)}"' in page.text
    assert "Ready to be merged into main" in box(page)
    token = env.mara.token()
    hinder(env, pull)
    page = env.mara.open(path_of(env, pull))
    assert not would_merge(env, "mara", pull)
    assert "head_commit_id" not in page.text
    for words in ["Merging is blocked", *said]:
        assert words in box(page)
    typed = [("_csrf", token), ("do", "merge"), ("head_commit_id", env.head(pull))]
    refused = env.mara.open(path_of(env, pull, "/merge"), typed)
    assert refused.status >= 400
    assert "Merging is blocked" in refused.words
    assert env.now(pull)["closed"] is None


def test_who_may(env: ForgeEnv) -> None:
    """Those who may merge get the button; others see why not."""
    pull = env.pull()
    for browser, may in (
        (env.mara, True),
        (env.core, True),
        (env.iris, False),
        (env.eve, False),
        (env.nobody, False),
    ):
        page = browser.open(path_of(env, pull))
        assert page.has_form("/merge") is may
        if browser.login:
            assert would_merge(env, browser.login, pull) is may


def test_all_reasons_at_once(env: ForgeEnv) -> None:
    """Who may not merge still sees the other reasons."""
    pull = env.pull()
    _check(env, pull)
    words = box(env.iris.open(path_of(env, pull)))
    assert "Not all required status checks successful" in words
    assert "User not allowed to merge PR" in words


def test_statuses(env: ForgeEnv) -> None:
    """Each check is a row: state, context, description, whether it is required, and a link."""
    pull = env.pull()
    _check(env, pull)
    env.status(env.head(pull), "hive/build", "success", "builds", "javascript:alert(1)")
    page = env.nobody.open(path_of(env, pull))
    words = box(page)
    assert "hive/review 🔴 2 required Details" in words
    assert "hive/build builds required" in words
    assert "builds required Details" not in words
    dots = [about["title"] for tag, about in page.tags if about.get("class", "").startswith("dot ")]
    assert sorted(dots) == ["failure", "pending", "success"]
    assert page.links.count("https://ci.example/1") == 1


@pytest.mark.parametrize("style", ["merge", "rebase", "rebase-merge", "squash", "fast-forward-only"])
def test_merging(env: ForgeEnv, style: str) -> None:
    """The button merges the reviewed head in the chosen style, and the page shows the merge."""
    pull = env.pull()
    page = env.mara.send(path_of(env, pull), "/merge", do=style)
    assert page.answers == [303, 200]
    assert "Merged as" in box(page)
    assert "mara merged 1 commit into main from topic" in page.words
    assert not page.has_form("/merge")
    row = pulls.row(env.site, pull)
    assert (row["merge_sha"], row["merged_by"]) == (
        repos.tip(env.site, env.repo, "main"),
        env.user("mara")["id"],
    )
    assert repos.tip(env.site, env.repo, "topic")


def test_merging_and_deleting_the_branch(env: ForgeEnv) -> None:
    """The branch is deleted with the merge when that is checked."""
    pull = env.pull()
    page = env.mara.send(path_of(env, pull), "/merge", delete_branch_after_merge="on")
    assert "mara deleted the branch topic" in page.words
    assert repos.tip(env.site, env.repo, "topic") == ""


def test_a_newer_head(env: ForgeEnv) -> None:
    """A head that was pushed after the page was loaded is not merged."""
    pull = env.pull()
    page = env.mara.open(path_of(env, pull))
    env.commit({"x": "x"}, branch="topic")
    answer = env.mara.fill(page, "/merge")
    assert answer.status == 409
    assert "head out of date" in answer.words
    assert pulls.row(env.site, pull)["merged"] is None
    assert f'value="{env.head(pull)}"' in answer.text


@pytest.mark.parametrize("typed", [{"head_commit_id": ""}, {"do": "manually-merged"}, {"do": ""}])
def test_merging_without_looking(env: ForgeEnv, typed: dict[str, str]) -> None:
    """A merge must name the reviewed head and an allowed style."""
    pull = env.pull()
    assert env.mara.send(path_of(env, pull), "/merge", **typed).status == 422
    assert pulls.row(env.site, pull)["merged"] is None


def test_styles(env: ForgeEnv) -> None:
    """Only the styles that the repository allows are offered, its default first."""
    pull = env.pull()
    chosen = {"allow_rebase": False, "default_merge_style": "squash"}
    repos.edit(env.site, env.user("mara"), env.repo, chosen)
    page = env.mara.open(path_of(env, pull))
    assert [about["value"] for tag, about in page.tags if tag == "option"] == [
        "squash",
        "merge",
        "rebase-merge",
        "fast-forward-only",
    ]
    assert env.mara.fill(page, "/merge", do="rebase").status == 422


def test_updating(env: ForgeEnv) -> None:
    """A branch that is behind its base is updated by those who may push to it."""
    pull = env.pull()
    assert not env.core.open(path_of(env, pull)).has_form("/update")
    env.commit({"x": "x"})
    assert not env.iris.open(path_of(env, pull)).has_form("/update")
    page = env.core.send(path_of(env, pull), "/update")
    assert page.answers == [303, 200]
    assert not page.has_form("/update")
    assert "core pushed 1 commit" in page.words
    answer = env.iris.open(path_of(env, pull, "/update"), [("_csrf", env.iris.token())])
    assert (answer.status, "You are not allowed to do that." in answer.words) == (403, True)


def test_closed(env: ForgeEnv) -> None:
    """A closed pull request has no button, and can be reopened unless it was merged."""
    pull = env.pull()
    page = env.core.send(path_of(env, pull), "/comments", status="close")
    assert "Closed without a merge" in box(page)
    assert not page.has_form("/merge")
    page = env.core.send(path_of(env, pull), "/comments", status="reopen")
    page = env.core.fill(page, "/merge")
    assert page.form("/comments").buttons == [("", "")]
    typed = [("_csrf", env.core.token()), ("status", "reopen")]
    assert (
        "cannot reopen this pull request because it was merged"
        in env.core.open(path_of(env, pull, "/comments"), typed).words
    )


def test_waiting_for_checks(env: ForgeEnv) -> None:
    """A scheduled merge is shown."""
    pull = env.pull()
    _check(env, pull)
    merging.schedule(env.site, env.user("mara"), pull, MergeOptions("merge"))
    page = env.nobody.open(path_of(env, pull))
    assert "It will be merged automatically when all checks succeed." in box(page)
    assert "mara scheduled a merge for when all checks succeed" in page.words
