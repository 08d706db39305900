"""A pull request whose diff and scan a test decides, and what the review bot wants then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from bots.bot import Context
from bots.intents import Intent, PostReview, SetVerdict
from bots.models import Scan
from bots.review import bot
from forge.events import ReviewAsked
from forge.models import PullRequest, Ref
from tests.bots.conftest import IRIS, StillForge, ctx, forge, pull, still

__all__ = ["ctx", "forge", "still"]

SHA = "abc1234" + "0" * 33
DIFF = """\
diff --git a/store.py b/store.py
--- a/store.py
+++ b/store.py
@@ -10,3 +10,7 @@ def save(record):
     record = dict(record)
-    return record
+    try:
+        return json.dumps(record)
+    except Exception:
+        pass
+    print(f"done")
     # the end
"""


@dataclass
class ShownForge(StillForge):
    """A still forge that shows one diff."""

    shown: str = DIFF

    def diff(self, ref: Ref) -> str:
        """What the test says."""
        return self.shown


@dataclass
class Eyes:
    """A scanner that has seen what the test says."""

    seen: Scan

    def scan(self, pull: PullRequest) -> Scan:
        """What the test says."""
        return self.seen


Handle = Callable[..., list[Intent]]
Review = Callable[..., tuple[PostReview, SetVerdict]]


@pytest.fixture
def handle(ctx: Context) -> Handle:
    """Let the bot look at a pull request."""

    def run(scan: Scan | None = None, *, diff: str = DIFF, **facts: object) -> list[Intent]:
        changed = pull(**{"head_sha": SHA, "html_url": "https://forge.example/acme/app/pulls/2", **facts})  # type: ignore[arg-type]  # a test says what differs
        shown = ShownForge(pulls={changed.ref: changed}, shown=diff)
        seen = replace(ctx, forge=shown, scanner=Eyes(scan or Scan(SHA, ran=("ruff", "ast-grep"))))
        return bot.handle(ReviewAsked(changed.ref, IRIS, "k", again=False), seen)

    return run


@pytest.fixture
def review(handle: Handle) -> Review:
    """The review and the status that the bot wants."""

    def run(scan: Scan | None = None, **facts: object) -> tuple[PostReview, SetVerdict]:
        posted, status = handle(scan, **facts)
        assert isinstance(posted, PostReview)
        assert isinstance(status, SetVerdict)
        return posted, status

    return run
