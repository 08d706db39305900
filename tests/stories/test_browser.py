"""A person at a browser: signs in, files an issue, watches it become a pull request, reads the 🔴, merges.

Leaves pictures in tests/out; `make golden` takes the one of the reviewed pull request into the README.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import FloatRect, Page, expect, sync_playwright

from forge.models import Ref, ReviewState
from hive.demo.model import ModelConversation, ModelReply, Responder
from hive.demo.scripted_replies import HONEY, script
from hive.demo.setup import FORGE, OPERATOR
from tests.nightly import NIGHTLY
from tests.stories.conftest import APP, Hive

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
OUT = Path(__file__).parent.parent / "out"
PICTURE = Path(__file__).parent.parent.parent / "docs" / "reviewed.png"
MILLISECONDS = 60_000
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Patient:
    """A brain that answers a review only when it is let."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self.let = threading.Event()

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The other's reply."""
        if "was reviewed at" in conversation.news:
            self.let.wait(120)
        return self._responder.reply(conversation)


@pytest.fixture(scope="module")
def responder(sandbox: str) -> Patient:
    """The story's brain, with time for a look at the first review; a new one for each kind of container."""
    return Patient(script())


@pytest.fixture
def page() -> Iterator[Page]:
    """A window of a real browser."""
    if not CHROMIUM:
        pytest.skip("no Chromium on this machine; on Debian and Ubuntu: apt-get install chromium")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        window = browser.new_page(viewport={"width": 1280, "height": 900})
        window.set_default_timeout(MILLISECONDS)
        expect.set_options(timeout=MILLISECONDS)
        yield window
        browser.close()


def shoot(page: Page, name: str) -> None:
    """Take a picture of the whole page."""
    page.screenshot(path=OUT / f"{name}.png", full_page=True, animations="disabled")


def shoot_for_readers(page: Page) -> None:
    """The picture in the README: the page as far as the merge box."""
    box = page.locator("#merge").bounding_box()
    assert box is not None
    clip = FloatRect(x=0, y=0, width=1280, height=box["y"] + box["height"] + 24)
    page.screenshot(path=PICTURE, full_page=True, animations="disabled", clip=clip)


@NIGHTLY
@pytest.mark.browser
def test_an_evening_at_the_browser(hive: Hive, page: Page, responder: Patient) -> None:
    """All of it by clicks, on pages that refresh themselves."""
    url = hive.instance.url(FORGE)
    page.goto(f"{url}/user/login")
    page.fill("[name=user_name]", OPERATOR)
    page.fill("[name=password]", hive.instance.secret_store.password(FORGE, OPERATOR))
    page.locator("form:has([name=password])").get_by_role("button").click()
    expect(page.get_by_role("link", name="app", exact=False).first).to_be_visible()
    shoot(page, "1-home")

    page.goto(f"{url}/{APP.path}/issues/new")
    page.fill("[name=title]", HONEY.title)
    page.fill("[name=content]", HONEY.body)
    page.locator("form:has([name=title])").get_by_role("button").last.click()
    page.wait_for_url("**/issues/*")
    issue = Ref(APP, int(page.url.rpartition("/")[2].split("#")[0]))
    expect(page.locator("body")).to_contain_text("because of")
    pull = hive.until(lambda: hive.pull_of(issue), "the pull request")
    expect(page.locator("body")).to_contain_text(f"#{pull.number}")
    shoot(page, "2-issue")

    hive.until(lambda: hive.verdict(pull, ReviewState.REQUEST_CHANGES), "a red review")
    hive.until(lambda: hive.status(pull, "hive/review") == "failure", "a red status")
    page.goto(f"{url}/{APP.path}/pulls/{pull.number}")
    expect(page.locator("body")).to_contain_text("Path from a request, unchecked")
    expect(page.locator("body")).to_contain_text("Error swallowed")
    expect(page.locator("[name=head_commit_id]")).to_have_count(0)
    shoot(page, "3-reviewed")
    if os.environ.get("HIVE_GOLDEN") == "write":
        shoot_for_readers(page)
    page.goto(f"{url}/{APP.path}/pulls/{pull.number}/files")
    expect(page.locator("body")).to_contain_text("Error swallowed")
    shoot(page, "4-files")

    responder.let.set()
    hive.until(lambda: hive.status(pull, "hive/review") == "success", "a green review")
    page.goto(f"{url}/{APP.path}/pulls/{pull.number}")
    shoot(page, "5-green")
    page.locator("form:has([name=head_commit_id])").get_by_role("button", name="Merge").click()
    expect(page.locator("body")).to_contain_text("merged")
    shoot(page, "6-merged")
    hive.until(lambda: not hive.mara.issue(issue).is_open, "the issue's end")
    page.goto(f"{url}/{APP.path}/issues/{issue.number}")
    shoot(page, "7-closed")
