"""Handlers of actions on issues: labels, assignees, opening, adding to, closing."""

from __future__ import annotations

from bots.intents import Assign, Close, OpenIssue, SetLabels, SyncStateLabels, Unassign
from forge.models import Ref
from hive.outbox.actions import AddToIssue
from hive.outbox.registry import Execution, NotReady, Registry, Result, Superseded
from hive.outbox.state_labels import sync

HANDLERS = Registry()


@HANDLERS.on(SetLabels)
def set_labels(execution: Execution, action: SetLabels) -> Result:
    """Add and remove labels."""
    execution.forge.label(action.ref, add=action.add, remove=action.remove, seen=execution.seen)
    return Result(detail={"add": action.add, "remove": action.remove})


@HANDLERS.on(SyncStateLabels)
def sync_state_labels(execution: Execution, action: SyncStateLabels) -> Result:
    """Set the labels that show the state of an issue's runs."""
    return Result(detail=sync(execution.forge, execution.ledger, action))


@HANDLERS.on(Assign)
def assign(execution: Execution, action: Assign) -> Result:
    """Assign agents, unless the issue was closed in the meantime."""
    issue = execution.require_open(action.ref)
    execution.forge.assign(action.ref, _logins(execution, action.agents), seen=issue)
    return Result(detail={"agents": action.agents})


@HANDLERS.on(Unassign)
def unassign(execution: Execution, action: Unassign) -> Result:
    """Remove agents from an issue."""
    execution.forge.unassign(action.ref, _logins(execution, action.agents))
    return Result(detail={"agents": action.agents})


@HANDLERS.on(OpenIssue)
def open_issue(execution: Execution, action: OpenIssue) -> Result:
    """Open an issue that calls the team's operators."""
    body = execution.marked(f"{action.body}\n\n🙋 {execution.team.call()}")
    issue = execution.forge.open_issue(action.repo, action.title, body, marker=execution.marker)
    return Result(result={"ref": str(issue.ref)})


@HANDLERS.on(AddToIssue)
def add_to_issue(execution: Execution, action: AddToIssue) -> Result:
    """Comment on an issue that the hive opened, and close it if nothing is left to do."""
    state, opened = execution.ledger.effects.state_and_ref(action.opened, OpenIssue.WIRE)
    if state in ("pending", "running"):
        raise NotReady("the issue is not open yet")
    if not opened:
        raise Superseded("the issue was never opened")
    ref = Ref.parse(opened)
    comment = execution.forge.comment(ref, execution.marked(action.body), marker=execution.marker)
    if action.closes:
        execution.forge.close(ref)
    return Result(comment.html_url, detail={"closed": action.closes})


@HANDLERS.on(Close, by_core=True)
def close(execution: Execution, action: Close) -> Result:
    """Close an issue or pull request."""
    execution.forge.close(action.ref)
    return Result()


def _logins(execution: Execution, agents: tuple[str, ...]) -> list[str]:
    return [execution.team.agents[agent].login for agent in agents]
