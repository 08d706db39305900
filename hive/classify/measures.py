"""How good guesses are: macro-F1, precision and coverage at a threshold, a table of what was taken for what. Performs no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

NOTHING = ""
"""The kind of what nothing was said of."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """What was taken for what: `counts[true, said]`, where nothing was said `said` is NOTHING."""

    counts: Counter[tuple[str, str]]

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Confusion:
        """From pairs of what is true and what was said."""
        return cls(Counter(pairs))

    @property
    def kinds(self) -> list[str]:
        """All kinds that are true of something."""
        return sorted({true for true, _ in self.counts})

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.counts.values())

    @property
    def coverage(self) -> float:
        """The part of which something was said."""
        return sum(count for (_, said), count in self.counts.items() if said) / (self.total or 1)

    @property
    def precision(self) -> float:
        """The part of what was said that is right."""
        said = sum(count for (_, said), count in self.counts.items() if said)
        return sum(count for (true, said), count in self.counts.items() if true == said) / (said or 1)

    @property
    def macro_f1(self) -> float:
        """The mean of the F1 of all kinds that are true of something; silence is a miss."""
        return sum(map(self.f1, self.kinds)) / (len(self.kinds) or 1)

    def f1(self, kind: str) -> float:
        """The F1 of one kind."""
        hits = self.counts[kind, kind]
        both = sum(count * ((true == kind) + (said == kind)) for (true, said), count in self.counts.items())
        return 2 * hits / both if both else 0.0

    def table(self) -> Iterator[str]:
        """A line for each kind: what it was said to be."""
        columns = sorted({said for _, said in self.counts if said} | set(self.kinds))
        heads = [*columns, "silent", "F1"]
        wide = max(map(len, [*self.kinds, "is \\ said", *heads]), default=0) + 2
        yield "is \\ said".ljust(wide) + "".join(head.rjust(wide) for head in heads)
        for kind in self.kinds:
            cells = [str(self.counts[kind, said]) for said in (*columns, NOTHING)]
            yield kind.ljust(wide) + "".join(cell.rjust(wide) for cell in (*cells, f"{self.f1(kind):.2f}"))


def threshold(told: Sequence[tuple[float, bool]], precision: float) -> float:
    """The lowest confidence from which on guesses are right as often as that; above 1 if they never are.

    `told` are confidences of held-out examples, and whether each guess was right. One mistake and one hit more than
    there were are counted, so that three lucky hits are not enough.
    """
    best, right, seen = 1.01, 1, 2
    for confidence, alike in groupby(sorted(told, reverse=True), key=itemgetter(0)):
        hits = [is_right for _, is_right in alike]
        right, seen = right + sum(hits), seen + len(hits)
        if right / seen >= precision:
            best = confidence
    return best
