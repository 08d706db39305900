"""`/revive` and `/purge`: what becomes of an agent that was destroyed. Performs no I/O."""

from __future__ import annotations

from bots.agent_intents import ProposeAgent, PurgeAgent
from bots.commands import messages
from bots.commands.invocation import CommandOutcome, Invocation, no, quoted, yes

CONFIRM = "confirm"


def revive(call: Invocation) -> CommandOutcome:
    """Propose that a destroyed agent returns: an operator merges that, like any change of the roster."""
    roster, refusal = call.ctx.team.roster, _refusal(call)
    if refusal or roster is None:
        return no(call, refusal or messages.NOT_OURS)
    action = ProposeAgent(call.comment.ref, roster, call.named, "", "", key=call.key("propose"))
    return yes(call, messages.REVIVING.format(agent=call.named), action)


def purge(call: Invocation) -> CommandOutcome:
    """Delete what a destroyed agent left: its notes and credentials; wanted twice, it is done."""
    refusal = _refusal(call)
    if refusal:
        return no(call, refusal)
    if call.command.words[1:] != (CONFIRM,):
        return no(call, messages.PURGE_WANTS_CONFIRM.format(agent=call.named))
    view = call.ctx.history.tombstone(call.named)
    assert view is not None
    text = messages.PURGING if view.is_purge_asked else messages.PURGE_AGAIN
    action = PurgeAgent(call.comment.ref, call.named, call.comment.author, key=call.key("purge"))
    return yes(call, text.format(agent=call.named), action)


def _refusal(call: Invocation) -> str:
    """Why a command about a destroyed agent cannot be performed; empty if it can."""
    if call.ctx.team.roster is None or call.comment.ref.repo not in call.ctx.team.own:
        return messages.NOT_OURS
    if call.ctx.history.tombstone(call.named) is not None:
        return ""
    if call.named in call.ctx.team.agents:
        return messages.STILL_ALIVE.format(agent=call.named)
    return messages.NOT_DESTROYED.format(named=quoted(call.named))
