"""Tells that a turn goes round in circles: the same calls with the same results, or calls that no tool takes. Performs no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from hive.agent.text import cut

WARNED, ENDED = 3, 4
"""How often in a row something may happen until the model is warned, and until its turn ends."""

LONGEST_CIRCLE = 3
"""How many calls a circle has at most: one that is repeated, or two or three in turns."""

SHOWN = 600
"""Characters of a call and of its result that people are shown."""

WARNING = """

[This was the {times} time in a row with the same result. Do something else, or finish with `blocked` and say what is missing.]"""
WARNING_START = "\n\n[This was the "
THIRD = "third"

STUCK = """\
I am stuck: {times} times in a row I did the same, and it came to the same.

{call}

{result}"""
NO_CALLS = """\
I am stuck: {times} times in a row I made a call that no tool takes. The last answer to it was:

{result}"""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A call and what came of it; not `sound` if no tool takes it as it was made."""

    name: str
    given: str
    result: str
    is_sound: bool = True

    @property
    def unwarned(self) -> Exchange:
        """The same without a warning in its result, to compare it with others."""
        text, warning, _ = self.result.rpartition(WARNING_START)
        return Exchange(self.name, self.given, text if warning else self.result, self.is_sound)


def warning_of(exchanges: Sequence[Exchange]) -> str:
    """What the model is told beside the last result, if it should do something else."""
    return WARNING.format(times=THIRD) if max(_repeated(exchanges), _unsound(exchanges)) == WARNED else ""


def verdict_on(exchanges: Sequence[Exchange]) -> str:
    """Why a turn of these calls ends now, in words for people; empty if it goes on."""
    last = exchanges[-1].unwarned if exchanges else Exchange("", "", "")
    if (times := _unsound(exchanges)) >= ENDED:
        return NO_CALLS.format(times=times, result=_block(last.result))
    if (times := _repeated(exchanges)) >= ENDED:
        return STUCK.format(times=times, call=_block(f"{last.name} {last.given}"), result=_block(last.result))
    return ""


def canonical(given: object) -> str:
    """An input as one line: the same for the same values."""
    return json.dumps(given, sort_keys=True, ensure_ascii=False)


def _repeated(exchanges: Sequence[Exchange]) -> int:
    """How often the last calls were made in a row, as a circle of at most so many."""
    newest = [each.unwarned for each in exchanges[-ENDED * LONGEST_CIRCLE :]][::-1]
    return max((_times(newest, length) for length in range(1, LONGEST_CIRCLE + 1)), default=0)


def _times(newest: Sequence[Exchange], length: int) -> int:
    circle = newest[:length]
    times = 0
    while len(circle) == length and newest[times * length : (times + 1) * length] == circle:
        times += 1
    return times


def _unsound(exchanges: Sequence[Exchange]) -> int:
    """How many of the last calls in a row no tool takes."""
    count = 0
    for each in reversed(exchanges):
        if each.is_sound:
            break
        count += 1
    return count


def _block(text: str) -> str:
    """Text as a block of code that it cannot close."""
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{ticks}\n{cut(text, SHOWN).strip()}\n{ticks}"
