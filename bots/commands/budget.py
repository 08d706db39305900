"""Show what a thread has cost, or let it cost more. Performs no I/O."""

from __future__ import annotations

from dataclasses import replace

from bots.agent_intents import RaiseBudget
from bots.commands import messages
from bots.commands.invocation import CommandOutcome, Invocation, no, yes
from bots.money import DOLLAR, dollars, read_dollars
from bots.views import BudgetView, CapView

MOST_AT_ONCE = 1_000 * DOLLAR
"""More than this at once is a typing error."""

OF = {"run": "run {run} of @{agent}", "issue": "this issue", "agent": "@{agent}", "repo": "this repository"}
IN = {"": "", "day": " today", "month": " this month"}


def budget(call: Invocation) -> CommandOutcome:
    """Report what the run of this thread has spent, or add to the budgets of it and of its issue."""
    run = call.run
    if run is None:
        return no(call, messages.NO_RUN_YET)
    found = call.ctx.history.budget(call.comment.ref) or BudgetView(run.id, run.agent)
    if not call.command.words:
        return yes(call, spending(call, found))
    word = call.command.words[0]
    amount = read_dollars(word[1:]) if word.startswith("+") else None
    if not amount or amount > MOST_AT_ONCE:
        return no(call, messages.NO_AMOUNT.format(most=dollars(MOST_AT_ONCE)))
    more = dollars(amount)
    raised = RaiseBudget(
        ref=run.issue,
        run=run.id,
        amount=amount,
        by=call.comment.author,
        message=messages.GO_ON.format(more=more),
        key=call.key("raise"),
    )
    now = [_sentence(call, found, cap) for cap in _raised(found, amount)]
    text = messages.RAISED.format(more=more, run=run.id, agent=run.agent, now=f": {'; '.join(now)}" if now else "")
    rests = [why for why in call.ctx.history.suspension_reasons(run.agent) if why.startswith("waiting: budget")]
    return yes(call, text + (messages.STILL_WAITS if rests else ""), raised)


def spending(call: Invocation, found: BudgetView) -> str:
    """What was spent of each cap; the run and its issue are named without one too."""
    caps = [cap for cap in found.caps if cap.cap is not None or not cap.period]
    if not caps:
        return messages.NOTHING_SPENT.format(run=found.run, agent=found.agent)
    return "; ".join(_sentence(call, found, cap) for cap in caps) + "."


def _raised(found: BudgetView, amount: int) -> list[CapView]:
    """The caps that a raise counts for, with it."""
    return [replace(cap, cap=cap.cap + amount) for cap in found.caps if not cap.period and cap.cap is not None]


def _sentence(call: Invocation, found: BudgetView, cap: CapView) -> str:
    of = OF.get(cap.scope, f"team {call.ctx.team.name}").format(run=found.run, agent=found.agent)
    bound = messages.NO_CAP if cap.cap is None else messages.OF_CAP.format(cap=dollars(cap.cap))
    return messages.HAS_SPENT.format(of=of, spent=dollars(cap.spent), bound=bound, within=IN[cap.period])
