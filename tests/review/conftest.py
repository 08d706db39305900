"""A pull request whose diff and scan a test decides, and what the review bot wants then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from typing import TypeVar

import pytest

from bots.bot import Context
from bots.intents import Intent, SetVerdict
from bots.model_review import ModelReview, ReviewTask
from bots.models import Scan
from bots.review import bot
from bots.review_intents import PostReview, ShowReview
from bots.review_policy import DEFAULT_POLICY, ReviewPolicy
from bots.review_rounds import FollowedLine, FollowedLines, LinePlace
from forge.events import ReviewAsked
from forge.models import PullRequest, Ref
from tests.bots.conftest import IRIS, Still, StillForge, ctx, forge, pull, still

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
class Eyes(Still):
    """A scanner that has seen what the test says: heads with their files, and what was found in each."""

    seen: Scan = field(default_factory=lambda: Scan(SHA))
    wanted: ReviewPolicy = DEFAULT_POLICY
    texts: dict[str, dict[str, str]] = field(default_factory=dict)
    kept: list[tuple[str, int]] = field(default_factory=list)

    def policy(self, pull: PullRequest) -> ReviewPolicy:
        """What the test says."""
        return self.wanted

    def scan(self, pull: PullRequest) -> Scan:
        """What the test says."""
        return self.seen

    def contexts(self, pull: PullRequest, places: tuple[LinePlace, ...]) -> tuple[str, ...]:
        """The line itself, where the test has given the file."""
        files = self.texts.get(pull.head_sha)
        if files is None:
            return tuple(f"{place.path}:{place.line}" for place in places)
        return tuple(files[place.path].split("\n")[place.line - 1] if place.line else "-" for place in places)

    def follow(
        self, pull: PullRequest, since: str, then: tuple[LinePlace, ...], now: tuple[LinePlace, ...]
    ) -> FollowedLines | None:
        """What the texts of the two heads have in common; None for a head that is not there."""
        if since not in self.texts or pull.head_sha not in self.texts:
            return None
        old, new = self.texts[since], self.texts[pull.head_sha]
        return FollowedLines(
            tuple(_followed(place, old, new) for place in then),
            tuple(not _followed(place, new, old).line for place in now),
        )

    def keep(self, pull: PullRequest, number: int) -> bool:
        """Remember that it was asked for."""
        self.kept.append((pull.head_sha, number))
        return True


def _followed(place: LinePlace, old: dict[str, str], new: dict[str, str]) -> FollowedLine:
    if place.path not in new:
        return FollowedLine("", 0, changed=True)
    was, now = old[place.path].split("\n"), new[place.path].split("\n")
    blocks = SequenceMatcher(None, was, now, autojunk=False).get_matching_blocks()
    found = [block.b + place.line - block.a for block in blocks if block.a < place.line <= block.a + block.size]
    if found or not place.line:
        return FollowedLine(place.path, found[0] if found else 0, changed=was != now)
    codes = SequenceMatcher(None, was, now, autojunk=False).get_opcodes()
    [(first, end)] = [(new, last) for _, old, stop, new, last in codes if old < place.line <= stop]
    return FollowedLine(place.path, 0, changed=True, instead=(first + 1, end) if end > first else (0, 0))


@dataclass
class ReadingModel:
    """A model that says of a change what a test says; None for a hive without one."""

    says: ModelReview | None = None
    asked: list[ReviewTask] = field(default_factory=list)

    def review(self, pull: PullRequest, task: ReviewTask) -> ModelReview:
        """What the test says."""
        self.asked.append(task)
        assert self.says is not None
        return self.says


Handle = Callable[..., list[Intent]]
Review = Callable[..., tuple[PostReview, SetVerdict, ShowReview]]


@pytest.fixture
def eyes() -> Eyes:
    """A scanner to which a test says what it sees."""
    return Eyes()


@pytest.fixture
def reading() -> ReadingModel:
    """A hive without a model, until a test gives it one."""
    return ReadingModel()


@pytest.fixture
def handle(ctx: Context, still: Still, eyes: Eyes, reading: ReadingModel) -> Handle:
    """Let the bot look at a pull request; what it shows is remembered, as it is once it is shown."""

    def run(
        scan: Scan | None = None, *, diff: str = DIFF, again: bool = False, full: bool = False, **facts: object
    ) -> list[Intent]:
        changed = pull(**{"head_sha": SHA, "html_url": "https://forge.example/acme/app/pulls/2", **facts})  # type: ignore[arg-type]  # a test says what differs
        shown = ShownForge(pulls={changed.ref: changed}, shown=diff)
        eyes.seen = scan or Scan(SHA, ran=("ruff", "ast-grep"))
        reviewer = None if reading.says is None else reading
        seen = replace(ctx, forge=shown, scanner=eyes, reviewer=reviewer)
        intents = bot.handle(ReviewAsked(changed.ref, IRIS, "k", again=again, full=full), seen)
        for each in intents:
            if isinstance(each, ShowReview):
                still.rounds[changed.ref] = each.round
        return intents

    return run


@pytest.fixture
def review(handle: Handle, still: Still) -> Review:
    """The review of a first round, the status, and the comment that shows how it stands."""

    def run(scan: Scan | None = None, **facts: object) -> tuple[PostReview, SetVerdict, ShowReview]:
        still.rounds.clear()
        intents = handle(scan, **facts)
        return only(intents, PostReview), only(intents, SetVerdict), only(intents, ShowReview)

    return run


T = TypeVar("T")


def only(intents: Iterable[object], kind: type[T]) -> T:
    """The one intent of a kind."""
    [found] = [each for each in intents if isinstance(each, kind)]
    return found
