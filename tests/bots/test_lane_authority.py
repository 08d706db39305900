"""Who may start, move and end an agent's run, and what of a review, a timeline and a subject's state counts for that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bots.bot import AGENTS, Context
from bots.intents import BlockRun, ContinueRun, EndRun, Intent, PostComment, RequestReview, StartRun, SyncStateLabels
from bots.lane import MAX_WISH, bot
from bots.review_rounds import ReviewRound
from bots.views import RunView
from forge.conversation import Conversation
from forge.events import (
    CommentPosted,
    IssueAssigned,
    IssueClosed,
    IssueLabeled,
    IssueOpened,
    PullClosed,
    PullMerged,
    PullReviewed,
)
from forge.models import Comment, Ref, Review, ReviewComment, ReviewState, TimelineEvent, User
from tests.bots.conftest import APP, ARGUS, CONFIG, CORE, EVE, IRIS, MARA, NOON, Still, StillForge, issue, pull

ISSUE, PULL = Ref(APP, 1), Ref(APP, 2)
RUN = RunView(id=5, agent="iris", issue=ISSUE, state="open", pull=PULL)
NOAH = User(7, "noah")


def row(
    actor: User | None, *, user: User | None = IRIS, kind: str = "assignees", removed: bool = False
) -> TimelineEvent:
    """A row of a timeline: somebody assigned iris."""
    return TimelineEvent(9, kind, actor, NOON, user=user, removed=removed)


def review(author: User, state: ReviewState, *, number: int = 70, dismissed: bool = False) -> Review:
    """A review of the run's pull request."""
    return Review(number, PULL, author, state, "Look:", "a" * 40, True, False, dismissed, NOON, "")


@pytest.fixture
def started(forge: StillForge, ctx: Context) -> Callable[..., list[str]]:
    """The agents that start when an issue is assigned, with what differs of the issue."""

    def agents(**differs: Any) -> list[str]:
        forge.issues[ISSUE] = issue(assignees=(IRIS,), **differs)
        wanted = bot.handle(IssueAssigned(ISSUE, MARA, "k"), ctx)
        return [intent.agent for intent in wanted if isinstance(intent, StartRun)]

    return agents


@pytest.fixture
def running(forge: StillForge, still: Still) -> Still:
    """A run with a pull request."""
    forge.issues[ISSUE] = issue(assignees=(IRIS,))
    forge.pulls[PULL] = pull(2)
    still.runs = {ISSUE: RUN, PULL: RUN}
    return still


def reviewed(forge: StillForge, ctx: Context, *reviews: Review) -> list[Intent]:
    """What is wanted once a pull request has these reviews."""
    forge.reviewed[PULL] = list(reviews)
    return bot.handle(PullReviewed(PULL, EVE, "k"), ctx)


def test_machines_that_move_runs() -> None:
    """Of the hive's own accounts it listens to those that assign, review and close, and to agents."""
    assert bot.listens_to_bots == {"triage", "core", "review", AGENTS}


@pytest.mark.parametrize(
    ("rows", "starts"),
    [
        ([row(MARA)], True),
        ([row(EVE)], False),
        ([row(None)], False),
        ([row(MARA), row(EVE)], False),
        ([row(EVE), row(MARA)], True),
        ([row(MARA), row(EVE, removed=True)], True),
        ([row(EVE), row(MARA, removed=True)], False),
        ([row(EVE), row(MARA, user=NOAH)], False),
        ([row(MARA), row(EVE, user=NOAH)], True),
        ([row(EVE), row(MARA, user=None)], False),
        ([row(EVE), row(MARA, kind="review_request")], False),
        ([row(MARA), row(EVE, kind="review_request")], True),
    ],
)
def test_the_last_who_assigned_this_agent_decides(
    forge: StillForge, started: Callable[..., list[str]], rows: list[TimelineEvent], starts: bool
) -> None:
    """Not who assigned somebody else, nor who took an assignment away, nor who asked the agent for another thing."""
    forge.rows[ISSUE] = rows
    assert started(author=MARA) == (["iris"] if starts else [])


def test_each_agent_that_is_assigned_starts(forge: StillForge, ctx: Context) -> None:
    """Beside people and other agents, each by the word of whoever assigned it."""
    team = replace(ctx.team, agents={"iris": IRIS, "noah": NOAH})
    forge.issues[ISSUE] = issue(assignees=(EVE, NOAH, MARA, IRIS))
    forge.rows[ISSUE] = [row(MARA), row(MARA, user=NOAH)]
    starts = bot.handle(IssueAssigned(ISSUE, MARA, "k"), replace(ctx, team=team))
    assert [(one.agent, one.key) for one in starts if isinstance(one, StartRun)] == [
        ("noah", "start:noah:k"),
        ("iris", "start:iris:k"),
    ]
    forge.rows[ISSUE] = [row(MARA), row(EVE, user=NOAH)]
    starts = bot.handle(IssueAssigned(ISSUE, MARA, "k"), replace(ctx, team=team))
    assert [one.agent for one in starts if isinstance(one, StartRun)] == ["iris"]


def test_only_open_issues_of_the_teams_repositories_are_work(
    forge: StillForge, ctx: Context, started: Callable[..., list[str]]
) -> None:
    """A pull request, a closed issue and an issue elsewhere start nothing, whoever assigned."""
    forge.rows[ISSUE] = [row(MARA)]
    assert started() == ["iris"]
    assert started(is_pull=True) == []
    assert started(is_open=False) == []
    elsewhere = Ref(CONFIG, 1)
    forge.issues[elsewhere] = issue(ref=elsewhere, assignees=(IRIS,))
    forge.rows[elsewhere] = [row(MARA)]
    assert bot.handle(IssueAssigned(elsewhere, MARA, "k"), ctx) == []


def test_what_is_over_or_of_another_agent_is_no_run_of_this_one(
    forge: StillForge, still: Still, started: Callable[..., list[str]]
) -> None:
    """An agent starts where its last run has ended, and where another agent is at it."""
    forge.rows[ISSUE] = [row(MARA)]
    for run, starts in ((RUN, False), (replace(RUN, state="merged"), True), (replace(RUN, agent="noah"), True)):
        still.runs = {ISSUE: run}
        assert started() == (["iris"] if starts else [])


def test_an_issue_may_be_filed_as_an_order(forge: StillForge, ctx: Context) -> None:
    """An assignment that is part of filing starts a run, and labels that only the hive sets are put right, here only."""
    forge.issues[ISSUE] = issue(assignees=(IRIS,))
    start, _ = bot.handle(IssueOpened(ISSUE, MARA, "k"), ctx)
    assert isinstance(start, StartRun)
    forge.issues[ISSUE] = issue(labels=("type/bug", "state/review"))
    assert bot.handle(IssueOpened(ISSUE, EVE, "k"), ctx) == [SyncStateLabels(ISSUE, key="show:k")]
    elsewhere = Ref(CONFIG, 1)
    forge.issues[elsewhere] = issue(ref=elsewhere, labels=("state/review",))
    assert bot.handle(IssueOpened(elsewhere, EVE, "k"), ctx) == []


def test_agents_that_cannot_begin_keep_nobody_from_it(forge: StillForge, ctx: Context) -> None:
    """In an empty repository each of several agents says so, under a key of its own."""
    team = replace(ctx.team, agents={"iris": IRIS, "noah": NOAH})
    forge.issues[ISSUE] = issue(assignees=(IRIS, NOAH))
    forge.empty.add(APP)
    said = bot.handle(IssueAssigned(ISSUE, MARA, "k"), replace(ctx, team=team))
    assert [one.key for one in said] == [f"empty:iris:{ISSUE}", f"empty:noah:{ISSUE}"]


@pytest.mark.parametrize("state", ["merged", "closed", "blocked"])
def test_a_run_that_is_not_open_is_not_moved(forge: StillForge, running: Still, ctx: Context, state: str) -> None:
    """Comments and reviews, also of operators, move and end nothing that is over."""
    running.runs = {ISSUE: replace(RUN, state=state), PULL: replace(RUN, state=state)}
    forge.said[PULL] = [Comment(30, PULL, MARA, "Shorter, please.", NOON, NOON, "")]
    assert bot.handle(CommentPosted(PULL, MARA, "k", 30), ctx) == []
    assert reviewed(forge, ctx, review(MARA, ReviewState.REQUEST_CHANGES)) == []
    assert bot.handle(PullMerged(PULL, MARA, "k"), ctx) == []


def test_what_no_run_belongs_to_is_left_alone(forge: StillForge, ctx: Context) -> None:
    """Comments, reviews, merges and closings where no agent works want nothing, but that labels are put right."""
    forge.issues[ISSUE] = issue(is_open=False)
    forge.pulls[PULL] = pull(2)
    forge.said[PULL] = [Comment(30, PULL, MARA, "Shorter, please.", NOON, NOON, "")]
    assert bot.handle(CommentPosted(PULL, MARA, "k", 30), ctx) == []
    assert reviewed(forge, ctx, review(MARA, ReviewState.REQUEST_CHANGES)) == []
    assert bot.handle(PullMerged(PULL, MARA, "k"), ctx) == []
    assert bot.handle(PullClosed(PULL, MARA, "k"), ctx) == []
    assert bot.handle(IssueClosed(ISSUE, MARA, "k"), ctx) == [SyncStateLabels(ISSUE, key="show:k")]
    elsewhere = Ref(CONFIG, 1)
    forge.issues[elsewhere] = issue(ref=elsewhere, is_open=False)
    assert bot.handle(IssueClosed(elsewhere, MARA, "k"), ctx) == []


def test_an_issue_that_is_closed_before_there_is_a_pull_request_ends_its_run(
    forge: StillForge, still: Still, ctx: Context
) -> None:
    """Nothing was merged then."""
    still.runs = {ISSUE: replace(RUN, pull=None)}
    forge.issues[ISSUE] = issue(is_open=False)
    assert bot.handle(IssueClosed(ISSUE, MARA, "k"), ctx) == [
        EndRun(5, "closed", key="end:5"),
        SyncStateLabels(ISSUE, key="show:k"),
    ]


def test_words_that_are_gone_move_nobody(forge: StillForge, running: Still, ctx: Context) -> None:
    """A comment that was deleted before anybody looked is no message."""
    forge.said[PULL] = [Comment(31, PULL, MARA, "Longer, please.", NOON, NOON, "")]
    assert bot.handle(CommentPosted(PULL, MARA, "k", 30), ctx) == []


def test_who_says_something_is_told_with_it(forge: StillForge, running: Still, ctx: Context) -> None:
    """An agent is told where something was said, by whom and what they are to the team, and whether it was edited."""
    edited = NOON + timedelta(hours=1)
    forge.said[PULL] = [
        Comment(30, PULL, MARA, "Shorter, please.", NOON, NOON, ""),
        Comment(31, PULL, MARA, "Longer, please.", NOON, edited, ""),
    ]
    plain, altered = (bot.handle(CommentPosted(PULL, MARA, "k", number), ctx)[0] for number in (30, 31))
    assert isinstance(plain, ContinueRun)
    assert isinstance(altered, ContinueRun)
    assert plain.message.startswith("There is a new comment on #2:")
    assert "mara" in plain.message
    assert "an operator" in plain.message
    assert "edited afterwards" not in plain.message
    assert "an operator; edited afterwards" in altered.message
    assert (plain.about, plain.head_sha, plain.answers) == ((), "", None)


def test_a_reply_on_code_is_answered_where_it_was_said(forge: StillForge, running: Still, ctx: Context) -> None:
    """What an operator says in a conversation on a line goes on there, with the head that it was said of."""
    forge.reviewed[PULL] = [review(ARGUS, ReviewState.COMMENT)]
    forge.remarks[70] = [
        ReviewComment("x.py", 12, "🟡 Why?", id=40, author=ARGUS, created_at=NOON, updated_at=NOON),
        ReviewComment("x.py", 12, "Because.", id=44, author=MARA, created_at=NOON, updated_at=NOON),
    ]
    (go_on,) = bot.handle(CommentPosted(PULL, MARA, "k", 44), ctx)
    assert isinstance(go_on, ContinueRun)
    place = Conversation(PULL, 70, 40)
    assert (go_on.about, go_on.head_sha, go_on.answers) == ((place,), "a" * 40, place)
    assert "of the hive" in go_on.message
    nobody = ReviewComment("x.py", 12, "🟡 Why?", id=40, created_at=NOON, updated_at=NOON)
    forge.remarks[70][0] = nobody
    (go_on,) = bot.handle(CommentPosted(PULL, MARA, "k", 44), ctx)
    assert isinstance(go_on, ContinueRun)
    assert "not of the team" in go_on.message


@pytest.mark.parametrize(("length", "hints"), [(MAX_WISH, 1), (MAX_WISH + 1, 0)])
def test_a_wish_is_short(forge: StillForge, running: Still, ctx: Context, length: int, hints: int) -> None:
    """Who writes more than a few words means more than one thing by them; either way the agent gets them."""
    forge.said[PULL] = [Comment(30, PULL, MARA, f"  stop{'!' * (length - 4)}\n\n", NOON, NOON, "")]
    go_on, *others = bot.handle(CommentPosted(PULL, MARA, "k", 30), ctx)
    assert isinstance(go_on, ContinueRun)
    assert len([one for one in others if isinstance(one, PostComment)]) == hints
    assert MAX_WISH == 200


@pytest.mark.parametrize(
    ("author", "state", "moves"),
    [
        (MARA, ReviewState.REQUEST_CHANGES, True),
        (MARA, ReviewState.COMMENT, True),
        (MARA, ReviewState.APPROVED, False),
        (MARA, ReviewState.PENDING, False),
        (ARGUS, ReviewState.REQUEST_CHANGES, True),
        (ARGUS, ReviewState.COMMENT, False),
        (CORE, ReviewState.REQUEST_CHANGES, True),
        (IRIS, ReviewState.REQUEST_CHANGES, False),
        (EVE, ReviewState.REQUEST_CHANGES, False),
        (EVE, ReviewState.COMMENT, False),
    ],
)
def test_whose_review_moves_an_agent(
    forge: StillForge, running: Still, ctx: Context, author: User, state: ReviewState, *, moves: bool
) -> None:
    """An operator's words and rejections do, the hive's rejections too; strangers, approvals and the agent itself do not."""
    wanted = reviewed(forge, ctx, review(author, state))
    assert [type(intent) for intent in wanted] == ([ContinueRun] if moves else [])
    for intent in wanted:
        assert isinstance(intent, ContinueRun)
        assert (intent.run, intent.by_person, intent.key) == (5, author == MARA, f"review:{APP}:70")


@pytest.mark.parametrize("author", [MARA, ARGUS])
def test_a_dismissed_review_wants_nothing(forge: StillForge, running: Still, ctx: Context, author: User) -> None:
    """Whoever takes a rejection back, or has it taken back, moves nobody by it."""
    assert reviewed(forge, ctx, review(author, ReviewState.REQUEST_CHANGES, dismissed=True)) == []


def test_an_agent_of_another_run_may_reject(forge: StillForge, running: Still, ctx: Context) -> None:
    """Of agents only the one whose pull request it is cannot review it."""
    two = replace(ctx, team=replace(ctx.team, agents={"iris": IRIS, "noah": NOAH}))
    (go_on,) = reviewed(forge, two, review(NOAH, ReviewState.REQUEST_CHANGES))
    assert isinstance(go_on, ContinueRun)


@pytest.mark.parametrize(
    ("reviews", "passed"),
    [
        ([], False),
        ([review(ARGUS, ReviewState.APPROVED)], True),
        ([review(ARGUS, ReviewState.COMMENT)], False),
        ([review(ARGUS, ReviewState.APPROVED, dismissed=True)], False),
        ([review(MARA, ReviewState.APPROVED)], False),
        ([review(EVE, ReviewState.APPROVED)], False),
        ([review(ARGUS, ReviewState.REQUEST_CHANGES, dismissed=True), review(ARGUS, ReviewState.APPROVED)], True),
        ([review(ARGUS, ReviewState.APPROVED), review(EVE, ReviewState.REQUEST_CHANGES)], True),
        ([review(ARGUS, ReviewState.APPROVED), review(ARGUS, ReviewState.REQUEST_CHANGES)], False),
    ],
)
def test_only_the_hives_last_review_passes(
    forge: StillForge, running: Still, ctx: Context, reviews: list[Review], *, passed: bool
) -> None:
    """An operator is asked for what review approved last; an approval that was dismissed or is anybody else's does not count."""
    asked = [one for one in reviewed(forge, ctx, *reviews) if isinstance(one, RequestReview)]
    assert asked == ([RequestReview(PULL, ("mara",), key=f"call:{PULL}")] if passed else [])
    without = replace(ctx, team=replace(ctx.team, accounts={"core": CORE}))
    assert not [one for one in reviewed(forge, without, *reviews) if isinstance(one, RequestReview)]


def test_a_review_counts_on_the_runs_own_pull_request(forge: StillForge, running: Still, ctx: Context) -> None:
    """A pull request that merely belongs to the same issue is not the agent's."""
    other = Ref(APP, 3)
    running.runs[other] = RUN
    forge.reviewed[other] = [review(MARA, ReviewState.REQUEST_CHANGES)]
    assert bot.handle(PullReviewed(other, MARA, "k"), ctx) == []


def test_a_comment_passes_where_nobody_approves(forge: StillForge, running: Still, ctx: Context) -> None:
    """Where a repository wants no approvals of a bot, an operator is asked when the round of that head wants nothing."""
    for verdict, head, asked in (("GOOD", "a", 1), ("REMARKS", "a", 1), ("BLOCKED", "a", 0), ("GOOD", "d", 0)):
        said = review(ARGUS, ReviewState.COMMENT)
        running.rounds = {
            said.ref: ReviewRound(1, said.head_sha if head == "a" else "d" * 40, "main", "b" * 40, verdict)
        }
        wanted = [one for one in reviewed(forge, ctx, said) if isinstance(one, RequestReview)]
        assert len(wanted) == asked, verdict


@pytest.mark.parametrize(("turns", "stops"), [(2, False), (3, True), (4, True)])
def test_bots_have_three_rounds(forge: StillForge, running: Still, ctx: Context, turns: int, stops: bool) -> None:
    """A rejection of the hive moves a run three times in a row and then stops it; what comes behind it waits too."""
    running.runs[PULL] = replace(RUN, bot_turns=turns)
    rejections = (review(ARGUS, ReviewState.REQUEST_CHANGES), review(MARA, ReviewState.REQUEST_CHANGES, number=71))
    wanted = reviewed(forge, ctx, *rejections)
    assert [type(one) for one in wanted] == ([PostComment, BlockRun] if stops else [ContinueRun, ContinueRun])
    assert [one.key for one in wanted] == (["stuck:5:0"] * 2 if stops else [f"review:{APP}:70", f"review:{APP}:71"])


def test_a_review_behind_a_known_one_is_told(forge: StillForge, running: Still, ctx: Context) -> None:
    """What the run was told of already, and what wants nothing, hide nothing that comes after."""
    running.runs[PULL] = replace(RUN, causes=frozenset({f"review:{APP}:70"}))
    (go_on,) = reviewed(
        forge,
        ctx,
        review(ARGUS, ReviewState.REQUEST_CHANGES),
        review(EVE, ReviewState.COMMENT, number=71),
        review(MARA, ReviewState.COMMENT, number=72),
    )
    assert isinstance(go_on, ContinueRun)
    assert go_on.key == f"review:{APP}:72"


def test_what_a_review_is_about(forge: StillForge, running: Still, ctx: Context) -> None:
    """Its remarks are conversations on the head; a single one without other words is answered where it stands."""

    def told(author: User, *lines: int, body: str = "") -> ContinueRun:
        one = replace(review(author, ReviewState.REQUEST_CHANGES), body=body)
        forge.remarks[70] = [ReviewComment("x.py", line, "Why?", id=line, author=author) for line in lines]
        (go_on,) = reviewed(forge, ctx, one)
        assert isinstance(go_on, ContinueRun)
        return go_on

    first, second = Conversation(PULL, 70, 12), Conversation(PULL, 70, 13)
    cases = [
        (told(MARA, 12), (first,), "a" * 40, first),
        (told(MARA, 12, body="Look:"), (first,), "a" * 40, None),
        (told(MARA, 12, 13), (first, second), "a" * 40, None),
        (told(MARA, body="Look:"), (), "", None),
    ]
    for go_on, about, head_sha, answers in cases:
        assert (go_on.about, go_on.head_sha, go_on.answers) == (about, head_sha, answers)
    assert "reviewed at aaaaaaa: request changes." in told(MARA, body="Look:").message
    assert "Look:" in told(MARA, body="Look:").message


def test_labels_are_put_right_behind_people_only(forge: StillForge, ctx: Context) -> None:
    """In the team's repositories, and not behind the hive's own accounts: that would have no end."""
    forge.issues[ISSUE] = issue()
    for actor in (EVE, MARA):
        assert bot.handle(IssueLabeled(ISSUE, actor, "k"), ctx) == [SyncStateLabels(ISSUE, key="show:k")]
    for actor in (CORE, IRIS, ARGUS):
        assert bot.handle(IssueLabeled(ISSUE, actor, "k"), ctx) == []
