"""What wakes an agent and what does not: every kind of event, by whom, and how it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from bots import lane, wakes
from bots.agent_intents import GiveWork
from bots.bot import Context
from bots.intents import AnswerQuestion, Assign, ContinueRun, Intent, PostComment, React, StartRun
from bots.views import QuestionView, RunView
from bots.wake_kind import Wake
from forge import event_keys
from forge.events import (
    EVENTS,
    CommentPosted,
    Event,
    IssueAssigned,
    IssueClosed,
    IssueEdited,
    IssueLabeled,
    IssueOpened,
    IssueTakenIn,
    PullChanged,
    PullClosed,
    PullConflicted,
    PullMerged,
    PullReviewed,
    ReviewAsked,
    ReviewerRequested,
    StatusFailed,
    SubjectChanged,
    WorkEnded,
)
from forge.models import Comment, CommitStatus, Ref, Review, ReviewState, State, TimelineEvent, User
from hive.worker.loop_guard import subscribes
from tests.bots.conftest import APP, ARGUS, CONFIG, CORE, EVE, IRIS, MARA, NOON, Still, StillForge, issue, pull

ISSUE, PULL = Ref(APP, 1), Ref(APP, 2)
MILO, NOAH, TRIAGE = User(50, "milo"), User(7, "noah"), User(8, "triage")
RUN = RunView(id=5, agent="iris", issue=ISSUE, state="open", pull=PULL)
WAKING = (StartRun, ContinueRun, AnswerQuestion, Assign, GiveWork)
"""What gives an agent a turn, or work from which one comes."""

EVERYBODY = [MARA, MILO, EVE, CORE, TRIAGE, ARGUS, IRIS, NOAH]
HIVE = [CORE, TRIAGE]


@dataclass
class World:
    """Iris works on #1 with the pull request #2; noah has nothing to do. An act is a test's."""

    forge: StillForge
    still: Still
    ctx: Context
    at_work: bool = True

    def comment(self, by: User, body: str, ref: Ref = ISSUE, *, edited: bool = False) -> CommentPosted:
        """Somebody comments."""
        at = NOON + timedelta(hours=edited)
        self.forge.said[ref] = [Comment(30, ref, by, body, NOON, at, "")]
        return CommentPosted(ref, by, "k", 30)

    def row(self, kind: str, by: User | None, **more: Any) -> None:
        """A row of the issue's timeline, or of the pull request's for a request."""
        ref = PULL if kind == "review_request" else ISSUE
        rows = self.forge.rows.setdefault(ref, [])
        rows.append(TimelineEvent(len(rows) + 1, kind, by, NOON + timedelta(minutes=len(rows)), **more))

    def woken(self, event: Event) -> list[Intent]:
        """What gives an agent a turn, of all that the bots want that hear the event."""
        bots = [bot for bot in (lane.bot, wakes.bot) if subscribes(bot, event, self.ctx.team)]
        return [intent for bot in bots for intent in bot.handle(event, self.ctx) if isinstance(intent, WAKING)]


@pytest.fixture
def world(forge: StillForge, still: Still, ctx: Context) -> World:
    """A team of two agents, and a triage bot with an account of its own."""
    lanes = (*ctx.team.lanes, replace(ctx.team.lanes[0], name="docs", agent="noah", label="area/docs"))
    accounts = {**ctx.team.accounts, "triage": TRIAGE}
    team = replace(ctx.team, agents={"iris": IRIS, "noah": NOAH}, accounts=accounts, lanes=lanes)
    forge.issues = {ISSUE: issue(assignees=(IRIS,)), PULL: issue(2, is_pull=True, author=IRIS)}
    forge.pulls[PULL] = pull(2)
    still.runs = {ISSUE: RUN, PULL: RUN}
    return World(forge, still, replace(ctx, team=team))


Act = Callable[[World, User], Event]


@dataclass(frozen=True)
class Row:
    """One kind of event: how it comes about, and whose wakes an agent."""

    kind: type[Event]
    name: str
    act: Act
    wakes: list[User] = field(default_factory=list)


def idle(world: World, **differs: Any) -> None:
    """Nobody is at work, and nobody is assigned."""
    world.still.runs = {}
    world.forge.issues[ISSUE] = issue(**differs)


def assign(world: World, by: User) -> Event:
    idle(world, assignees=(NOAH,))
    world.row("assignees", by, user=NOAH)
    return IssueAssigned(ISSUE, by, "k")


def unassign(world: World, by: User) -> Event:
    idle(world)
    world.row("assignees", MARA, user=NOAH)
    world.row("assignees", by, user=NOAH, removed=True)
    return IssueAssigned(ISSUE, by, "k")


def answer(world: World, by: User) -> Event:
    world.still.questions = {5: QuestionView(1, "Which?", ("a", "b"), MILO.id, 20)}
    return world.comment(by, "2")


def mention(world: World, by: User, body: str = "@noah what do you think?", **how: Any) -> Event:
    return world.comment(by, body, **how)


def mention_edited(world: World, by: User) -> Event:
    idle(world)
    return world.comment(by, "@noah", edited=True)


def mention_where_nobody_works(world: World, by: User) -> Event:
    idle(world)
    return world.comment(by, "@noah please")


def speak(world: World, by: User) -> Event:
    idle(world)
    return world.comment(by, "noah might know")


def mention_elsewhere(world: World, by: User) -> Event:
    elsewhere = Ref(CONFIG, 1)
    world.forge.issues[elsewhere] = issue(ref=elsewhere)
    return world.comment(by, "@noah", elsewhere)


def mention_on_a_closed_one(world: World, by: User) -> Event:
    idle(world, is_open=False)
    return world.comment(by, "@noah")


def swapped(world: World, by: User) -> Event:
    idle(world)
    return replace(world.comment(by, "@noah"), digest=event_keys.digest("another text"))


def hidden_behind(body: str) -> Act:
    def act(world: World, by: User) -> Event:
        idle(world)
        return world.comment(by, body)

    return act


def lane_label(world: World, by: User, label: str = "area/docs", *labels: str) -> Event:
    idle(world, labels=(label, *labels))
    world.row("label", by, label=label)
    return IssueLabeled(ISSUE, by, "k")


def lane_label_and_words(world: World, by: User) -> Event:
    event = lane_label(world, by)
    world.row("comment", EVE)
    return event


def other_label(world: World, by: User) -> Event:
    return lane_label(world, by, "type/bug", "area/docs")


def label_taken_away(world: World, by: User) -> Event:
    idle(world)
    world.row("label", by, label="area/docs")
    world.row("label", by, label="area/docs", removed=True)
    return IssueLabeled(ISSUE, by, "k")


def label_after_taking_off(world: World, by: User) -> Event:
    idle(world, labels=("area/docs",))
    world.row("label", by, label="area/docs")
    world.row("assignees", MARA, user=NOAH, removed=True)
    return IssueLabeled(ISSUE, by, "k")


def label_of_what_is_assigned(world: World, by: User) -> Event:
    event = lane_label(world, by)
    world.forge.issues[ISSUE] = issue(labels=("area/docs",), assignees=(IRIS,))
    world.still.runs = {ISSUE: replace(RUN, state="ended")}
    return event


def release(world: World, by: User, author: User = EVE) -> Event:
    idle(world, labels=("area/docs", "ready"), author=author)
    world.row("label", TRIAGE, label="area/docs")
    world.row("label", by, label="ready")
    return IssueLabeled(ISSUE, by, "k")


def release_of_a_suspected_one(world: World, by: User) -> Event:
    event = release(world, by)
    world.forge.issues[ISSUE] = issue(labels=("area/docs", "ready", "risk/injection"), author=EVE)
    return event


def request(world: World, by: User, *, removed: bool = False) -> Event:
    world.forge.pulls[PULL] = pull(2, reviewers=() if removed else (NOAH, MILO))
    world.row("review_request", by, user=NOAH)
    if removed:
        world.row("review_request", by, user=NOAH, removed=True)
    return ReviewerRequested(PULL, by, "k")


def request_of_its_author(world: World, by: User) -> Event:
    world.forge.pulls[PULL] = pull(2, reviewers=(IRIS,))
    world.row("review_request", by, user=IRIS)
    return ReviewerRequested(PULL, by, "k")


def red(world: World, by: User) -> Event:
    world.forge.states["a" * 40] = [CommitStatus("ci", State.FAILURE, "broken", "")]
    return StatusFailed(PULL, by, "k")


def red_of_somebody(world: World, by: User) -> Event:
    world.still.runs = {}
    return red(world, by)


def conflict(world: World, by: User) -> Event:
    world.forge.pulls[PULL] = pull(2, mergeable=False)
    return PullConflicted(PULL, by, "k")


def review(world: World, by: User) -> Event:
    world.forge.reviewed[PULL] = [
        Review(70, PULL, by, ReviewState.REQUEST_CHANGES, "No.", "a" * 40, True, False, False, NOON, "")
    ]
    return PullReviewed(PULL, by, "k")


def announcement(world: World, by: User) -> Event:
    idle(world, author=by, title="A freeze", body="@hive/agents: from Friday on.")
    return IssueOpened(ISSUE, by, "k")


def filed(world: World, by: User) -> Event:
    idle(world, author=by, body="@noah should see this")
    return IssueOpened(ISSUE, by, "k")


def plainly(kind: type[Event], ref: Ref = ISSUE) -> Act:
    def act(world: World, by: User) -> Event:
        return kind(ref, by, "k")

    return act


TABLE = [
    Row(IssueAssigned, "an assignment", assign, [MARA, *HIVE, ARGUS, IRIS, NOAH]),
    Row(IssueAssigned, "an assignment that was taken back", unassign),
    Row(CommentPosted, "an answer, by whom it was asked", answer, [MARA, MILO]),
    Row(CommentPosted, "words on its thread", lambda world, by: world.comment(by, "Shorter."), [MARA]),
    Row(CommentPosted, "words on its pull request", lambda world, by: world.comment(by, "Shorter.", PULL), [MARA]),
    Row(CommentPosted, "words on a thread without it", speak),
    Row(CommentPosted, "a mention", mention, [MARA]),
    Row(CommentPosted, "a mention on a pull request", lambda world, by: mention(world, by, ref=PULL), [MARA]),
    Row(CommentPosted, "a mention where nobody works", mention_where_nobody_works, [MARA]),
    Row(CommentPosted, "a mention in a comment that was edited", mention_edited),
    Row(CommentPosted, "a mention that was not in the delivery", swapped),
    Row(CommentPosted, "a mention on a configuration", mention_elsewhere),
    Row(CommentPosted, "a mention on what is closed", mention_on_a_closed_one),
    Row(CommentPosted, "a mention in code", hidden_behind("see `@noah`")),
    Row(CommentPosted, "a mention in a block of code", hidden_behind("```\n@noah\n```")),
    Row(CommentPosted, "a mention in a citation", hidden_behind("> @noah look\n\nYes.")),
    Row(CommentPosted, "a mention in a link", hidden_behind("[@noah](http://x.invalid)")),
    Row(CommentPosted, "a hidden mention", hidden_behind("<!-- @noah -->")),
    Row(CommentPosted, "a mention in a command", hidden_behind("/not-my-lane @noah")),
    Row(CommentPosted, "a mention of somebody else", hidden_behind("@noah-bot @milo @acme/noah")),
    Row(CommentPosted, "an announcement in a comment", hidden_behind("@hive/agents: a freeze"), [MARA]),
    Row(IssueLabeled, "a lane's label", lane_label, [MARA]),
    Row(IssueLabeled, "a lane's label, and words since then", lane_label_and_words, [MARA]),
    Row(IssueLabeled, "another label", other_label),
    Row(IssueLabeled, "a lane's label that was taken away", label_taken_away),
    Row(IssueLabeled, "a lane's label before somebody was taken off", label_after_taking_off),
    Row(IssueLabeled, "a lane's label on what an agent has", label_of_what_is_assigned),
    Row(IssueLabeled, "ready", release, [MARA, MILO]),
    Row(IssueLabeled, "ready on a suspected one", release_of_a_suspected_one),
    Row(ReviewerRequested, "a review request", request, [MARA, CORE]),
    Row(ReviewerRequested, "a review request that was taken back", lambda world, by: request(world, by, removed=True)),
    Row(ReviewerRequested, "a review request to the author", request_of_its_author),
    Row(StatusFailed, "red checks of its pull request", red, EVERYBODY),
    Row(StatusFailed, "red checks of somebody's pull request", red_of_somebody),
    Row(PullConflicted, "a conflict of its pull request", conflict, EVERYBODY),
    Row(PullReviewed, "a review that demands changes", review, [MARA, CORE, TRIAGE, ARGUS, NOAH]),
    Row(IssueOpened, "an announcement", announcement, [MARA]),
    Row(IssueOpened, "an issue that mentions it: triage asks it first", filed),
    Row(IssueTakenIn, "an issue from before the hive: triage gives it", lambda world, by: IssueTakenIn(ISSUE, by, "k", wake=True)),
    Row(IssueEdited, "an edit", plainly(IssueEdited)),
    Row(IssueClosed, "a closing", plainly(IssueClosed)),
    Row(PullChanged, "a push", plainly(PullChanged, PULL)),
    Row(PullMerged, "a merge", plainly(PullMerged, PULL)),
    Row(PullClosed, "a pull request that was closed", plainly(PullClosed, PULL)),
    Row(ReviewAsked, "a job of the review bot", plainly(ReviewAsked, PULL)),
    Row(SubjectChanged, "a nudge", plainly(SubjectChanged)),
    Row(WorkEnded, "the end of its work", lambda world, by: WorkEnded(ISSUE, by, "k", "iris")),
]  # fmt: skip


def test_every_kind_of_event_is_in_the_table() -> None:
    """A new kind of event has to say whether it wakes an agent."""
    assert {row.kind for row in TABLE} == set(EVENTS.values())


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
@pytest.mark.parametrize("by", EVERYBODY, ids=lambda user: user.login)
def test_what_wakes(world: World, row: Row, by: User) -> None:
    """Only what the table names, and only by whom; nobody with a name like theirs."""
    found = world.woken(row.act(world, by))
    assert bool(found) == (by in row.wakes), found


@pytest.mark.parametrize("row", [row for row in TABLE if MARA in row.wakes], ids=lambda row: row.name)
def test_a_name_is_not_a_person(world: World, row: Row) -> None:
    """An account that calls itself like an operator, or took the name after a rename, wakes nobody it has no right to."""
    impostor = User(99, MARA.login)
    may = row.kind in (StatusFailed, PullConflicted) or row.name == "ready"  # anybody who may set a label is a member
    assert bool(world.woken(row.act(world, impostor))) == may
    assert world.woken(row.act(world, User(MARA.id, "mara-renamed")))


@pytest.mark.parametrize(
    ("act", "receipt"),
    [(mention, 30), (mention_where_nobody_works, 30), (request, 0), (lane_label, 0), (release, 0), (announcement, 0)],
)
def test_each_wake_has_a_receipt(world: World, act: Act, receipt: int) -> None:
    """👀 on the comment, or on the issue or pull request, once the agent has it."""
    wanted = wakes.bot.handle(act(world, MARA), world.ctx)
    reacts = [one for one in wanted if isinstance(one, React)]
    waking = tuple(one.key for one in wanted if isinstance(one, WAKING))
    assert [(one.content, one.comment_id, one.after) for one in reacts] == [("eyes", receipt, waking)]


def test_what_it_is_woken_with(world: World, golden: Callable[[str, str], None]) -> None:
    """A mention and a request are for words, an announcement for nothing; each says so, with texts in fences."""
    cases = {
        "mention": (mention, Wake.MENTION),
        "review": (request, Wake.REVIEW),
        "announcement": (announcement, Wake.ANNOUNCEMENT),
    }
    for name, (act, wake) in cases.items():
        starts = [one for one in world.woken(act(world, MARA)) if isinstance(one, StartRun)]
        assert {start.wake for start in starts} == {wake}
        golden(f"wakes/{name}.md", starts[0].task)


def test_an_announcement_reaches_every_agent_once(world: World) -> None:
    """Whoever reopens the issue, or mentions them there again, tells nobody twice."""
    first, again = (world.woken(announcement(world, MARA)) for _ in range(2))
    assert first == again
    assert [start.agent for start in first if isinstance(start, StartRun)] == ["iris", "noah"]


def test_who_hears_a_thread_is_not_asked_again(world: World) -> None:
    """The agent that works on it gets an operator's comment as ever; its mention adds nothing. Another one gets a turn of its own."""
    (told,) = world.woken(mention(world, MARA, "@iris shorter"))
    assert isinstance(told, ContinueRun)
    told, asked = world.woken(mention(world, MARA, "@iris, @noah: which one?"))
    assert isinstance(told, ContinueRun)
    assert isinstance(asked, StartRun)
    assert (asked.agent, asked.wake) == ("noah", Wake.MENTION)


def test_a_mention_gives_work_that_nobody_has(world: World) -> None:
    """On an issue without an agent it is an order; a stranger's issue, which nobody has released, gets words."""
    assert world.woken(mention_where_nobody_works(world, MARA)) == [
        Assign(ISSUE, ("noah",), key=f"mention:noah:{APP}:30")
    ]
    idle(world, author=EVE)
    (asked,) = world.woken(CommentPosted(ISSUE, MARA, "k", 30))
    assert isinstance(asked, StartRun)
    assert asked.wake == Wake.MENTION


def test_what_is_suspected_wakes_nobody(world: World) -> None:
    """An operator who mentions an agent there is told what has to be done first, once."""
    idle(world, labels=("risk/injection",))
    said = [wakes.bot.handle(mention(world, MARA), world.ctx) for _ in range(2)]
    assert said[0] == said[1]
    (told,) = said[0]
    assert isinstance(told, PostComment)
    assert "`risk/injection`" in told.body
    world.forge.issues[PULL] = issue(2, is_pull=True, author=IRIS, labels=("risk/injection",))
    assert not world.woken(request(world, MARA))


def test_five_agents_at_the_most(world: World) -> None:
    """A comment that mentions many wakes some, and gives the work to the first of them."""
    idle(world)
    crowd = {f"a{number}": User(100 + number, f"a{number}") for number in range(9)}
    world = replace(world, ctx=replace(world.ctx, team=replace(world.ctx.team, agents=crowd)))
    woken = world.woken(mention(world, MARA, " ".join(f"@{name}" for name in crowd)))
    assert [type(one) for one in woken] == [Assign, *[StartRun] * (wakes.MOST - 1)]
