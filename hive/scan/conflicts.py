"""Conflicts of a merge that were committed: git's marks around two versions. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hive.scan.comparison import Mark
from hive.scan.engine import Diagnostic
from hive.scan.sources import Source

NAME = "conflicts"
_OURS, _MIDDLE, _THEIRS = re.compile(r"<{7}(?: |\r?$)"), re.compile(r"={7}\r?$"), re.compile(r">{7}(?: |\r?$)")


def conflicts(sources: Sequence[Source]) -> list[Mark]:
    """One diagnostic for each conflict of which a change brought a line, on its first mark."""
    return [(source, mark) for source in sources if source.fresh for mark in _in(source)]


def _in(source: Source) -> Iterator[Diagnostic]:
    first = middle = 0
    for number, line in enumerate(source.lines, 1):
        if _OURS.match(line):
            first, middle = number, 0
        elif first and _MIDDLE.match(line):
            middle = number
        elif middle and _THEIRS.match(line):
            if source.fresh & {first, middle, number}:
                yield Diagnostic(source.whole, first, "conflict", also=(middle, number), end=number)
            first = middle = 0
