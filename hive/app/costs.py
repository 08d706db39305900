"""What was spent, as lines for a terminal or as JSON for a program. Decides nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from bots.money import dollars
from hive.ledger import SpendingRow
from hive.reconcile.logs import shown

HEAD = ("requests", "read", "from cache", "into cache", "written", "cost")
NOTHING = "nothing was spent"
ESTIMATED = "≈ marks sums with answers that were not reported in full: they are estimated."
TOTAL = "in all"


def since(now: float, days: int | None) -> float:
    """The midnight, by UTC, with which the last so many days begin; 0.0 for all of them."""
    if days is None:
        return 0.0
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        return (today - timedelta(days=days - 1)).timestamp()
    except OverflowError:
        return 0.0


def table(by: str, rows: Sequence[SpendingRow]) -> Iterator[str]:
    """A table of what was spent, with its sum."""
    if not rows:
        yield NOTHING
        return
    lines = [(by, *HEAD), *map(_cells, rows)]
    if len(rows) > 1:
        lines.append(_cells(_sum(rows)))
    wide = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    for line in lines:
        yield "  ".join(text.ljust(wide[at]) if at == 0 else text.rjust(wide[at]) for at, text in enumerate(line))
    if any(row.estimates for row in rows):
        yield from ("", ESTIMATED)


def document(by: str, rows: Sequence[SpendingRow]) -> str:
    """The same as JSON; `cost` is in billionths of a dollar, `dollars` the same for people."""
    found = [{by: row.name, **asdict(row), "dollars": dollars(row.cost)} for row in rows]
    for each in found:
        del each["name"]
    return json.dumps({"by": by, "rows": found, "cost": sum(row.cost for row in rows)}, indent=1, ensure_ascii=False)


def _cells(row: SpendingRow) -> tuple[str, ...]:
    counts = (row.requests, row.input, row.cache_read, row.cache_write, row.output)
    return (shown(row.name), *(f"{count:,}" for count in counts), ("≈" if row.estimates else "") + dollars(row.cost))


def _sum(rows: Sequence[SpendingRow]) -> SpendingRow:
    names = ("requests", "input", "output", "cache_read", "cache_write", "cost", "estimates")
    return SpendingRow(TOTAL, **{name: sum(getattr(row, name) for row in rows) for name in names})
