"""A diff as a page shows it: files, hunks, and highlighted lines with their numbers. Performs no I/O beyond git."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from forge import diff
from forge.embedded import diffs
from forge.embedded.git import EMPTY_TREE, Git
from forge.embedded.pages import highlight
from forge.embedded.pages.format import Html
from forge.embedded.state import Row

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)")
_MAX_BYTES = 1 << 20
"""Of larger diffs only the files are listed."""

_MAX_LINES = 2000
"""Files with longer diffs are not shown."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `mark` is a space, a plus or a minus; a number is 0 on the side that lacks the line."""

    mark: str
    old: int
    new: int
    text: str
    code: Html

    @property
    def position(self) -> int:
        """The number in the new file, or the negated number in the old file for a removed line."""
        return self.new or -self.old


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines that stand together; `title` is the function or section that git found them in."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class File:
    """One changed file; `previous` is its former path if that differs."""

    path: str
    previous: str
    status: str
    additions: int
    deletions: int
    hunks: tuple[Hunk, ...] = ()
    is_binary: bool = False
    is_large: bool = False

    @property
    def baseline(self) -> str:
        """The prefix of the ids of its lines on a page."""
        return f"f{hashlib.sha256(self.path.encode(errors='replace')).hexdigest()[:10]}l"


def files(git: Git, old: str, new: str) -> tuple[File, ...]:
    """The changes between two commits or trees."""
    raw = diffs.text(git, old, new)
    if len(raw) > _MAX_BYTES:
        found = diffs.changes(git, old, new)
        return tuple(File(c.path, c.previous, c.status, c.additions, c.deletions, is_large=True) for c in found)
    text = raw.decode(errors="replace")
    sections = [part for part in re.split(r"^(?=diff --git )", text, flags=re.MULTILINE) if part]
    return tuple(_file(parsed, section) for parsed, section in zip(diff.parse(text), sections, strict=True))


def of_pull(git: Git, pull: Row) -> tuple[File, ...]:
    """The changes of a pull request; without a merge base its head brings every file."""
    return files(git, pull["merge_base"] or EMPTY_TREE, pull["head_sha"])


def commit_range(pull: Row) -> str:
    """The commits of a pull request, as git selects them."""
    return f"{pull['merge_base']}..{pull['head_sha']}".removeprefix("..")


def hunk_lines(hunk: str, path: str) -> tuple[Line, ...]:
    """The lines of one hunk of a file."""
    return tuple(line for found in _hunks(hunk.split("\n"), path) for line in found.lines)


def _file(parsed: diff.FileDiff, section: str) -> File:
    path, previous = parsed.path or parsed.old_path or "", parsed.old_path or ""
    status = "added" if parsed.old_path is None else "deleted" if parsed.path is None else "changed"
    if parsed.path and previous not in {"", path}:
        status = "renamed"
    lines = section.removesuffix("\n").split("\n")
    is_large = len(lines) > _MAX_LINES
    added = len(parsed.added)
    removed = len(parsed.old) - (len(parsed.new) - added)
    hunks = () if is_large else tuple(_hunks(lines, path))
    return File(path, previous if previous != path else "", status, added, removed, hunks, parsed.binary, is_large)


def _hunks(lines: Iterable[str], path: str) -> Iterator[Hunk]:
    found: list[tuple[re.Match[str], list[str]]] = []
    for line in lines:
        if match := _HUNK.fullmatch(line):
            found.append((match, []))
        elif found and line[:1] in {" ", "+", "-"}:
            found[-1][1].append(line)
    for match, body in found:
        yield Hunk(match[3], tuple(_lines(body, int(match[1]), int(match[2]), PurePosixPath(path).name)))


def _lines(body: Sequence[str], old: int, new: int, name: str) -> Iterator[Line]:
    """Number the lines; each side is highlighted as one piece of code."""
    before, after = (
        iter(highlight.lines("".join(f"{line[1:]}\n" for line in body if line[0] != other), name)) for other in "+-"
    )
    for line in body:
        mark, text = line[0], line[1:]
        code = [next(side) for side, other in ((before, "+"), (after, "-")) if mark != other]
        yield Line(mark, old if mark != "+" else 0, new if mark != "-" else 0, text, code[-1])
        old += mark != "+"
        new += mark != "-"
