"""Follows lines of a pull request from one reviewed head to the next, over force-pushes and renames, by what git says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import islice

from bots.review_rounds import FollowedLine, FollowedLines, LinePlace
from forge.diff import FileDiff, MalformedDiff
from forge.line_map import LineMap
from hive.git_mirror.errors import GitError, GitInterrupted
from hive.git_mirror.line_history import changed_lines, pin
from hive.git_mirror.mirror import Mirror

AROUND = 2
"""The lines before and after a finding that are part of its context."""

MOST_LINES = 40
"""The most lines of a finding itself that are part of its context."""

LARGEST = 8 << 20
"""Bytes of a file whose lines are read; a finding in a larger one has no context."""


def follow(
    mirror: Mirror, since: str, head: str, then: Sequence[LinePlace], now: Sequence[LinePlace]
) -> FollowedLines | None:
    """Where lines of the commit `since` are in `head`, and which lines of `head` are new; None if it cannot be known.

    Raises GitInterrupted if a retry may help.
    """
    try:
        if not mirror.has(since):
            return None
        ahead = changed_lines(mirror, since, head, {place.path for place in then})
        back = changed_lines(mirror, head, since, {place.path for place in now})
    except GitInterrupted:
        raise
    except (GitError, MalformedDiff):
        return None
    return FollowedLines(
        tuple(_followed(place, ahead.get(place.path)) for place in then),
        tuple(_is_new(place, back.get(place.path)) for place in now),
    )


def contexts(mirror: Mirror, head: str, places: Sequence[LinePlace]) -> tuple[str, ...]:
    """A digest of each line, its neighbours and no white space; empty where it cannot be read."""
    files = {path: _lines(mirror, head, path) for path in {place.path for place in places}}
    return tuple(_context(place, files[place.path]) for place in places)


def keep(mirror: Mirror, number: int, round_number: int, head: str) -> None:
    """Keep a reviewed head of the pull request of that number."""
    pin(mirror, head, f"reviewed/{number}/{round_number}")


def _followed(place: LinePlace, file: FileDiff | None) -> FollowedLine:
    if file is None:
        return FollowedLine(place.path, place.line, changed=False)
    if file.path is None:
        return FollowedLine("", 0, changed=True)
    is_same = not (file.binary or file.old or file.new)
    if file.binary or not place.line:
        return FollowedLine(file.path, 0, changed=not is_same)
    return FollowedLine(file.path, LineMap.of(file).now(place.line) or 0, changed=not is_same)


def _is_new(place: LinePlace, file: FileDiff | None) -> bool:
    """Whether a line is new, by the diff from its commit to the earlier one."""
    if file is None:
        return False
    if file.path is None or file.binary or not place.line:
        return True
    return LineMap.of(file).now(place.line) is None


def _context(place: LinePlace, lines: Sequence[str]) -> str:
    if not place.line:
        return sha256(b"the file").hexdigest()[:16]
    if place.line > len(lines):
        return ""
    last = min(max(place.end, place.line), place.line + MOST_LINES)
    return sha256("\n".join(_around(lines, place.line, last)).encode()).hexdigest()[:16]


def _around(lines: Sequence[str], first: int, last: int) -> Iterator[str]:
    """Lines and their neighbours without white space; blank lines are no neighbours."""

    def neighbours(at: Iterable[int]) -> list[str]:
        squeezed = ("".join(lines[number].split()) for number in at)
        return list(islice(filter(None, squeezed), AROUND))

    yield from reversed(neighbours(range(first - 2, -1, -1)))
    yield from ("".join(line.split()) for line in lines[first - 1 : last])
    yield from neighbours(range(last, len(lines)))


def _lines(mirror: Mirror, head: str, path: str) -> list[str]:
    try:
        body = mirror.file(head, path, most=LARGEST) if path else None
    except GitInterrupted:
        raise
    except GitError:
        return []
    return [] if body is None else body.decode("utf-8", "replace").split("\n")
