"""What a change brought: the diagnostics of the head without those that the base had. Performs no I/O."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from hive.scan.engine import Diagnostic
from hive.scan.sources import Source

Mark = tuple[Source, Diagnostic]
Sign = tuple[str, str, object]
"""A rule, its message without numbers, and where: a line of the base, or the words around it."""

DOUBTFUL = frozenset({"broken"})
"""What a parser may say of a file whose language is newer than it: of such a file it said the same before the change."""

_NUMBER = re.compile(r"\d+")


def brought(head: Sequence[Mark], base: Sequence[Mark] | None, *, broken: Callable[[Diagnostic], bool]) -> list[Mark]:
    """The diagnostics that belong to a change; `base` is None where the engine did not see the base.

    `broken` are those of a file that does not parse: they are the change's in any case, and what an engine says of such a
    base is not all that it would say.

    A diagnostic on an untouched line is the change's if the base had none like it there. On a touched line it is the
    change's unless the same code with the same fault was taken away elsewhere in the file: then it was only moved.
    What was not compared belongs to the change if it is on a touched line.
    """
    old: dict[str, list[Mark]] = {}
    for source, mark in base or ():
        old.setdefault(source.whole, []).append((source, mark))
    new: dict[str, list[Mark]] = {}
    for source, mark in head:
        new.setdefault(source.whole, []).append((source, mark))
    kept: list[Mark] = []
    for marks in new.values():
        source = marks[0][0]
        if base is None or source.base is None or any(broken(mark) for _, mark in old.get(source.base.whole, ())):
            was_broken = {mark.rule for _, mark in old.get(source.base.whole, ())} if source.base else set()
            kept += [
                (at, mark)
                for at, mark in marks
                if (broken(mark) and not (mark.rule in was_broken and mark.rule in DOUBTFUL)) or _is_touched(at, mark)
            ]
        else:
            kept += _of_file(source, source.base, marks, old.get(source.base.whole, ()))
    return kept


def _of_file(source: Source, was: Source, marks: Sequence[Mark], before: Sequence[Mark]) -> Iterable[Mark]:
    came_from = dict(zip(_untouched(source), _untouched(was), strict=False))
    known: Counter[Sign] = Counter()
    moved: Counter[Sign] = Counter()
    for _, mark in before:
        line = was.line(mark.line)
        known[_sign(mark, line)] += 1
        if line in was.fresh:
            moved[_sign(mark, _words(was, mark))] += 1
    for at, mark in marks:
        line = source.line(mark.line)
        if line in source.fresh:
            found, sign = moved, _sign(mark, _words(source, mark))
        else:
            found, sign = known, _sign(mark, came_from.get(line))
        if found[sign]:
            found[sign] -= 1
        else:
            yield at, mark


def _is_touched(source: Source, mark: Diagnostic) -> bool:
    """Whether one of the lines on which a diagnostic could be shown was touched."""
    return any(source.line(number) in source.fresh for number in (mark.line, *mark.also))


def _untouched(source: Source) -> list[int]:
    return [number for number in range(1, len(source.lines) + 1) if number not in source.fresh]


def _sign(mark: Diagnostic, where: object) -> Sign:
    return mark.rule, _NUMBER.sub("#", mark.message), where


def _words(source: Source, mark: Diagnostic) -> tuple[str, ...]:
    """The code of a diagnostic with the line before it, without indentation."""
    first, last = source.line(mark.line), source.line(max(mark.end, mark.line))
    return tuple(source.text(number).strip() for number in range(first - 1, last + 1))
