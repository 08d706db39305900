"""A diff as a page shows it: files, hunks, highlighted lines, and the comments on them. Changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from forge import diff
from forge.embedded import diffs
from forge.embedded.git import Git
from forge.embedded.pages import highlight
from forge.embedded.pages.format import Html
from forge.embedded.pages.page_context import PageContext
from forge.embedded.services import people, reviews
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


def files(git: Git, old: str, new: str) -> tuple[File, ...]:
    """The changes between two commits or trees."""
    raw = diffs.text(git, old, new)
    if len(raw) > _MAX_BYTES:
        found = diffs.changes(git, old, new)
        return tuple(File(c.path, c.previous, c.status, c.additions, c.deletions, is_large=True) for c in found)
    text = raw.decode(errors="replace")
    sections = [part for part in re.split(r"^(?=diff --git )", text, flags=re.MULTILINE) if part]
    return tuple(_file(parsed, section) for parsed, section in zip(diff.parse(text), sections, strict=True))


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


def comments_on_lines(page: PageContext) -> list[Row]:
    """All comments on lines, by review, file and line; those of pending reviews are hidden."""
    visible = [review for review in reviews.of_pull(page.site, page.issue) if review["state"] != "PENDING"]
    return [_comment(page, review, row) for review in visible for row in reviews.remarks(page.site, review)]


def _comment(page: PageContext, review: Row, row: Row) -> Row:
    """One comment: `line` is negative in the old file, `lines` is the code it was written below."""
    detail = json.loads(row["detail"])
    return {
        "id": row["id"],
        "at": row["created"],
        "author": people.by_id(page.site, row["user_id"]),
        "html": page.markdown(row["body"]),
        "path": detail["path"],
        "line": detail["line"],
        "lines": [line for hunk in _hunks(detail["hunk"].split("\n"), detail["path"]) for line in hunk.lines],
        "review": review,
        "is_first": reviews.conversation(page.site, row)["id"] == row["id"],
        "resolver": people.by_id(page.site, detail["resolver"]) if "resolver" in detail else None,
    }


def place(files: Sequence[File], comments: Iterable[Row]) -> tuple[dict[tuple[str, int], list[Row]], list[Row]]:
    """Comments by path and position of the line below which they are shown; then those without such a line."""
    placed: dict[tuple[str, int], list[Row]] = {}
    unplaced = []
    for comment in comments:
        if position := _position(files, comment):
            placed.setdefault((comment["path"], position), []).append(comment)
        else:
            unplaced.append(comment)
    return placed, unplaced


def _position(files: Sequence[File], comment: Row) -> int:
    """The nearest line that has the same text as then, below the same text; 0 if there is none."""
    hunks = [hunk.lines for file in files if file.path == comment["path"] for hunk in file.hunks]
    then = [line.text for line in comment["lines"][-2:]]
    found = [
        lines[at].position
        for lines in hunks
        for at in range(len(lines))
        if [line.text for line in lines[max(0, at - 1) : at + 1]] == then and lines[at].position * comment["line"] > 0
    ]
    return min(found, key=lambda position: abs(position - comment["line"]), default=0)
