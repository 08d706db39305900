"""Reassign an issue that an agent bounces: first to another agent, the second time to the operators.

How often it was bounced is read from its thread. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator

from bots.agent_intents import RecordCorrection
from bots.commands import messages
from bots.commands.invocation import CommandOutcome, Invocation, no, quoted, yes
from bots.intents import Assign, EndRun, Intent, SetLabels, Unassign
from bots.models import Lane
from bots.slash_commands import slash_commands
from forge.models import Comment, Issue

NEEDS_OPERATOR = "needs-operator"


def bounce(call: Invocation) -> CommandOutcome:
    """Unassign the agent, and assign the one that is named or the one of the next lane."""
    team, run = call.ctx.team, call.run
    issue = call.ctx.forge.issue(run.issue if run is not None else call.comment.ref)
    speaker = team.agent_of(call.comment.author)
    mine = [agent for user in issue.assignees if (agent := team.agent_of(user))]
    if issue.is_pull:
        return no(call, messages.NO_ISSUE)
    if issue.ref.repo not in team.repos:
        return no(call, messages.NOT_HERE)
    if not issue.is_open:
        return no(call, messages.CLOSED.format(where=f"#{issue.ref.number}"))
    if speaker is not None and speaker not in mine:
        return no(call, messages.NOT_YOURS.format(agent=speaker))
    agent = speaker or (mine[0] if mine else "")
    if not agent:
        return no(call, messages.NOBODYS)
    if call.named == agent:
        return no(call, messages.ITS_OWN.format(agent=agent))
    if call.named and call.named not in team.agents:
        return no(call, messages.NOT_AN_AGENT.format(named=quoted(call.named), names=call.names))
    off = tuple(taken_off(call, issue, agent))
    if speaker is not None and bounced_before(call, issue):
        return yes(call, messages.BOUNCED_TWICE.format(operators=team.call(agent)), *off, to_operators(call, issue))
    lane = lane_of(call, call.named) if call.named else next_lane(call, agent)
    owner = call.named or (lane.agent if lane is not None else "")
    if not owner:
        return yes(call, messages.NOBODY_ELSE.format(operators=team.call(agent)), *off, to_operators(call, issue))
    given = Assign(issue.ref, (owner,), key=call.key("give"))
    aside = (*relabelled(call, issue, lane), *learned(call, issue, lane))
    return yes(call, messages.BOUNCED.format(agent=agent, next=owner), *off, given, aside=aside)


def taken_off(call: Invocation, issue: Issue, agent: str) -> Iterator[Intent]:
    """Unassign the agent before its run ends: in the other order the assignment would start a new run."""
    yield Unassign(issue.ref, (agent,), key=call.key("off"))
    run = call.run
    if run is not None and run.state == "open" and run.agent == agent:
        yield EndRun(run.id, "bounced", key=call.key("end"))


def to_operators(call: Invocation, issue: Issue) -> Intent:
    """Leave the decision to an operator."""
    return SetLabels(issue.ref, add=(NEEDS_OPERATOR,), key=call.key("operators"))


def bounced_before(call: Invocation, issue: Issue) -> bool:
    """Whether an agent has bounced this issue before."""
    threads = dict.fromkeys((issue.ref, call.comment.ref))
    comments = (comment for ref in threads for comment in call.ctx.forge.comments(ref))
    return any(comment.id != call.comment.id and is_bounce(call, comment) for comment in comments)


def is_bounce(call: Invocation, comment: Comment) -> bool:
    """Whether this comment is an agent's bounce."""
    older = comment.created_at <= call.comment.created_at and comment.id < call.comment.id
    by_agent = call.ctx.team.agent_of(comment.author) is not None and comment.created_at == comment.updated_at
    return older and by_agent and any(found.name == call.command.name for found in slash_commands(comment.body))


def lane_of(call: Invocation, agent: str) -> Lane | None:
    """An agent's first lane."""
    return next((lane for lane in call.ctx.team.lanes if lane.agent == agent), None)


def next_lane(call: Invocation, agent: str) -> Lane | None:
    """The next lane of another agent, in the order of the configuration."""
    lanes = call.ctx.team.lanes
    last = max((number for number, lane in enumerate(lanes) if lane.agent == agent), default=-1)
    return next((lane for lane in (*lanes[last + 1 :], *lanes) if lane.agent != agent), None)


def learned(call: Invocation, issue: Issue, lane: Lane | None) -> Iterator[Intent]:
    """Remember the lane of an owner who was named; the next lane in order is nobody's word."""
    if lane is not None and call.named:
        yield RecordCorrection(issue.ref, "", lane.name, call.comment.author.login, key=call.key("learn"))


def relabelled(call: Invocation, issue: Issue, lane: Lane | None) -> Iterator[Intent]:
    """Replace the labels of other lanes by that of the new one."""
    if lane is None:
        return
    others = tuple(other.label for other in call.ctx.team.lanes if other.label in issue.labels and other != lane)
    gone = tuple(label for label in dict.fromkeys(others) if label != lane.label)
    yield SetLabels(issue.ref, add=(lane.label,), remove=gone, key=call.key("lane"))
