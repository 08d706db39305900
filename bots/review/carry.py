"""Carries the findings of the last round over to the next one. Performs no I/O.

A finding is recognised by its rule and its line as git follows it, else by its rule and its context. One that is red ends only
if its code is gone, or if an engine that has read it again finds nothing and something has changed there: never because an
engine failed or forgot. A dismissed one is not said again while its context is the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from bots.model_review import MODEL
from bots.models import Category, Finding, Level, Scan
from bots.review_rounds import (
    FindingState,
    FollowedLine,
    FollowedLines,
    LinePlace,
    RememberedFinding,
    ReviewRound,
)
from bots.scan_names import DOES_NOT_MERGE

Key = tuple[str, ...]
KEPT_ENDED = 200
"""The most findings that have ended and are remembered, the newest: numbers are not used twice as long as one is."""

ON_THE_SPOT = frozenset({Category.LEAK, Category.SILENT_FAILURE})
"""Categories that a change elsewhere cannot fix: as long as their lines stand, silence of an engine is no fix."""

OF_THE_MOMENT = frozenset({DOES_NOT_MERGE})
"""Rules about a change and its base together: what is not reported any more is over, whatever stands in the file."""

NEVER_ENDS = frozenset({MODEL})
"""Engines that may forget: what they found ends with its line only."""


@dataclass(frozen=True, slots=True)
class Present:
    """The head as it is now: what the engines found that wants something, each with its context, and the added lines.

    `lines` are where the lines of the last round are now; None if that is unknown.
    """

    scan: Scan
    base: str
    found: tuple[Finding, ...]
    contexts: tuple[str, ...]
    lines: FollowedLines | None
    added: Collection[tuple[str, int]] = frozenset()
    full: bool = False


@dataclass(frozen=True, slots=True)
class Carried:
    """All findings of a round; which are said now for the first time, or again; which have just ended; how many are withheld."""

    number: int
    findings: tuple[RememberedFinding, ...]
    said: tuple[RememberedFinding, ...]
    ended: tuple[RememberedFinding, ...]
    withheld: int

    @property
    def open(self) -> tuple[RememberedFinding, ...]:
        """The findings that want something."""
        return tuple(each for each in self.findings if each.is_open)


def is_same(last: ReviewRound, scan: Scan, base: str) -> bool:
    """Whether a scan is of the changes of the last round."""
    return last.is_of(scan.head_sha, base, scan.base_sha)


def to_follow(last: ReviewRound | None) -> tuple[RememberedFinding, ...]:
    """The findings of the last round whose lines are followed: those that have not ended."""
    return () if last is None else tuple(each for each in last.findings if not _has_ended(each))


def carry(last: ReviewRound | None, now: Present) -> Carried:
    """The findings of the next round; `now.lines.then` is about those of `to_follow`, in order."""
    number = 1 if last is None else last.number + (not is_same(last, now.scan, now.base))
    known = () if last is None else last.findings
    places = _places(to_follow(last), now.lines)
    matches = _matched(known, now, places)
    kept = []
    for each in known:
        match, place = matches.get(each.number), places.get(each.number)
        if match is not None:
            kept.append(_seen_again(each, match, number, now))
        elif _has_ended(each):
            kept.append(each)
        else:
            kept.append(_unseen(each, place, last, now))
    taken = {at for at, _ in matches.values()}
    touched = now.lines.fresh if now.lines is not None else ()
    new, withheld, free = [], 0, max((each.number for each in known), default=0)
    for at, (item, context) in enumerate(zip(now.found, now.contexts, strict=True)):
        if at in taken:
            continue
        if not _is_spoken_of(item, number, is_touched=not touched or touched[at], full=now.full):
            withheld += 1
            continue
        free += 1
        new.append(RememberedFinding(free, item, context=context, since=number, seen=number))
    before = {each.number: each for each in known}
    said = [each for each in kept if each.is_open and not before[each.number].is_open]
    ended = [each for each in kept if _has_ended(each) and not _has_ended(before[each.number])]
    return Carried(number, (*_shortened(kept), *new), (*said, *new), tuple(ended), withheld)


def _is_spoken_of(item: Finding, number: int, *, is_touched: bool, full: bool) -> bool:
    """Whether a new finding is said: the second round is about lines that have changed since the first, later ones about red."""
    if item.effective_level is Level.RED or full or number == 1:
        return True
    return number == 2 and is_touched


def _has_ended(each: RememberedFinding) -> bool:
    return each.state in {FindingState.FIXED, FindingState.GONE}


def _places(known: Sequence[RememberedFinding], lines: FollowedLines | None) -> dict[int, FollowedLine]:
    return {} if lines is None else {each.number: at for each, at in zip(known, lines.then, strict=True)}


def _matched(
    known: Sequence[RememberedFinding], now: Present, places: dict[int, FollowedLine]
) -> dict[int, tuple[int, bool]]:
    """For numbers of known findings: which of the present ones it is, and whether it was recognised by its context alone."""
    matches: dict[int, tuple[int, bool]] = {}
    taken: set[int] = set()

    def match(keys_of: Callable[[RememberedFinding], Key | None], by: Iterable[Key | None], *, moved: bool) -> None:
        left: defaultdict[Key, list[int]] = defaultdict(list)
        for at, key in enumerate(by):
            if key is not None and at not in taken:
                left[key].append(at)
        for each in known:
            key = None if each.number in matches else keys_of(each)
            if key is not None and left.get(key):
                at = left[key].pop(0)
                taken.add(at)
                matches[each.number] = (at, moved)

    def at_place(kind: Callable[[Finding], str]) -> Callable[[RememberedFinding], Key | None]:
        def key(each: RememberedFinding) -> Key | None:
            place = places.get(each.number)
            stands = place is not None and place.path and (place.line or not each.finding.line)
            return (kind(each.finding), place.path, str(place.line)) if place is not None and stands else None

        return key

    for kind in (lambda item: item.rule, lambda item: str(item.category)):
        match(at_place(kind), [(kind(item), item.path, str(item.line)) for item in now.found], moved=False)
    pairs = list(zip(now.found, now.contexts, strict=True))
    match(
        lambda each: (each.finding.rule, each.finding.path, each.context) if each.context else None,
        [(item.rule, item.path, context) if context else None for item, context in pairs],
        moved=True,
    )
    match(
        lambda each: (each.finding.rule, each.context) if each.context and not _has_ended(each) else None,
        [(item.rule, context) if context else None for item, context in pairs],
        moved=True,
    )
    for each in known:
        at = None if each.number in matches else _overlapping(each, places.get(each.number), now.found, taken)
        if at is not None:
            taken.add(at)
            matches[each.number] = (at, False)
    return matches


def _overlapping(
    each: RememberedFinding, place: FollowedLine | None, found: Sequence[Finding], taken: set[int]
) -> int | None:
    """A finding of the same rule in the same statement, or in the lines that were written in its place.

    One in the same statement is shown on the first line of it that the change touches.
    """
    if place is None or _has_ended(each):
        return None
    first, last = place.instead
    if place.line:
        first, last = place.line, place.line + max(each.finding.end_line - each.finding.line, 0)
    if not first:
        return None
    for at, item in enumerate(found):
        is_alike = at not in taken and (item.rule, item.path) == (each.finding.rule, place.path)
        if is_alike and item.line <= last and max(item.end_line, item.line) >= first:
            return at
    return None


def _unseen(
    each: RememberedFinding, place: FollowedLine | None, last: ReviewRound | None, now: Present
) -> RememberedFinding:
    """A finding that no engine reports any more, in the next round."""
    stays = _at(each, place)
    if each.state is FindingState.DISMISSED:
        return stays
    state = _state_unseen(each, place, last, now)
    if state in {FindingState.FIXED, FindingState.GONE}:
        return replace(each, state=state, head=now.scan.head_sha)
    return replace(stays, state=state)


def _seen_again(each: RememberedFinding, match: tuple[int, bool], number: int, now: Present) -> RememberedFinding:
    """A finding that an engine reports again, in the next round."""
    at, moved = match
    item, context = now.found[at], now.contexts[at]
    if each.state is FindingState.DISMISSED:
        is_spoken_of = _is_spoken_of(item, number, is_touched=True, full=now.full)
        if context == each.context or not is_spoken_of:
            return replace(each, finding=item, seen=number)
        return replace(each, finding=item, context=context, state=FindingState.OPEN, seen=number, by="", why="")
    elsewhere = (item.path, item.line) != (each.finding.path, each.finding.line)
    state = FindingState.MOVED if moved and elsewhere else FindingState.STILL
    if _has_ended(each):
        state = FindingState.OPEN
    return replace(each, finding=item, context=context, state=state, seen=number, head="")


def _state_unseen(
    each: RememberedFinding, place: FollowedLine | None, last: ReviewRound | None, now: Present
) -> FindingState:
    """What became of an open finding that no engine reports any more."""
    if place is not None and not place.path:
        return FindingState.FIXED
    if not _is_read(each.finding, now.scan):
        return FindingState.STILL
    if each.finding.rule in OF_THE_MOMENT:
        return FindingState.FIXED
    if now.full and each.finding.engine not in NEVER_ENDS:
        return FindingState.FIXED
    if place is None:
        return FindingState.STILL if each.is_red else FindingState.FIXED
    if each.finding.line and not place.line:
        return FindingState.FIXED
    is_other_base = last is not None and (last.base, last.base_sha) != (now.base, now.scan.base_sha)
    if is_other_base and (place.path, place.line) not in now.added:
        return FindingState.GONE
    is_fixed_on_the_spot = each.finding.category in ON_THE_SPOT or each.finding.engine in NEVER_ENDS
    return FindingState.FIXED if place.changed and not is_fixed_on_the_spot else FindingState.STILL


def _is_read(item: Finding, scan: Scan) -> bool:
    """Whether the engine of a finding could have reported it again."""
    is_skipped = any(path == item.path for path, _ in scan.skipped)
    return not is_skipped and (item.engine in scan.ran or not scan.failed)


def _at(each: RememberedFinding, place: FollowedLine | None) -> RememberedFinding:
    """A finding at the place where its line is now; without that line at its file."""
    if place is None or not place.path:
        return each
    suggestion = each.finding.suggestion if place.line else None
    there = replace(each.finding, path=place.path, line=place.line, suggestion=suggestion, end_line=0)
    return replace(each, finding=there)


def _shortened(kept: Sequence[RememberedFinding]) -> Iterator[RememberedFinding]:
    ended = [each.number for each in kept if _has_ended(each)]
    forgotten = set(ended[: max(len(ended) - KEPT_ENDED, 0)])
    yield from (each for each in kept if each.number not in forgotten)


def place_of(item: Finding) -> LinePlace:
    """Where a finding is."""
    return LinePlace(item.path, item.line, item.end_line)
