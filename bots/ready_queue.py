"""The ready-queue bot: when an agent's work ends, or what an issue waited for is closed, the next ones are given to it. Performs no I/O.

First what is urgent, then by `priority/…`, then what is due or has a milestone, then the oldest.
"""

from __future__ import annotations

from collections.abc import Iterator

from bots.agent_intents import GiveWork, LeaveQueue
from bots.bot import Bot, Context
from bots.holds import hold_on, is_urgent
from bots.intents import Intent
from bots.queued_issue import QueuedIssue
from forge.events import IssueClosed, WorkEnded
from forge.models import Issue
from forge.protocol import NotFound

PRIORITIES = {"critical": 0, "highest": 0, "high": 1, "medium": 2, "normal": 2, "low": 3, "lowest": 4}
"""The rank of labels `priority/…`; without one an issue is of medium priority."""

SCOPE = "priority/"

bot = Bot("ready-queue", may={GiveWork, LeaveQueue}, listens_to_bots={"core"})


@bot.on(WorkEnded)
def fill(event: WorkEnded, ctx: Context) -> Iterator[Intent]:
    """Give an agent as much as it has room for."""
    yield from drain(event.agent, event.key, ctx)


@bot.on(IssueClosed)
def unblock(event: IssueClosed, ctx: Context) -> Iterator[Intent]:
    """What had to be closed first may be closed now."""
    for agent in ctx.history.queued_agents(ctx.team.name):
        yield from drain(agent, event.key, ctx)


def drain(agent: str, key: str, ctx: Context) -> Iterator[Intent]:
    """The issues that are next for an agent; the ones that are gone, closed or taken out of the queue leave it."""
    room, waiting = ctx.history.queue_of(agent, ctx.team.max_open_runs)
    if agent not in ctx.team.agents or not waiting:
        return
    ready: list[tuple[tuple[object, ...], QueuedIssue]] = []
    for number, entry in enumerate(waiting):
        try:
            issue = ctx.forge.issue(entry.ref)
        except NotFound:
            yield LeaveQueue(entry.ref, key=f"leave:{entry.ref}:{key}")
            continue
        is_taken = any(ctx.team.agent_of(user) for user in issue.assignees)
        if not issue.is_open or is_taken or (entry.is_labelled and f"queue/{entry.lane}" not in issue.labels):
            yield LeaveQueue(entry.ref, key=f"leave:{entry.ref}:{key}")
        elif is_ready(issue, ctx):
            ready.append(((*rank(issue), number), entry))
    for _, entry in sorted(ready, key=lambda pair: pair[0])[:room]:
        yield GiveWork(entry.ref, agent, entry.lane, key=f"next:{entry.ref}:{key}")


def is_ready(issue: Issue, ctx: Context) -> bool:
    """Whether nothing holds it, and all that it depends on is closed."""
    has_run = ctx.history.run_for(issue.ref) is not None
    hold = hold_on(issue, ctx.team, lambda: ctx.forge.timeline(issue.ref), has_run=has_run)
    return (hold is None or hold.may_run) and not ctx.forge.is_blocked(issue.ref)


def rank(issue: Issue) -> tuple[bool, int, str, bool]:
    """What goes first: the smallest."""
    named = [label.casefold().removeprefix(SCOPE) for label in issue.labels if label.casefold().startswith(SCOPE)]
    priority = min((PRIORITIES[name] for name in named if name in PRIORITIES), default=PRIORITIES["medium"])
    due = issue.due.isoformat() if issue.due is not None else "9999"
    return not is_urgent(issue), priority, due, not issue.milestone
