"""What a run has cost so far, in one line below what it says. Performs no I/O."""

from __future__ import annotations

from bots.money import dollars
from hive.ledger import RunSpending

MARK = "🪙"


def footer(run: RunSpending) -> str:
    """What a run has cost so far: `🪙 $0.37 · 25 turns · 61 % of the cap`; empty for one that has asked no model.

    What costs nothing is told in tokens.
    """
    if not run.requests:
        return ""
    parts = [dollars(run.cost) if run.cost else f"{run.tokens:,} tokens"]
    parts.append("1 turn" if run.requests == 1 else f"{run.requests:,} turns")
    if run.cost and run.used is not None:
        parts.append(f"{run.used} % of the cap")
    return f"{MARK} {' · '.join(parts)}"


def without_footer(body: str) -> str:
    """A text without its line about costs, which differs each time."""
    text, mark, costs = body.rpartition(f"\n\n{MARK} ")
    return text if mark and "\n" not in costs else body
