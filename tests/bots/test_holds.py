"""What holds an issue, whoever set it, at each door: the start of a run, a push, and words."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from bots.agent_intents import SetUrgency
from bots.bot import Context
from bots.commands import bot as commands
from bots.holds import (
    ASKED,
    BRAINSTORMING,
    FOREIGN_PULL,
    SUSPECTED,
    UNRELEASED,
    Reach,
    WorkHold,
    hold_on,
    labelled_hold,
    signed_off_by,
)
from bots.intents import BlockRun, ContinueRun, Intent, PostComment, Reply, StartRun, SyncStateLabels
from bots.lane import bot
from bots.views import RunView
from forge.events import CommentPosted, IssueAssigned, IssueLabeled, StatusFailed
from forge.models import Comment, CommitStatus, Ref, State, TimelineEvent, User
from tests.bots.conftest import APP, CORE, EVE, IRIS, MARA, NOON, Still, StillForge, issue, pull

ISSUE, PULL = Ref(APP, 1), Ref(APP, 2)
MILO = User(50, "milo")
"""A member: the forge lets him set labels."""

LOCK, SIGNOFF = signed_off_by("locked"), signed_off_by("needs-signoff")
RUN = RunView(id=5, agent="iris", issue=ISSUE, state="open", pull=PULL)


def labelled(label: str, actor: User | None, *, removed: bool = False) -> TimelineEvent:
    """Somebody set a label, or took it away."""
    return TimelineEvent(9, "label", actor, NOON, label=label, removed=removed)


def assigned(actor: User, user: User = IRIS) -> TimelineEvent:
    """Somebody assigned somebody."""
    return TimelineEvent(9, "assignees", actor, NOON, user=user)


def ready(actor: User | None) -> TimelineEvent:
    """Somebody set `ready`."""
    return labelled("ready", actor)


UNREADY = labelled("ready", MILO, removed=True)


@dataclass(frozen=True)
class Case:
    """An issue, the rows of its timeline, and what holds it."""

    name: str
    author: User
    labels: tuple[str, ...]
    rows: list[TimelineEvent]
    hold: WorkHold | None = None


CASES = [
    Case("an operator's", MARA, (), [], None),
    Case("the hive's", CORE, (), [], None),
    Case("an agent's", IRIS, (), [], None),
    Case("a member's own", MILO, (), [], UNRELEASED),
    Case("a stranger's", EVE, (), [], UNRELEASED),
    Case("a stranger with an operator's name", User(99, "mara"), (), [], UNRELEASED),
    Case("an operator who was renamed", User(MARA.id, "mara-old"), (), [], None),
    Case("assigned by core", EVE, (), [assigned(CORE)], UNRELEASED),
    Case("assigned by an agent", EVE, (), [assigned(IRIS)], UNRELEASED),
    Case("assigned by a member", EVE, (), [assigned(MILO)], UNRELEASED),
    Case("assigned by an operator", EVE, (), [assigned(MARA)], None),
    Case("an operator assigned somebody else", EVE, (), [assigned(MARA, MILO)], UNRELEASED),
    Case("ready by an operator", EVE, ("ready",), [ready(MARA)], None),
    Case("ready by a member", EVE, ("ready",), [ready(MILO)], None),
    Case("ready in other letters", EVE, ("Ready",), [labelled("READY", MILO)], None),
    Case("ready by its author", EVE, ("ready",), [ready(EVE)], UNRELEASED),
    Case("ready by a form", EVE, ("ready",), [], UNRELEASED),
    Case("ready by the hive", EVE, ("ready",), [ready(CORE)], UNRELEASED),
    Case("ready by an agent", EVE, ("ready",), [ready(IRIS)], UNRELEASED),
    Case("ready by a deleted account", EVE, ("ready",), [ready(None)], UNRELEASED),
    Case("ready by a member, then by its author", EVE, ("ready",), [ready(MILO), ready(EVE)], None),
    Case("ready taken away", EVE, (), [ready(MILO), UNREADY], UNRELEASED),
    Case("ready taken away after an order", EVE, (), [assigned(MARA), ready(MILO), UNREADY], UNRELEASED),
    Case("ready taken away before an order", EVE, (), [ready(MILO), UNREADY, assigned(MARA)], None),
    Case("ready taken away and set again by its author", EVE, ("ready",), [ready(MILO), UNREADY, ready(EVE)], UNRELEASED),
    Case("the label ready was deleted from the repository", EVE, (), [ready(MILO)], UNRELEASED),
    Case("locked", MARA, ("locked",), [labelled("locked", MILO)], LOCK),
    Case("locked when it was opened", MARA, ("locked",), [], LOCK),
    Case("Locked", MARA, ("Locked",), [], LOCK),
    Case("needs-signoff", MARA, ("needs-signoff",), [], SIGNOFF),
    Case("locked, ready by an operator", MARA, ("locked", "ready"), [labelled("locked", MILO), ready(MARA)], None),
    Case("locked when opened, ready later", MARA, ("locked", "ready"), [ready(MARA)], None),
    Case("locked, ready by a member", MARA, ("locked", "ready"), [labelled("locked", MILO), ready(MILO)], LOCK),
    Case("locked after ready", MARA, ("locked", "ready"), [ready(MARA), labelled("locked", MILO)], LOCK),
    Case("locked, ready taken away", MARA, ("locked",), [labelled("locked", MILO), ready(MARA), UNREADY], LOCK),
    Case("both, one opened", MARA, ("locked", "needs-signoff", "ready"), [labelled("locked", MARA), ready(MARA), labelled("needs-signoff", MARA)], SIGNOFF),
    Case("brainstorm", MARA, ("brainstorm",), [], BRAINSTORMING),
    Case("brainstorm is not opened by ready", MARA, ("brainstorm", "ready"), [ready(MARA)], BRAINSTORMING),
    Case("a question", MARA, ("type/question",), [], ASKED),
    Case("suspected", MARA, ("risk/injection",), [], SUSPECTED),
    Case("suspected is not opened by ready", EVE, ("risk/injection", "ready"), [ready(MARA)], SUSPECTED),
    Case("suspected goes before locked", MARA, ("locked", "risk/injection"), [], SUSPECTED),
    Case("a stranger's goes before locked", EVE, ("locked",), [], UNRELEASED),
    Case("a stranger's, ready by a member, locked", EVE, ("locked", "ready"), [ready(MILO)], LOCK),
    Case("urgent holds nothing", MARA, ("urgent",), [], None),
    Case("an operator's need holds nothing", MARA, ("needs-operator", "type/bug", "unlocked"), [], None),
]  # fmt: skip
REACHES = {
    None: (True, True, True),
    Reach.WORDS: (True, False, True),
    Reach.SILENCE: (True, False, False),
    Reach.NOTHING: (False, False, False),
}
"""Whether a run may start, push and comment."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_holds(ctx: Context, case: Case) -> None:
    """Labels, who set them and in which order, and whose issue it is."""
    assert hold_on(issue(author=case.author, labels=case.labels), ctx.team, lambda: case.rows) == case.hold


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("actor", [MARA, CORE, MILO, EVE], ids=["operator", "hive", "member", "stranger"])
def test_the_door_to_a_run(forge: StillForge, ctx: Context, actor: User, case: Case) -> None:
    """An order by an operator or the hive starts a run unless a hold keeps it; then it is said once, whatever is tried."""
    forge.issues[ISSUE] = issue(author=case.author, labels=case.labels, assignees=(IRIS,))
    forge.rows[ISSUE] = [*case.rows, assigned(actor)]
    wanted = bot.handle(IssueAssigned(ISSUE, actor, "k"), ctx)
    may_order = actor in (MARA, CORE)
    is_held = case.hold is SUSPECTED or (case.hold is UNRELEASED and actor != MARA)  # an operator's order is a release
    starts = [one for one in wanted if isinstance(one, StartRun)]
    assert len(starts) == (may_order and not is_held)
    for start in starts:
        is_limited = case.hold not in (None, UNRELEASED) or ("locked" in case.labels and "ready" not in case.labels)
        assert ("What you may do here is limited" in start.task) == is_limited
    said = [one for one in wanted if isinstance(one, PostComment)]
    assert len(said) == (may_order and is_held)
    for one in said:
        assert case.hold is not None
        assert (case.hold.why in one.body, "@mara" in one.body) == (True, True)
        assert one.key == f"held:{case.hold.name}:iris:{ISSUE}"


@pytest.mark.parametrize("reach", list(Reach))
def test_what_a_hold_leaves(reach: Reach) -> None:
    """Each reach is whether a run may start and whether it may say something; none pushes."""
    hold = WorkHold("x", reach, "because")
    assert (hold.may_run, hold.may_comment) == (REACHES[reach][0], REACHES[reach][2])


def test_a_run_that_was_started_is_a_release(ctx: Context) -> None:
    """Somebody let it start; who takes `ready` away afterwards holds it nevertheless."""
    assert hold_on(issue(author=EVE), ctx.team, list, has_run=True) is None
    assert hold_on(issue(author=EVE), ctx.team, lambda: [UNREADY], has_run=True) is UNRELEASED


def test_a_pull_request_of_somebody_gets_words(ctx: Context) -> None:
    """On a pull request that a run is about, an agent comments; labels of its own pull request hold it as those of the issue do."""
    assert hold_on(issue(is_pull=True), ctx.team, list) is FOREIGN_PULL
    assert labelled_hold(issue(is_pull=True, author=IRIS), ctx.team, list) is None
    assert labelled_hold(issue(is_pull=True, author=IRIS, labels=("locked",)), ctx.team, list) == LOCK


def test_the_timeline_is_asked_for_only_where_it_matters(ctx: Context) -> None:
    """Most issues cost no further request."""

    def never() -> list[TimelineEvent]:
        raise AssertionError("the timeline was asked for")

    for labels in ((), ("brainstorm",), ("locked",), ("type/question", "ready"), ("risk/injection",)):
        hold_on(issue(labels=labels), ctx.team, never)


@pytest.mark.parametrize("command", ["/start iris", "/retry"])
@pytest.mark.parametrize(
    ("case", "starts"),
    [
        (Case("a stranger's", EVE, (), []), True),
        (Case("taken back", EVE, (), [UNREADY]), False),
        (Case("locked", MARA, ("locked",), []), True),
        (Case("suspected", MARA, ("risk/injection",), []), False),
        (Case("suspected, and ready", EVE, ("risk/injection", "ready"), [ready(MARA)]), False),
    ],
    ids=str,
)
def test_the_door_of_a_command(forge: StillForge, ctx: Context, command: str, case: Case, *, starts: bool) -> None:
    """An operator who starts a run has read the issue; what is suspected, or was taken back, stays held and says why."""
    forge.issues[ISSUE] = issue(author=case.author, labels=case.labels)
    forge.rows[ISSUE] = case.rows
    assert isinstance(ctx.history, Still)
    ctx.history.runs = {ISSUE: replace(RUN, state="ended")} if command == "/retry" else {}
    forge.said[ISSUE] = [Comment(30, ISSUE, MARA, command, NOON, NOON, "")]
    wanted = commands.handle(CommentPosted(ISSUE, MARA, "k", 30), ctx)
    assert any(isinstance(one, StartRun) for one in wanted) == starts
    (reply,) = [one for one in wanted if isinstance(one, Reply)]
    assert ("it is held" in reply.lines[0].done) != starts


def test_labels_count_while_an_agent_works(forge: StillForge, still: Still, ctx: Context) -> None:
    """A suspicion stops the run and calls its operators, once; `urgent` lets it go first, and no more when it is taken away."""

    def heard(run: RunView, *labels: str) -> list[Intent]:
        still.runs = {ISSUE: run}
        forge.issues[ISSUE] = issue(labels=labels)
        show, *others = bot.handle(IssueLabeled(ISSUE, MILO, "k"), ctx)
        assert show == SyncStateLabels(ISSUE, key="show:k")
        return others

    run = replace(RUN, pull=None)
    said, stop = heard(run, "risk/injection")
    assert isinstance(said, PostComment)
    assert (said.key, "@mara" in said.body) == ("suspected:5", True)
    assert isinstance(stop, BlockRun)
    assert heard(run, "urgent") == [SetUrgency(ISSUE, urgent=True, key="urgent:k")]
    assert heard(replace(run, is_urgent=True)) == [SetUrgency(ISSUE, urgent=False, key="urgent:k")]
    assert heard(replace(run, is_urgent=True), "urgent") == []
    assert heard(run, "locked", "brainstorm") == []
    assert heard(replace(run, state="ended"), "risk/injection", "urgent") == []


def test_the_end_of_a_hold_starts_what_it_held(forge: StillForge, ctx: Context) -> None:
    """Who takes the label away starts the agent that was assigned meanwhile; any other label does not, once it has run."""
    forge.issues[ISSUE] = issue(assignees=(IRIS,), labels=("risk/injection",))
    forge.rows[ISSUE] = [assigned(MARA)]
    assert not any(isinstance(one, StartRun) for one in bot.handle(IssueAssigned(ISSUE, MARA, "k"), ctx))
    forge.issues[ISSUE] = issue(assignees=(IRIS,), labels=("urgent",))
    (start,) = [one for one in bot.handle(IssueLabeled(ISSUE, MILO, "k2"), ctx) if isinstance(one, StartRun)]
    assert start.urgent


@pytest.mark.parametrize("label", ["locked", "needs-signoff", "brainstorm", "type/question", "risk/injection"])
def test_what_happens_during_a_hold_comes_back_after_it(
    forge: StillForge, still: Still, ctx: Context, label: str
) -> None:
    """Red checks do not wake an agent that cannot push; they do when the label goes."""
    still.runs = {ISSUE: RUN, PULL: RUN}
    forge.pulls[PULL] = pull(2)
    forge.states["a" * 40] = [CommitStatus("ci", State.FAILURE, "broken", "")]
    forge.issues[ISSUE] = issue(labels=(label,))
    assert bot.handle(StatusFailed(PULL, MARA, "k"), ctx) == []
    forge.issues[ISSUE] = issue()
    assert [type(one) for one in bot.handle(IssueLabeled(ISSUE, MARA, "k2"), ctx)] == [SyncStateLabels, ContinueRun]
