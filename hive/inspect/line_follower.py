"""Follows lines of a pull request from one reviewed head to the next, over force-pushes and renames, by what git says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice

from bots.review_rounds import FollowedLine, FollowedLines, LinePlace
from forge.diff import FileDiff, MalformedDiff
from forge.line_map import LineMap
from hive.git_mirror.errors import GitError, GitInterrupted
from hive.git_mirror.line_history import changed_lines, file_contents, pin, unpin
from hive.git_mirror.mirror import Mirror

AROUND = 2
"""The lines before and after a finding that are part of its context."""

MOST_LINES = 40
"""The most lines of a finding itself that are part of its context."""

LARGEST = 32 << 20
"""Bytes of the files whose lines are read; a finding in a larger one has no context."""


def follow(
    mirror: Mirror, since: str, head: str, then: Sequence[LinePlace], now: Sequence[LinePlace]
) -> FollowedLines | None:
    """Where lines of the commit `since` are in `head`, and which lines of `head` are new; None if it cannot be known.

    Raises GitInterrupted if a retry may help.
    """
    try:
        if not mirror.has(since):
            return None
        paths = {"then": {place.path for place in then}, "now": {place.path for place in now}}
        files = [_Followed.of(file) for file in changed_lines(mirror, since, head, **paths)]
    except GitInterrupted:
        raise
    except (GitError, MalformedDiff):
        return None
    old, new = {each.old_path: each for each in files}, {each.path: each for each in files}
    return FollowedLines(
        tuple(_followed(place, old.get(place.path)) for place in then),
        tuple(_is_new(place, new.get(place.path)) for place in now),
    )


def contexts(mirror: Mirror, head: str, places: Sequence[LinePlace]) -> tuple[str, ...]:
    """A digest of each line, its neighbours and no white space; empty where it cannot be read. Raises GitInterrupted."""
    try:
        files = file_contents(mirror, head, {place.path for place in places}, most=LARGEST)
    except GitInterrupted:
        raise
    except GitError:
        files = {}
    lines = {path: body.decode("utf-8", "replace").split("\n") for path, body in files.items()}
    return tuple(_context(place, lines.get(place.path, [])) for place in places)


def keep(mirror: Mirror, number: int, round_number: int, head: str) -> None:
    """Keep a reviewed head of the pull request of that number, and the one before it: no round looks further back."""
    pin(mirror, head, f"reviewed/{number}/{round_number}")
    unpin(mirror, f"reviewed/{number}", before=round_number - 1)


@dataclass(frozen=True, slots=True)
class _Followed:
    """A file that differs between two commits; without lines in common if it is binary."""

    old_path: str | None
    path: str | None
    changed: bool
    lines: LineMap | None

    @classmethod
    def of(cls, file: FileDiff) -> _Followed:
        changed = bool(file.binary or file.old or file.new)
        return cls(file.old_path, file.path, changed, None if file.binary else LineMap.of(file))


def _followed(place: LinePlace, file: _Followed | None) -> FollowedLine:
    if file is None:
        return FollowedLine(place.path, place.line, changed=False)
    if file.path is None:
        return FollowedLine("", 0, changed=True)
    if file.lines is None or not place.line:
        return FollowedLine(file.path, 0, changed=file.changed)
    line = file.lines.now(place.line)
    if line is None:
        return FollowedLine(file.path, 0, changed=file.changed, instead=file.lines.instead(place.line))
    return FollowedLine(file.path, line, changed=file.changed)


def _is_new(place: LinePlace, file: _Followed | None) -> bool:
    """Whether a line of the present head is new."""
    if file is None:
        return False
    if file.old_path is None or file.lines is None or not place.line:
        return True
    return file.lines.then(place.line) is None


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
