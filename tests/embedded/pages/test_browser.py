"""The pages in a real browser, on a desktop and on a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from forge.embedded.services import comments, issues, labels, reviews
from forge.embedded.services.reviews import Remark

if TYPE_CHECKING:
    from tests.embedded.pages.conftest import ForgeEnv

PASSWORD = " a password "
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no browser on this machine: none of {', '.join(NAMES)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, env: ForgeEnv) -> Iterator[Page]:
    """A page with core signed in; any error or warning in its console fails the test."""
    wrong: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            wrong.append(message.text)

    context = chromium.new_context(base_url=env.forge.url)
    context.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)
    page = context.new_page()
    page.on("console", listen)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto("/user/login")
    page.get_by_label("Username").fill("core")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="core")).to_be_visible()
    yield page
    context.close()
    assert wrong == []


def test_an_evening(env: ForgeEnv, page: Page) -> None:
    """A user files an issue, comments, reviews a line, and merges."""
    page.goto(f"{env.home}/issues")
    page.get_by_role("link", name="New issue").click()
    page.get_by_label("Title").fill("Every hive shows 0")
    page.get_by_label("Description").fill("That is **wrong**.")
    page.get_by_role("button", name="File issue").click()
    expect(page.get_by_role("heading", name="Every hive shows 0 #1")).to_be_visible()
    page.get_by_label("Add a comment").fill("I saw it too.")
    page.get_by_role("button", name="Comment").click()
    expect(page.get_by_text("I saw it too.")).to_be_visible()

    pull = env.pull(by="mara", body="Closes #1")
    page.goto(f"{env.home}/pulls/{pull['number']}")
    page.get_by_role("link", name="Files").click()
    page.get_by_label("Comment on line 20").last.click()
    page.get_by_label("Your comment").fill("Twenty is a number.")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("approved these changes")).to_be_visible()
    expect(page.get_by_text("Twenty is a number.")).to_be_visible()
    page.get_by_role("button", name="Merge pull request").click()
    expect(page.get_by_text("Merged as")).to_be_visible()
    page.goto(f"{env.home}/issues/1")
    expect(page.locator(".badge")).to_have_text("Closed")


def test_watching(env: ForgeEnv, page: Page) -> None:
    """Live reload shows what others do, and keeps what the reader types and opens."""
    site, iris = env.site, env.user("iris")
    bug = env.label("type/bug")
    issue = env.issue(body="<details><summary>More</summary>\n\nof it\n\n</details>")
    page.goto(f"{env.home}/issues/{issue['number']}")
    page.get_by_label("Add a comment").fill("I am just wri")
    page.get_by_text("More").click()
    labels.add(site, iris, issue, [bug["id"]])
    issues.assign(site, iris, issue, iris)
    comments.create(site, iris, issue, "I am at it.")
    expect(page.get_by_text("I am at it.")).to_be_visible()
    expect(page.locator("#side-labels a.label")).to_have_text("typebug")
    expect(page.locator("#side-assignees")).to_contain_text("iris")
    page.get_by_text("Edit labels").click()
    page.locator("#side-labels").get_by_role("checkbox").uncheck()
    issues.set_state(site, iris, env.now(issue), closed=True)
    labels.clear(site, iris, env.now(issue))
    expect(page.locator(".badge")).to_have_text("Closed")
    expect(page.get_by_role("button", name="Reopen")).to_be_visible()
    expect(page.locator("#side-labels").get_by_role("checkbox")).not_to_be_checked()
    expect(page.get_by_label("Add a comment")).to_have_value("I am just wri")
    expect(page.get_by_text("of it")).to_be_visible()


def test_a_merge_box_that_turns_green(env: ForgeEnv, page: Page) -> None:
    """The merge button appears on an open page when the last check succeeds."""
    pull = env.pull()
    env.protect(enable_status_check=True, status_check_contexts=["hive/review"])
    page.goto(f"{env.home}/pulls/{pull['number']}")
    expect(page.get_by_text("hive/review is missing")).to_be_visible()
    env.status(env.head(pull), "hive/review")
    page.get_by_role("button", name="Merge pull request").click()
    expect(page.get_by_text("Merged as")).to_be_visible()


def test_in_a_pocket(env: ForgeEnv, page: Page) -> None:
    """No page is wider than the screen of a phone, whatever its content."""
    long = "a-very-long-name-that-goes-on-and-on-" * 4
    label = env.label(f"scope/{long}"[:60])
    pull = env.pull(
        {f"{long}.py": f"x = '{long}'\n", "lines.txt": "x\n"},
        branch=long,
        title=long,
        body=f"`{long}` {long}\n\n    {long * 3}\n\n|{long}|{long}|\n|--|--|",
    )
    env.issue(long, labels=[label["id"]])
    env.status(env.head(pull), long, "failure", long)
    reviews.write(env.site, env.user("iris"), pull, "COMMENT", long, remarks=[Remark(f"{long}.py", 1, long)])
    page.set_viewport_size({"width": 390, "height": 844})
    at = f"{env.home}/pulls/{pull['number']}"
    for path in (
        "/", env.home, f"{env.home}/src/branch/{long}", f"{env.home}/src/branch/{long}/{long}.py", f"{env.home}/issues",
        f"{env.home}/commits/branch/{long}", f"{env.home}/issues/2", f"{env.home}/issues/new", f"{env.home}/pulls", at,
        f"{at}/files?comment={long}.py:1", f"{at}/commits", f"{env.home}/compare/{long}"
    ):  # fmt: skip
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
