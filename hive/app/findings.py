"""What became of the findings of reviews, for operators."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from bots.review_lessons import RuleCount, counts
from hive.ledger import Ledger

NONE = "no findings yet"
HEADINGS = ("said", "fixed", "dismissed", "open", "left")


def counted(ledger: Ledger, repo: str, since: float) -> list[RuleCount]:
    """The counts by rule and folder, the most dismissed first."""
    return counts(ledger.review_lessons.facts(repo, since), ledger.review_memory.closed())


def table(ledger: Ledger, repo: str, since: float) -> Iterator[str]:
    """A line for each rule in each folder."""
    rows = counted(ledger, repo, since)
    if not rows:
        yield NONE
        return
    wide = max(len("rule"), *(len(row.rule) for row in rows))
    yield f"{'rule':<{wide}}  {'  '.join(f'{name:>9}' for name in HEADINGS)}  folder"
    for row in rows:
        numbers = (row.said, row.fixed, row.dismissed, row.open, row.left)
        yield f"{row.rule:<{wide}}  {'  '.join(f'{number:>9}' for number in numbers)}  {row.folder or '.'}"


def json_lines(ledger: Ledger, repo: str, since: float) -> Iterator[str]:
    """One object a line."""
    for row in counted(ledger, repo, since):
        yield json.dumps(asdict(row))
