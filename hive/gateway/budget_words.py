"""The texts about money: on a thread, in an error of the gateway, in a list of what waits. Performs no I/O."""

from __future__ import annotations

from datetime import UTC, datetime

from bots.money import dollars
from hive.ledger import BudgetScope, CapReached, CapWarning, Period

OF = {
    BudgetScope.RUN: "this run",
    BudgetScope.ISSUE: "this issue",
    BudgetScope.AGENT: "the agent",
    BudgetScope.REPOSITORY: "this repository",
    BudgetScope.TEAM: "the team",
}
IN = {Period.WHOLE: "", Period.DAY: " for today", Period.MONTH: " for this month"}
SPENT = "The budget of {of}{within} is spent: {spent} of {cap}"
NO_ROOM = "The budget of {of}{within} has no room for another answer of the model: {spent} of {cap} are spent"
MORE = "{spent}. An operator can comment `/budget +2` to add $2.00 and let me go on."
WAITING = "waiting: budget resets {at} UTC"
RESTS = "⏸️ {waiting}. {spent}. I go on by myself then; an operator can raise the cap in `hive.yaml`."
BUSY = "{others} of the budget of {of}{within} are reserved for requests in flight; ask again"
WARNING = "⚠️ {level} % of the budget of {of}{within} are spent: {spent} of {cap}."
ALL = 100


def spent(reached: CapReached) -> str:
    """That a cap leaves nothing, or too little."""
    text = SPENT if reached.used >= ALL else NO_ROOM
    return text.format(**_facts(reached))


def stopped(reached: CapReached) -> str:
    """That a cap has stopped a turn, and what lets it go on."""
    if reached.until:
        return RESTS.format(waiting=capital(waiting(reached)), spent=spent(reached))
    return MORE.format(spent=spent(reached))


def waiting(reached: CapReached) -> str:
    """What a turn waits for."""
    at = datetime.fromtimestamp(reached.until, UTC)
    return WAITING.format(at=f"{at:%H:%M}" if reached.period is Period.DAY else f"{at:%Y-%m-%d %H:%M}")


def capital(text: str) -> str:
    """A text as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def busy(reached: CapReached) -> str:
    """That others have reserved what is left of a cap."""
    return BUSY.format(others=dollars(reached.held), **_facts(reached))


def warning(given: CapWarning) -> str:
    """That a good part of a cap is spent."""
    return WARNING.format(level=given.level, **_facts(given.reached))


def _facts(reached: CapReached) -> dict[str, str]:
    return {
        "of": OF[reached.scope],
        "within": IN[reached.period],
        "spent": dollars(reached.spent),
        "cap": dollars(reached.cap),
    }
