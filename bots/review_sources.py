"""A changed file as a model is shown it: numbered lines of its diff and of its code, and the lines that a claim may be about.

Statements and functions are told by indentation, which holds for every language that people format. Performs no I/O.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from forge.diff import FileDiff

MAX_LINE = 400
"""Characters of one line that a model is shown."""

WHOLE = 200
"""Lines of a file that is shown as a whole."""

MAX_BLOCK = 120
"""Lines of a function that is shown around a touched line; of a longer one an inner block."""

DEPTH = 4
"""How many blocks around a touched line belong to it."""

BYTES_OF_A_TOKEN = 3

_CLOSING = re.compile(r"\s*(?:[)\]}]|end\b|fi\b|done\b|esac\b)")


@dataclass(frozen=True, slots=True)
class DiffRow:
    """A line of a diff: its sign, its number in the new file (0 for a removed one) and its text."""

    sign: str
    number: int
    text: str


@dataclass(frozen=True)
class SourceFile:
    """A changed file: the rows of its diff that are shown, hunk by hunk, and its lines at the head."""

    path: str
    hunks: tuple[tuple[DiffRow, ...], ...]
    lines: tuple[str, ...]

    @cached_property
    def touched(self) -> frozenset[int]:
        """The numbers of the lines that are new."""
        return frozenset(row.number for hunk in self.hunks for row in hunk if row.sign == "+")

    @cached_property
    def shown(self) -> frozenset[int]:
        """The numbers of the lines that the diff shows."""
        return frozenset(row.number for hunk in self.hunks for row in hunk if row.number)

    @cached_property
    def squeezed_lines(self) -> tuple[str, ...]:
        """The lines without white space, as quotes are compared with them."""
        return tuple(map(squeezed, self.lines))

    @cached_property
    def changed(self) -> frozenset[int]:
        """The new lines, and those on either side of removed ones."""
        found = set(self.touched)
        for hunk in self.hunks:
            for rows in (hunk, tuple(reversed(hunk))):
                last = 0
                for row in rows:
                    if row.sign == "-":
                        found.add(last)
                    last = row.number or last
        return frozenset(found - {0})

    @cached_property
    def anchors(self) -> frozenset[int]:
        """The lines that a claim may be about: changed ones, and the first lines of the blocks around them."""
        return self.changed.union(*(self._around(number) for number in self.changed))

    def place(self, line: int) -> int:
        """The line on which something about an anchor is shown: itself, or the first changed one in its block."""
        if line in self.shown:
            return line
        for numbers in (self.touched, self.changed):
            inside = [each for each in numbers if line in self._around(each)]
            if inside:
                return min(inside)
        return line

    def diff(self) -> str:
        """The diff, each line with its number in the new file."""
        return "\n   …\n".join("\n".join(map(_row, hunk)) for hunk in self.hunks)

    def code(self) -> str:
        """The whole file, or the functions around changed lines; empty where the diff shows as much."""
        if len(self.touched) >= len(self.lines) - 1:
            return ""
        numbers = range(1, len(self.lines) + 1) if len(self.lines) <= WHOLE else sorted(set(self._blocks()))
        if self.touched.issuperset(numbers):
            return ""
        return numbered(self.lines, numbers)

    def excerpt(self, line: int) -> str:
        """The code around one line, as far as a function or twenty lines on either side reach."""
        near = range(max(line - 20, 1), min(line + 20, len(self.lines)) + 1)
        return numbered(self.lines, sorted({*near, *self._block(line)}))

    @cached_property
    def _parents(self) -> Sequence[int]:
        """For each line the nearest one above it that is indented less, 0 without one."""
        found, open_lines = [0], list[tuple[int, int]]()
        for number, text in enumerate(self.lines, 1):
            depth = _depth(text)
            if depth is None:
                found.append(open_lines[-1][1] if open_lines else 0)
                continue
            while open_lines and open_lines[-1][0] >= depth:
                open_lines.pop()
            found.append(open_lines[-1][1] if open_lines else 0)
            open_lines.append((depth, number))
        return found

    def _around(self, number: int) -> tuple[int, ...]:
        """The first lines of the blocks around a line, the innermost first."""
        return tuple(_chain(self._parents, number))[:DEPTH]

    def _blocks(self) -> Iterator[int]:
        for number in self.changed:
            yield from self._block(number)

    def _block(self, number: int) -> range:
        """The largest block around a line that is not too long."""
        best = range(max(number - 3, 1), min(number + 3, len(self.lines)) + 1)
        for first in _chain(self._parents, number):
            block = range(first, self._end(first) + 1)
            if len(block) > MAX_BLOCK:
                break
            best = block
        return best

    @cached_property
    def _ends(self) -> dict[int, int]:
        return {}

    def _end(self, first: int) -> int:
        """The last line of the block that begins on a line; of a long one, one that shows that it is."""
        if first not in self._ends:
            self._ends[first] = self._find_end(first)
        return self._ends[first]

    def _find_end(self, first: int) -> int:
        depth, last = _depth(self.lines[first - 1]) or 0, first
        for number in range(first + 1, min(len(self.lines), first + MAX_BLOCK + 2) + 1):
            here = _depth(self.lines[number - 1])
            if here is not None and here <= depth:
                return number if _CLOSING.match(self.lines[number - 1]) else last
            last = number if here is not None else last
        return last


def hunks_of(file: FileDiff) -> tuple[tuple[DiffRow, ...], ...]:
    """The rows of a file's diff in the order of the file, in hunks."""
    old, new = sorted(file.old), sorted(file.new)
    hunks: list[list[DiffRow]] = []
    o, n, last_old, last_new = 0, 0, 0, 0
    while o < len(old) or n < len(new):
        removed = o < len(old) and old[o] in file.removed
        added = n < len(new) and new[n] in file.added
        if not hunks or (o < len(old) and old[o] > last_old + 1) or (n < len(new) and new[n] > last_new + 1):
            hunks.append([])
        if removed:
            hunks[-1].append(DiffRow("-", 0, file.old[old[o]]))
        elif n < len(new):
            hunks[-1].append(DiffRow("+" if added else " ", new[n], file.new[new[n]]))
        if (removed or not added) and o < len(old):
            last_old = old[o]
        if not removed and n < len(new):
            last_new = new[n]
        o, n = o + (removed or not added), n + (not removed)
    return tuple(map(tuple, hunks))


def _row(row: DiffRow) -> str:
    return f"{row.number or '':>5} {row.sign} {_cut(visible_line(row.text))}"


def numbered(lines: Sequence[str], numbers: Iterable[int]) -> str:
    """Some lines with their numbers; what is left out between them is marked."""
    shown, last = [], 0
    for number in numbers:
        if last and number > last + 1:
            shown.append("   …")
        shown.append(f"{number:>5}   {_cut(visible_line(lines[number - 1]))}")
        last = number
    return "\n".join(shown)


def visible_line(text: str) -> str:
    """A line in which characters without a shape are spelt out, so that nothing hides in it."""
    text = text.rstrip("\r")
    if text.replace("\t", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else f"\\u{{{ord(c):x}}}" for c in text)


def squeezed(text: str) -> str:
    """A text without white space, as quotes are compared."""
    return "".join(visible_line(text).split())


def code_fence(kind: str, text: str, *, name: str = "") -> str:
    """Text in a fence that it cannot close, whatever it holds: the fence bears a digest of what it holds."""
    told = f" {json.dumps(visible_line(name), ensure_ascii=False)}" if name else ""
    text = "\n".join(map(visible_line, text.split("\n")))
    mark = hashlib.sha256(f"{told}\n{text}".encode("utf-8", "replace")).hexdigest()[:24]
    return f"<{kind} {mark}{told}>\n{text}\n</{kind} {mark}>"


def tokens(text: str) -> int:
    """About how many tokens a text has, rather too many."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_OF_A_TOKEN)


def _chain(parents: Sequence[int], number: int) -> Iterator[int]:
    while number < len(parents) and (number := parents[number]):
        yield number


def _depth(text: str) -> int | None:
    """How far a line is indented; None for a blank one."""
    stripped = text.lstrip()
    return len(text[: len(text) - len(stripped)].expandtabs(4)) if stripped else None


def _cut(text: str) -> str:
    return text if len(text) <= MAX_LINE else text[:MAX_LINE] + "…"
