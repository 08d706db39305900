"""Triage routes what people file, and says why."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from bots.agent_intents import GiveWork
from bots.bot import Context
from bots.classification import DecidedBy
from bots.intents import SetLabels
from bots.triage import bot
from bots.triage.decision import decide
from bots.triage.words import hits, path_hits
from bots.triage_intents import IndexIssue, ShowTriage
from forge.events import IssueOpened
from tests.bots.conftest import APP, EVE, IRIS, MARA, StillForge, issue

Golden = Callable[[str, str], None]


def opened(forge: StillForge, ctx: Context, **facts: object) -> list[object]:
    """What triage wants when an issue is filed."""
    filed = issue(**facts)  # type: ignore[arg-type]
    forge.issues[filed.ref] = filed
    wanted = bot.handle(IssueOpened(filed.ref, filed.author, "k"), ctx)
    return [want for want in wanted if not isinstance(want, IndexIssue)]


def test_labels_assigns_and_says_why_golden(forge: StillForge, ctx: Context, golden: Golden) -> None:
    """An operator's issue is labelled, explained and given to the agent of its lane."""
    labels, comment, assign = opened(forge, ctx, body="See apiary/page.py: every hive shows 0.")
    assert labels == SetLabels(issue().ref, add=("type/bug", "area/app"), key=f"labels:{issue().ref}")
    assert assign == GiveWork(issue().ref, "iris", "app", key=f"assign:{issue().ref}")
    assert isinstance(comment, ShowTriage)
    golden("triage/routed.md", comment.note.body)


def test_stranger_gets_labels_only_golden(forge: StillForge, ctx: Context, golden: Golden) -> None:
    """Whoever is no operator may ask for work, not start it."""
    wanted = opened(forge, ctx, author=EVE)
    assert not any(isinstance(want, GiveWork) for want in wanted)
    comment = next(want for want in wanted if isinstance(want, ShowTriage))
    golden("triage/waiting.md", comment.note.body)


def test_hostile_words_stay_words_golden(forge: StillForge, ctx: Context, golden: Golden) -> None:
    """What an issue says comes back as code at the most."""
    wanted = opened(forge, ctx, title="hive `@mara` #1", body="apiary/`@x`.py apiary/a.py <b>wrong</b>")
    comment = next(want for want in wanted if isinstance(want, ShowTriage))
    golden("triage/hostile.md", comment.note.body)


def test_what_people_decided_stays(forge: StillForge, ctx: Context) -> None:
    """A label or an assignee that a person set is not touched."""
    assert opened(forge, ctx, labels=("type/question",), assignees=(IRIS,)) == [
        SetLabels(issue().ref, add=("area/app",), key=f"labels:{issue().ref}")
    ]


def test_closed_issues_and_pulls_are_left_alone(forge: StillForge, ctx: Context) -> None:
    """Only open issues of the team's repositories are routed."""
    assert opened(forge, ctx, is_open=False) == []
    assert opened(forge, ctx, is_pull=True) == []


def test_nothing_to_go_by(ctx: Context) -> None:
    """What points nowhere goes to the first lane, as the last kind."""
    found = decide(issue(title="Hm", author=MARA), ctx.team)
    assert found.kind is not None
    assert (found.kind.label, found.lane.name, found.by) == ("type/task", "app", DecidedBy.DEFAULT)
    assert (found.kind_words, found.lane_words) == ((), ())


def test_words_are_whole_words() -> None:
    """`0` is not found in `10`, and case does not matter."""
    assert hits(("0", "Hive"), "10 beehives, HIVE: 0") == ("0", "Hive")
    assert hits(("0",), "10") == ()


def test_paths_are_matched_by_pattern() -> None:
    """A path in the text counts for the lane whose pattern it matches."""
    assert path_hits(("apiary/*",), "see apiary/page.py and docs/x.md, apiary/page.py") == ("apiary/page.py",)
    assert APP.path == "acme/app"


@pytest.mark.parametrize("word", ["x", "x-", "x.", "--- a/", "x/", "/", "."])
def test_a_long_word_is_read_once(word: str) -> None:
    """A megabyte without a space is read as fast as any other: whoever may file an issue must not stop the worker."""
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from bots.triage.words import path_hits; path_hits(('app/*',), sys.stdin.read())",
        ],
        input=word * (1_000_000 // len(word)),
        text=True,
        timeout=300,  # it took days
    )
    assert process.returncode == 0


def test_paths_of_a_diff_are_those_of_its_files() -> None:
    """Neither the sides that git names nor the file that is not there is a path of the repository."""
    new = "```diff\n--- /dev/null\n+++ b/apiary/page.py\n@@ -0,0 +1 @@\n+x\n```"
    moved = "diff --git a/apiary/a.py b/docs/b.md\nsimilarity index 100%"
    assert path_hits(("*",), new) == ("apiary/page.py",)
    assert path_hits(("apiary/*", "docs/*"), moved) == ("apiary/a.py", "docs/b.md")
    assert path_hits(("a/*", "b/*"), "see a/page.py and b/x.md") == ("a/page.py", "b/x.md")
