"""Money: whole billionths of a dollar, read from and written as dollars. Performs no I/O.

A price of a token has more digits than a cent, and sums of floats drift: no amount is ever a float.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

DOLLAR = 1_000_000_000
"""One dollar."""

CENT = DOLLAR // 100
MOST = 1_000_000 * DOLLAR
"""The largest amount that is read: a cap beyond it is a typing error."""

_AMOUNT = re.compile(r"\$?(?P<whole>[0-9]{1,7})(?:\.(?P<part>[0-9]{1,9}))?\$?")


def dollars(amount: int) -> str:
    """An amount for people: `$0.37`; one below a cent with its first two digits, `$0.0042`."""
    sign, amount = ("-", -amount) if amount < 0 else ("", amount)
    places = 2
    while 0 < amount < CENT and amount < 10 ** (10 - places) and places < 9:
        places += 1
    unit = 10 ** (9 - places)
    whole, part = divmod((amount + unit // 2) // unit, 10**places)
    return f"{sign}${whole:,}.{part:0{places}d}"


def read_dollars(text: str) -> int | None:
    """The amount in `2`, `2.50` or `$2.50`; None for anything else, and for more than `MOST`."""
    found = _AMOUNT.fullmatch(text)
    if found is None:
        return None
    amount = int(found["whole"]) * DOLLAR + int((found["part"] or "").ljust(9, "0"))
    return amount if amount <= MOST else None


def exactly(amount: Decimal | float) -> int:
    """Dollars as a file holds them; what is below a billionth is rounded up."""
    return int((Decimal(str(amount)) * DOLLAR).to_integral_value(ROUND_CEILING))


def percent(spent: int, cap: int) -> int:
    """How many whole percent of a cap are spent; all of a cap of nothing."""
    return 100 if cap <= 0 else spent * 100 // cap
