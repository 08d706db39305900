"""The state of a run in one line: what it does or waits for, since when, and its cost. Performs no I/O."""

from __future__ import annotations

from bots.commands import messages
from bots.commands.invocation import CommandOutcome, Invocation, no, yes
from bots.markdown import plain
from bots.money import dollars
from bots.slash_commands import ThreadKind
from bots.views import RunStatus


def status(call: Invocation) -> CommandOutcome:
    """Report the newest run of this thread; on a configuration, who waits for it and whether its agent is suspended."""
    if call.place is ThreadKind.CONFIG:
        return yes(call, of_config(call))
    found = call.ctx.history.status(call.comment.ref)
    if found is None:
        return no(call, messages.NO_RUN_YET)
    text = messages.STATUS.format(
        run=found.id,
        agent=found.agent,
        state=state(call, found),
        since=f"{found.since:%Y-%m-%d %H:%M} UTC",
        cost=f"{dollars(found.cost)}, " if found.cost else "",
        tokens_in=found.tokens_in,
        tokens_out=found.tokens_out,
    )
    return yes(call, text)


def of_config(call: Invocation) -> str:
    """The run that waits for a change of a configuration, and the agent's suspension."""
    agent = call.ctx.team.configs[call.comment.ref.repo]
    why = "; ".join(map(plain, call.ctx.history.suspension_reasons(agent)))
    suspension = messages.SUSPENDED.format(agent=agent, why=why) if why else messages.NOT_SUSPENDED.format(agent=agent)
    waiting = call.ctx.history.status(call.comment.ref)
    if waiting is None:
        return messages.NOBODY_WAITS.format(suspension=suspension)
    return messages.WAITS_FOR_MERGE.format(run=waiting.id, agent=waiting.agent, suspension=suspension)


def state(call: Invocation, run: RunStatus) -> str:
    """What a run does or waits for."""
    if not run.is_open:
        return messages.OVER.format(outcome=run.outcome)
    if run.is_held:
        return messages.WORKS.format(turn=run.turn)
    if run.turn:
        reasons = [*call.ctx.history.suspension_reasons(run.agent), *filter(None, [run.held_up])]
        why = "; ".join(map(plain, reasons))
        if why:
            return messages.WAITS_BECAUSE.format(turn=run.turn, why=why)
        return messages.WAITS_FOR_ITS_TURN.format(turn=run.turn, agent=run.agent)
    if run.waits_for is not None:
        return messages.WAITS_FOR_CONFIG.format(ref=f"{run.waits_for.repo.path}#{run.waits_for.number}")
    if run.blocked:
        return messages.WAITS_FOR_OPERATOR.format(why=plain(run.blocked))
    if run.pull is not None:
        return messages.IN_REVIEW.format(ref=f"#{run.pull.number}")
    return messages.ANSWERED
