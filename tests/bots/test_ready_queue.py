"""What waits for an agent is given to it in order, as far as it has room, and only what is ready."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from bots.agent_intents import GiveWork, LeaveQueue
from bots.bot import Context
from bots.intents import Intent
from bots.queued_issue import QueuedIssue
from bots.ready_queue import bot
from forge.events import IssueClosed, WorkEnded
from forge.models import Issue, Ref
from tests.bots.conftest import APP, CORE, EVE, IRIS, MARA, Still, StillForge, issue

DONE = Ref(APP, 99)


@pytest.fixture
def wait(forge: StillForge, still: Still) -> Wait:
    """Nothing waits yet."""
    return Wait(forge, still)


class Wait:
    """What waits for iris."""

    def __init__(self, forge: StillForge, still: Still) -> None:
        self.forge = forge
        self.still = still
        self.entries: list[QueuedIssue] = []

    def put(self, number: int, *labels: str, labelled: bool = True, **differs: object) -> Issue:
        """One more issue waits, labelled by the hive."""
        shown = (*labels, "queue/app") if labelled else labels
        made = issue(number, ref=Ref(APP, number), labels=shown, **differs)  # type: ignore[arg-type]
        self.forge.issues[made.ref] = made
        self.entries.append(QueuedIssue(made.ref, "app", labelled))
        self.still.queues = {"iris": (1, tuple(self.entries))}
        return made

    def next(self, ctx: Context, room: int = 100) -> list[int]:
        """The numbers of what is given to iris, in order."""
        self.still.queues = {"iris": (room, tuple(self.entries))}
        return [one.ref.number for one in ended(ctx) if isinstance(one, GiveWork)]


def ended(ctx: Context) -> list[Intent]:
    """What is wanted when work of iris has ended."""
    return bot.handle(WorkEnded(DONE, CORE, "k", "iris"), ctx)


def test_order(wait: Wait, ctx: Context) -> None:
    """Urgent, then by priority, then what is due, then what has a milestone, then the oldest."""
    wait.put(1)
    wait.put(2, "priority/low")
    wait.put(3, milestone="1.0")
    wait.put(4, due=date(2026, 6, 1))
    wait.put(5, "priority/high")
    wait.put(6, "Urgent", "priority/low")
    wait.put(7, due=date(2026, 5, 1))
    wait.put(8, "priority/nonsense")
    wait.put(9, "priority/critical")
    assert wait.next(ctx) == [6, 9, 5, 7, 4, 3, 1, 8, 2]
    assert wait.next(ctx, room=2) == [6, 9]
    assert wait.next(ctx, room=0) == []


def test_only_what_is_ready(wait: Wait, forge: StillForge, ctx: Context) -> None:
    """What depends on an open issue, is suspected, or is a stranger's that nobody has released, goes on waiting."""
    wait.put(1)
    wait.put(2, "risk/injection")
    wait.put(3, author=EVE)
    wait.put(4, "locked")
    forge.blocked.add(Ref(APP, 1))
    assert wait.next(ctx) == [4]
    forge.blocked.clear()
    assert wait.next(ctx) == [1, 4]


@pytest.mark.parametrize("what", ["gone", "closed", "taken", "unlabelled"])
def test_what_no_longer_waits_leaves(wait: Wait, forge: StillForge, ctx: Context, what: str) -> None:
    """Deleted, closed, an agent has it, or a person took the label of the queue away: it is not given, and forgotten."""
    made = wait.put(1)
    changed = {
        "closed": replace(made, is_open=False),
        "taken": replace(made, assignees=(IRIS,)),
        "unlabelled": replace(made, labels=()),
    }
    if what == "gone":
        del forge.issues[made.ref]
    else:
        forge.issues[made.ref] = changed[what]
    assert ended(ctx) == [LeaveQueue(made.ref, key=f"leave:{made.ref}:k")]


def test_what_was_never_labelled_waits_without(wait: Wait, ctx: Context) -> None:
    """Before `hive init` has made the label, nothing can be read from its absence."""
    wait.put(1, labelled=False)
    assert wait.next(ctx) == [1]


def test_a_closing_lets_others_go(wait: Wait, ctx: Context) -> None:
    """What depended on it may be ready, for whichever agent; who has left the team gets nothing."""
    wait.put(1)
    given = GiveWork(Ref(APP, 1), "iris", "app", key=f"next:{Ref(APP, 1)}:c")
    assert bot.handle(IssueClosed(DONE, MARA, "c"), ctx) == [given]
    gone = replace(ctx, team=replace(ctx.team, agents={}))
    assert bot.handle(IssueClosed(DONE, MARA, "c"), gone) == []
