r"""A unified diff as `git diff` writes it, read into what each file gained and what it shows.

Performs no I/O. Lines end at "\n" and nowhere else, as git counts them: a carriage return, a form
feed or U+2028 belongs to its line. Inside a hunk the counts of its header decide what a line is,
never the text: a removed SQL comment reads `--- a` and is no header.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_NAMED = {b"a": 7, b"b": 8, b"t": 9, b"n": 10, b"v": 11, b"f": 12, b"r": 13, b'"': 34, b"\\": 92}
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_NOWHERE = "/dev/null"
_REGULAR = ("100644", "100755")


class MalformedDiff(ValueError):
    """The text is no diff that git writes, or it was cut off."""


class DiffTooLarge(MalformedDiff):
    """The diff has more lines than can be read."""


MAX_LINES = 400_000
"""Lines of a diff that are read."""


@dataclass(frozen=True, slots=True)
class FileDiff:
    """One file of a diff.

    `path` is None for a deleted file, `old_path` for a new one. `new` and `old` hold the lines
    that the hunks show, by their number in the new and in the old file: these are the lines that a
    remark can hang on. `added` are the numbers in `new` that the change brought, `removed` those in `old` that it took away.
    A symbolic link or a submodule is no `regular` file: its only line is where it points to.
    """

    path: str | None
    old_path: str | None
    new: Mapping[int, str]
    old: Mapping[int, str]
    added: frozenset[int]
    binary: bool = False
    regular: bool = True
    removed: frozenset[int] = frozenset()
    mode: str = ""
    """The new mode as git writes it, such as `120000` for a link and `160000` for a submodule; empty if git does not say."""


@dataclass(slots=True)
class _File:
    """A file while its lines are being read."""

    path: str | None
    old_path: str | None
    new: dict[int, str] = field(default_factory=dict)
    old: dict[int, str] = field(default_factory=dict)
    added: set[int] = field(default_factory=set)
    binary: bool = False
    regular: bool = True
    removed: set[int] = field(default_factory=set)
    mode: str = ""

    def frozen(self) -> FileDiff:
        added, removed = frozenset(self.added), frozenset(self.removed)
        shown = (self.path, self.old_path, self.new, self.old, added, self.binary, self.regular)
        return FileDiff(*shown, removed, self.mode)


def parse(text: str) -> tuple[FileDiff, ...]:
    """Parse a diff; raises MalformedDiff, and DiffTooLarge before it takes a hundred times the memory of its text."""
    if text.count("\n") > MAX_LINES:
        raise DiffTooLarge(f"the diff has more than {MAX_LINES} lines")
    lines = iter(text.removesuffix("\n").split("\n"))
    files: list[_File] = []
    for line in lines:
        if line.startswith("diff --git "):
            files.append(_File(*_names(line.removeprefix("diff --git "))))
        elif match := _HUNK.match(line):
            if not files:
                raise MalformedDiff("a hunk before any file")
            _read_hunk(files[-1], lines, match)
        elif files:
            _read_header(files[-1], line)
    return tuple(file.frozen() for file in files)


def added_lines(files: Iterable[FileDiff]) -> dict[str, frozenset[int]]:
    """The numbers of the lines that a change brought, for each regular file that exists after it."""
    return {file.path: file.added for file in files if file.path is not None and file.regular}


def _read_header(file: _File, line: str) -> None:
    match line.split(" ", 2):
        case ["---", *_]:
            file.old_path = _side(line[4:])
        case ["+++", *_]:
            file.path = _side(line[4:])
        case ["rename" | "copy", "from", name]:
            file.old_path = _unquoted(name)
        case ["rename" | "copy", "to", name]:
            file.path = _unquoted(name)
        case ["new", "file", mode]:
            file.old_path = None
            file.regular, file.mode = mode.endswith(_REGULAR), mode[-6:]
        case ["index", _, mode]:
            file.regular, file.mode = mode.endswith(_REGULAR), mode
        case ["deleted", "file", _]:
            file.path = None
        case ["Binary" | "GIT", *_]:
            file.binary = True


def _read_hunk(file: _File, lines: Iterator[str], match: re.Match[str]) -> None:
    old, old_left, new, new_left = (1 if number is None else int(number) for number in match.groups())
    while old_left > 0 or new_left > 0:
        line = next(lines, None)
        if line is None:
            raise MalformedDiff(f"cut off in a hunk of {file.path or file.old_path!r}")
        mark, text = line[:1], line[1:]
        if mark == "\\":  # "\ No newline at end of file" is about the line before it
            continue
        if mark not in {"+", "-", " ", ""}:
            raise MalformedDiff(f"{mark!r} begins a line in a hunk of {file.path or file.old_path!r}")
        if mark != "-":
            file.new[new] = text
            new, new_left = new + 1, new_left - 1
        if mark == "+":
            file.added.add(new - 1)
        else:
            file.old[old] = text
            if mark == "-":
                file.removed.add(old)
            old, old_left = old + 1, old_left - 1
    if old_left or new_left:
        raise MalformedDiff(f"a hunk of {file.path or file.old_path!r} is longer than it says")


def _names(rest: str) -> tuple[str, str]:
    """New and old name from `a/x b/x`, whose ends are ambiguous unless they are quoted.

    Later lines are clearer and correct it; only a file that was emptied, created empty, or had
    only its mode changed has none, and its two names are the same.
    """
    if rest.startswith('"') and (match := _QUOTED.match(rest)):
        old, new = match[0], rest[match.end() + 1 :]
    elif rest.endswith('"') and (match := _QUOTED.search(rest)):
        old, new = rest[: match.start() - 1], match[0]
    else:
        middle = len(rest) // 2
        old, new = rest[:middle], rest[middle + 1 :]
    return _unquoted(new)[2:], _unquoted(old)[2:]


def _side(name: str) -> str | None:
    # A name with a space in it is followed by a tab, so that patch(1) sees its end.
    name = name.removesuffix("\t")
    return None if name == _NOWHERE else _unquoted(name)[2:]


def _unquoted(name: str) -> str:
    """A name without git's C quotes; bytes that are no UTF-8 stay what `os.fsdecode` makes of them."""
    if not (len(name) >= 2 and name.startswith('"') and name.endswith('"')):
        return name
    raw = name[1:-1].encode("utf-8", "surrogateescape")
    return _ESCAPE.sub(_byte, raw).decode("utf-8", "surrogateescape")


def _byte(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return bytes([int(code, 8) & 0xFF if len(code) == 3 else _NAMED.get(code, code[0])])
