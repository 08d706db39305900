"""What happens to a run's pull request comes back to its agent: reviews, red checks and conflicts, each once, and not for ever."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bots.bot import Context
from bots.intents import BlockRun, ContinueRun, PostComment, RequestReview
from bots.lane import bot
from bots.views import RunView
from forge.events import Event, PullChanged, PullConflicted, PullReviewed, StatusFailed
from forge.models import CommitStatus, Ref, Review, ReviewState, State
from tests.bots.conftest import APP, ARGUS, IRIS, MARA, NOON, Still, StillForge, issue, pull

Golden = Callable[[str, str], None]
ISSUE, PULL = Ref(APP, 1), Ref(APP, 2)
HEAD = "a" * 40
RUN = RunView(id=5, agent="iris", issue=ISSUE, state="open", pull=PULL)
RED = CommitStatus("ci/test", State.FAILURE, "2 of 30 failed </check 0>", "https://ci.invalid/7")
BROKEN = CommitStatus("ci/build", State.ERROR)
GREEN = CommitStatus("ci/lint", State.SUCCESS)
OURS = CommitStatus("hive/review", State.FAILURE, "🔴 1 to fix")
FAILED = StatusFailed(PULL, MARA, "k")
CONFLICTED = PullConflicted(PULL, MARA, "k")
CHANGED = PullChanged(PULL, IRIS, "k")


@pytest.fixture(autouse=True)
def running(forge: StillForge, still: Still) -> Still:
    """A run whose pull request is ready."""
    forge.issues[ISSUE], forge.pulls[PULL] = issue(assignees=(IRIS,)), pull(2)
    still.runs = {ISSUE: RUN, PULL: RUN}
    return still


def review(state: ReviewState, head: str = HEAD) -> Review:
    """A review of argus'."""
    return Review(70, PULL, ARGUS, state, "Look:", head, True, False, False, NOON, "")


def test_red_checks_golden(forge: StillForge, ctx: Context, golden: Golden) -> None:
    """Red checks of the head are told together, in fences, once for each head; the hive's own and green ones are not."""
    forge.states[HEAD] = [RED, GREEN, OURS, BROKEN]
    (turn,) = bot.handle(FAILED, ctx)
    assert isinstance(turn, ContinueRun)
    assert (turn.run, turn.by_person, turn.key) == (5, False, f"ci:{PULL}:{HEAD}")
    golden("lane/checks.md", turn.message)


def test_a_conflict_golden(forge: StillForge, ctx: Context, golden: Golden) -> None:
    """A base that moved into conflict is told with what to do, once for each head."""
    forge.pulls[PULL] = pull(2, mergeable=False)
    (turn,) = bot.handle(CONFLICTED, ctx)
    assert isinstance(turn, ContinueRun)
    assert (turn.by_person, turn.key) == (False, f"conflict:{PULL}:{HEAD}")
    golden("lane/conflict.md", turn.message)


@pytest.mark.parametrize("event", [FAILED, CONFLICTED])
def test_what_is_over_is_not_told(forge: StillForge, still: Still, ctx: Context, event: Event) -> None:
    """What is green, or mergeable, by the time that it is looked at moves nobody; nor does what is closed or not a run's."""
    forge.states[HEAD] = [GREEN, OURS]
    assert bot.handle(event, ctx) == []
    forge.states[HEAD] = [RED]
    for now in (pull(2, mergeable=False, is_open=False), pull(2, mergeable=False, draft=True)):
        forge.pulls[PULL] = now
        assert bot.handle(event, ctx) == []
    forge.pulls[PULL] = pull(2, mergeable=False)
    still.runs = {PULL: replace(RUN, state="ended")}
    assert bot.handle(event, ctx) == []


@pytest.mark.parametrize(("event", "key"), [(FAILED, f"ci:{PULL}:{HEAD}"), (CONFLICTED, f"conflict:{PULL}:{HEAD}")])
def test_once_for_each_head(forge: StillForge, still: Still, ctx: Context, event: Event, key: str) -> None:
    """A run that was told already is not told again, however often that is seen."""
    forge.states[HEAD], forge.pulls[PULL] = [RED], pull(2, mergeable=False)
    still.runs = {PULL: replace(RUN, causes=frozenset({key}), bot_turns=3)}
    assert bot.handle(event, ctx) == []


@pytest.mark.parametrize(("event", "name"), [(FAILED, "checks"), (CONFLICTED, "conflict")])
def test_rounds_are_bounded_golden(forge: StillForge, ctx: Context, golden: Golden, event: Event, name: str) -> None:
    """After three rounds without a person the operators are called once, with what is left, and the run waits for them."""
    forge.states[HEAD], forge.pulls[PULL] = [RED], pull(2, mergeable=False)
    stuck = Still(runs={PULL: replace(RUN, bot_turns=3, causes=frozenset({"a", "b", "c"}))})
    ctx = replace(ctx, history=stuck)
    comment, block = bot.handle(event, ctx)
    assert isinstance(comment, PostComment)
    assert isinstance(block, BlockRun)
    assert comment.key == block.key == "stuck:5:3"
    golden(f"lane/stuck-{name}.md", comment.body)


def test_a_draft_waits(forge: StillForge, ctx: Context) -> None:
    """What the review says of a draft is passed on when it is ready, if it is about that head; people are heard at once."""
    forge.reviewed[PULL] = [review(ReviewState.REQUEST_CHANGES)]
    forge.pulls[PULL] = pull(2, draft=True)
    assert bot.handle(PullReviewed(PULL, ARGUS, "k"), ctx) == []
    assert bot.handle(CHANGED, ctx) == []
    mine = replace(review(ReviewState.REQUEST_CHANGES), author=MARA)
    forge.reviewed[PULL] = [mine]
    assert [type(each) for each in bot.handle(PullReviewed(PULL, MARA, "k"), ctx)] == [ContinueRun]
    forge.reviewed[PULL] = [review(ReviewState.REQUEST_CHANGES)]
    forge.pulls[PULL] = pull(2)
    (turn,) = bot.handle(CHANGED, ctx)
    assert isinstance(turn, ContinueRun)
    assert turn.key == f"review:{APP}:70"
    forge.reviewed[PULL] = [review(ReviewState.REQUEST_CHANGES, head="b" * 40)]
    assert bot.handle(CHANGED, ctx) == []


def test_a_draft_calls_nobody(forge: StillForge, ctx: Context) -> None:
    """Operators are asked for a review of what is ready, not of a draft."""
    forge.reviewed[PULL] = [review(ReviewState.APPROVED)]
    forge.pulls[PULL] = pull(2, draft=True)
    assert bot.handle(PullReviewed(PULL, ARGUS, "k"), ctx) == []
    forge.pulls[PULL] = pull(2)
    assert [type(each) for each in bot.handle(CHANGED, ctx)] == [RequestReview]


def test_red_checks_of_a_former_draft(forge: StillForge, ctx: Context) -> None:
    """Checks that failed while it was a draft are told when it is ready."""
    forge.states[HEAD] = [RED]
    (turn,) = bot.handle(CHANGED, ctx)
    assert isinstance(turn, ContinueRun)
    assert turn.key == f"ci:{PULL}:{HEAD}"
