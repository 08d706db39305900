"""Giving an issue to an agent: at once, or when it has room and nothing has to be closed first."""

from __future__ import annotations

import logging
from contextlib import suppress

from bots.agent_intents import GiveWork, LeaveQueue
from forge.events import WorkEnded
from forge.models import Issue, Ref
from forge.protocol import Invalid, NotFound
from hive.ledger import Origin, Priority
from hive.outbox.registry import Execution, Registry, Result
from hive.outbox.state_labels import QUEUE

log = logging.getLogger("hive.outbox.handover")

HANDLERS = Registry()


@HANDLERS.on(GiveWork)
def give_work(execution: Execution, action: GiveWork) -> Result:
    """Assign the agent, or let the issue wait; an issue that an agent has already is nobody's to give."""
    issue = execution.forge.issue(action.ref)
    queue, ref, agent = execution.ledger.ready_queue, str(action.ref), action.agent
    taken = [name for user in issue.assignees if (name := execution.team.agent_of(user)) and name != agent]
    if not issue.is_open or taken:
        if (entry := queue.get(ref)) is not None:
            _unlabel(execution, issue, entry.lane)
            queue.remove(ref)
        why = f"{taken[0]} has it" if taken else "it was closed"
        return Result(detail={"agent": agent, "why": why, "says": f"left it: {why}"})
    facts = (execution.effect.team, agent, action.lane, ref)
    if execution.forge.is_blocked(action.ref):
        queue.wait(*facts)
    elif queue.claim(*facts, most=execution.team.max_open_runs):
        execution.forge.assign(action.ref, [execution.team.agents[agent].login], seen=issue)
        _unlabel(execution, issue, action.lane)
        return Result(detail={"agent": agent, "says": f"assigned {agent}"})
    _label(execution, issue, action.lane)
    return Result(detail={"agent": agent, "waits": action.lane, "says": f"queued for {agent}"})


@HANDLERS.on(LeaveQueue)
def leave_queue(execution: Execution, action: LeaveQueue) -> Result:
    """Forget an issue that waits, and take the label away that said so."""
    entry = execution.ledger.ready_queue.get(str(action.ref))
    if entry is not None:
        with suppress(NotFound):
            _unlabel(execution, execution.forge.issue(action.ref), entry.lane)
        execution.ledger.ready_queue.remove(entry.ref)
    return Result()


def enqueue_drain(execution: Execution, run: int, ref: str, agent: str) -> None:
    """Have the queue of an agent looked at, as work of it has ended; in the transaction that ends the run."""
    ledger, team = execution.ledger, execution.effect.team
    if not ledger.ready_queue.waiting(agent):
        return
    event = WorkEnded(Ref.parse(ref), execution.team.accounts["core"], f"ended:{run}", agent)
    bots = execution.services.listeners(team, event)
    origin = Origin(Priority.PERSON, cause=execution.effect.id, depth=execution.effect.depth)
    ledger.jobs.enqueue(team, [(bot, event) for bot in bots], origin=origin)


def _label(execution: Execution, issue: Issue, lane: str) -> None:
    """Show that an issue waits, once: a label that a person takes away is not set again."""
    entry = execution.ledger.ready_queue.get(str(issue.ref))
    if entry is None or entry.is_labelled:
        return
    try:
        execution.forge.label(issue.ref, add=[f"{QUEUE}{lane}"], remove=())
    except Invalid as error:  # `hive init` has not made it there yet
        log.warning("label_missing ref=%s error=%r", issue.ref, str(error)[:200])
    else:
        execution.ledger.ready_queue.labelled(str(issue.ref))


def _unlabel(execution: Execution, issue: Issue, lane: str) -> None:
    entry = execution.ledger.ready_queue.get(str(issue.ref))
    if entry is not None and entry.is_labelled and f"{QUEUE}{lane}" in issue.labels:
        execution.forge.label(issue.ref, add=(), remove=[f"{QUEUE}{lane}"])
