"""What a run has cost, at the end of what it says: on its thread, and in the body of its pull request."""

from __future__ import annotations

from hive.gateway import budget_words
from hive.gateway.run_messages import last_words
from hive.ledger import CapReached, Ledger, Spender, Turn
from hive.outbox.run_footer import footer

PARTIAL = "partial"
GAVE_UP = frozenset({"blocked", "failed", PARTIAL})
"""Ends of a turn that a spent budget can be the reason of."""


def held_up(ledger: Ledger, turn: Turn, outcome: str) -> CapReached | None:
    """The cap that made a turn end; None if it came to an end of its own, which also ends what is known of a cap."""
    if outcome in GAVE_UP:
        reached = ledger.budgets.stopped(turn.id)
        return None if outcome == PARTIAL and reached is not None and reached.until else reached
    ledger.budgets.forget_stop(turn.run)
    return None


def costs(ledger: Ledger, turn: Turn) -> str:
    """What a run has cost so far, in one line; empty if it has asked no model."""
    return footer(ledger.spending.of_run(turn.run))


def stopped_by(reached: CapReached | None, body: str) -> str:
    """A turn's last words with the cap that stopped it, unless they name it."""
    if reached is None or (words := budget_words.stopped(reached)) in body:
        return body
    return f"{body}\n\n{words}"


def with_costs(ledger: Ledger, team: str, turn: Turn, outcome: str, body: str) -> str:
    """A turn's last comment, with warnings that nobody saw yet, and what its run has cost."""
    who = Spender(team, turn.agent, turn.ref, turn.run, turn.id)
    warnings = [
        budget_words.warning(each) for each in ledger.budgets.unsaid(who) if each.reached.used < budget_words.ALL
    ]
    return last_words(turn, outcome, body, costs="\n\n".join(filter(None, (*warnings, costs(ledger, turn)))))
