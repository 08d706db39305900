"""A diff as a page shows it: files, hunks, lines with their numbers and colours. Performs no I/O beyond git."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from forge import diff
from forge.embedded import diffs
from forge.embedded.git import EMPTY_TREE, Git
from forge.embedded.pages import highlight
from forge.embedded.pages.look import Html
from forge.embedded.state import Row

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)")
_MOST_BYTES = 1 << 20
"""Bytes of a diff above which only its files are shown."""

_MOST_LINES = 2000
"""Lines of one file above which it is not shown."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `mark` is a space, a plus or a minus; a number is 0 on the side where the line is not."""

    mark: str
    old: int
    new: int
    text: str
    code: Html

    @property
    def place(self) -> int:
        """How remarks name it: by its number in the new file, or by minus that in the old one."""
        return self.new or -self.old


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines that stand together; `title` is what git thinks they belong to."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class File:
    """One changed file; `previous` is its old path if that is another one."""

    path: str
    previous: str
    status: str
    hunks: tuple[Hunk, ...]
    additions: int
    deletions: int
    is_binary: bool
    is_large: bool

    @property
    def baseline(self) -> str:
        """How addresses name it on its page."""
        return f"f{hashlib.sha256(self.path.encode(errors='replace')).hexdigest()[:10]}l"


def files(git: Git, old: str, new: str) -> tuple[File, ...]:
    """What changed between two commits, or between a tree and a commit."""
    raw = diffs.text(git, old, new)
    if len(raw) > _MOST_BYTES:
        found = diffs.changes(git, old, new)
        return tuple(File(c.path, c.previous, c.status, (), c.additions, c.deletions, False, True) for c in found)
    text = raw.decode(errors="replace")
    sections = [part for part in re.split(r"^(?=diff --git )", text, flags=re.MULTILINE) if part]
    return tuple(_file(named, section) for named, section in zip(diff.parse(text), sections, strict=True))


def files_of(git: Git, pull: Row) -> tuple[File, ...]:
    """What a pull request changes; one that shares no commit with its base brings everything."""
    return files(git, pull["merge_base"] or EMPTY_TREE, pull["head_sha"])


def commits_of(pull: Row) -> str:
    """The commits that it brings, as git selects them."""
    return f"{pull['merge_base']}..{pull['head_sha']}".removeprefix("..")


def excerpt(hunk: str, path: str) -> tuple[Line, ...]:
    """The lines of one hunk, as a remark keeps it."""
    return tuple(line for found in _hunks(hunk.split("\n"), path) for line in found.lines)


def _file(named: diff.FileDiff, section: str) -> File:
    path, previous = named.path or named.old_path or "", named.old_path or ""
    status = "added" if named.old_path is None else "deleted" if named.path is None else "changed"
    if named.path and previous not in {"", path}:
        status = "renamed"
    lines = section.removesuffix("\n").split("\n")
    is_large = len(lines) > _MOST_LINES
    hunks = () if is_large else tuple(_hunks(lines, path))
    added = len(named.added)
    removed = len(named.old) - (len(named.new) - added)
    return File(path, previous if previous != path else "", status, hunks, added, removed, named.binary, is_large)


def _hunks(lines: Sequence[str], path: str) -> Iterator[Hunk]:
    starts = [(at, match) for at, line in enumerate(lines) if (match := _HUNK.fullmatch(line))]
    bounds = [*(at for at, _ in starts), len(lines)]
    for (at, match), end in zip(starts, bounds[1:], strict=True):
        body = [line for line in lines[at + 1 : end] if line[:1] in {" ", "+", "-"}]
        yield Hunk(match[3], tuple(_lines(body, int(match[1]), int(match[2]), PurePosixPath(path).name)))


def _lines(body: Sequence[str], old: int, new: int, name: str) -> Iterator[Line]:
    """Number the lines, and colour each side as the piece of code that it is."""
    before = iter(highlight.lines("".join(f"{line[1:]}\n" for line in body if line[0] != "+"), name))
    after = iter(highlight.lines("".join(f"{line[1:]}\n" for line in body if line[0] != "-"), name))
    for line in body:
        mark, text = line[0], line[1:]
        if mark == "-":
            yield Line(mark, old, 0, text, next(before))
        elif mark == "+":
            yield Line(mark, 0, new, text, next(after))
        else:
            next(before)
            yield Line(mark, old, new, text, next(after))
        old += mark != "+"
        new += mark != "-"
