"""How much of its budget a run has used, as the gateway says with each answer. Performs no I/O."""

from __future__ import annotations

HEADER = "x-hive-budget"
MARKS = (95, 75)
"""Percent at which a model is told, the highest first."""

MOST_DIGITS = 3
WORDS = {
    75: "75 % of the money for this work is spent. Bring to an end what you have begun, and begin nothing that is not needed.",
    95: (
        "95 % of the money for this work is spent: a few more steps, and the host stops you. Submit what you have now, or end the"
        " turn and say what is left to do."
    ),
}


class BudgetGauge:
    """The share of the cap that is used most, in percent; 0 as long as nothing was heard."""

    def __init__(self) -> None:
        self.used = 0

    def read(self, value: str | None) -> None:
        """Take what an answer says."""
        if value and value.isascii() and value.isdecimal() and len(value) <= MOST_DIGITS:
            self.used = int(value)

    @property
    def mark(self) -> int:
        """The highest mark that was reached, 0 for none."""
        return next((mark for mark in MARKS if self.used >= mark), 0)
