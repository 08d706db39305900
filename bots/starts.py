"""How runs start: who may order one, what holds it, and its receipt. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterator

from bots.bot import Context
from bots.holds import WorkHold, hold_on, is_urgent
from bots.intents import Intent, PostComment, React, StartRun
from bots.models import Team
from bots.request_reading import of_issue
from bots.task_prompt import task_prompt
from bots.views import RunView
from forge.models import Issue, Ref, User

SEEN = "eyes"

EMPTY = """\
🙋 This repository is empty: @{agent} has nothing to start from.

Push a first commit, and assign @{agent} again.
"""

WAITS = """\
✋ @{agent} does not start on this issue: {why}.

🙋 {operators}
"""
UNDER_HOLD = "What you may do here is limited: {why}."


def start(ref: Ref, key: str, ctx: Context) -> Iterator[Intent]:
    """Start a run for each agent that was assigned with authority and has no open run."""
    issue = ctx.forge.issue(ref)
    if issue.is_pull or not issue.is_open or ref.repo not in ctx.team.repos:
        return
    for user in issue.assignees:
        agent = ctx.team.agent_of(user)
        if agent is None or is_running(agent, ctx.history.run_for(ref)) or not ordered(issue, user, ctx):
            continue
        if ctx.forge.repository(ref.repo).empty:
            yield PostComment(ref, EMPTY.format(agent=agent).strip(), key=f"empty:{agent}:{ref}")
            continue
        hold = hold_on(issue, ctx.team, lambda: ctx.forge.timeline(ref), has_run=ctx.history.run_for(ref) is not None)
        if hold is not None and not hold.may_run:
            yield PostComment(ref, waits(agent, hold, ctx.team), key=f"held:{hold.name}:{agent}:{ref}")
            continue
        yield from begin(issue, agent, task_of(issue, hold, ctx), f"start:{agent}:{key}", ctx)


def task_of(issue: Issue, hold: WorkHold | None, ctx: Context) -> str:
    """The first message of a run; a hold is part of it."""
    task = task_prompt(issue, ctx.team, ctx.forge.comments(issue.ref))
    return task if hold is None else f"{task}\n\n{UNDER_HOLD.format(why=hold.why)}"


def begin(issue: Issue, agent: str, task: str, key: str, ctx: Context, *, wake: str = "") -> Iterator[Intent]:
    """Start a run, with its receipt."""
    request = of_issue(issue, ctx.team)
    yield StartRun(issue.ref, agent, task, key=key, urgent=is_urgent(issue), wake=wake, request=request)
    yield React(issue.ref, 0, SEEN, key=f"seen:{key}", after=(key,))


def waits(agent: str, hold: WorkHold, team: Team) -> str:
    """Why an agent does not start, for people; its operators are called."""
    return WAITS.format(agent=agent, why=hold.why, operators=team.call(agent)).strip()


def is_running(agent: str, run: RunView | None) -> bool:
    """Whether an assigned run is open and belongs to this agent."""
    return run is not None and run.agent == agent and run.state == "open" and not run.wake


def ordered(issue: Issue, assignee: User, ctx: Context) -> bool:
    """Whether an operator or the hive itself assigned, by the timeline; a payload is no proof.

    Forges write no timeline row for an assignment at the time of opening: then it was the author's.
    """
    rows = [row for row in ctx.forge.timeline(issue.ref) if row.user is not None and row.user.id == assignee.id]
    added = [row for row in rows if row.kind == "assignees" and not row.removed]
    by = added[-1].actor if added else issue.author
    return by is not None and ctx.team.is_trusted(by)
