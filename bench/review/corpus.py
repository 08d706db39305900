"""The corpus: small changes written for it, each with the faults that a reviewer should see. Reads its own files only.

A file of the corpus holds changes one after another. `=== name` begins one; a name with `~` at its end is the twin of the one without, put right.
`--- path` begins a file. Of each line of it the first character says what it is: a space (or nothing at all) for one that was there, `-` for one that is
taken away, `+` for one that is added, and the letter of a fault for one that is added with it. A capital is a fault that has to be
seen; of a small letter it is left open. The letters are B (bug), S (security), L (secret), F (silent failure), X (does not parse), I (inconsistency).
A line of `?` and a letter is one that was there, whose fault the change brings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

KINDS = {
    "B": "bug",
    "S": "security",
    "L": "secret",
    "F": "silent failure",
    "X": "does not parse",
    "I": "inconsistency",
}
FOLDER = Path(__file__).parent / "corpus"
BLIND = tuple(sorted((Path(__file__).parent / "blind").iterdir()))
"""Rounds of changes that were written, and reviewed for the first time, before a rule was written for them."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """A fault: where it is, and its kind."""

    path: str
    line: int
    kind: str


@dataclass(slots=True)
class Edited:
    """One file of a change: its lines before and after, and the numbers of those that were taken away and added."""

    path: str
    old: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    removed: set[int] = field(default_factory=set)
    added: set[int] = field(default_factory=set)

    @property
    def is_new(self) -> bool:
        """Whether the change makes the file."""
        return not self.old


@dataclass(slots=True)
class Change:
    """A small pull request; `faults` must be seen, `open_ones` may be."""

    name: str
    language: str
    files: list[Edited] = field(default_factory=list)
    faults: set[Fault] = field(default_factory=set)
    open_ones: set[Fault] = field(default_factory=set)

    @property
    def is_twin(self) -> bool:
        """Whether it is another change put right."""
        return self.name.endswith("~")


class Malformed(Exception):
    """A file of the corpus has a line that means nothing."""


def corpus(folder: Path = FOLDER) -> list[Change]:
    """All changes, language by language."""
    return [change for file in sorted(folder.glob("*.txt")) for change in changes(file.read_text("utf-8"), file.stem)]


def changes(text: str, language: str) -> Iterator[Change]:
    """The changes of one file of the corpus; raises Malformed."""
    change: Change | None = None
    for row in text.removesuffix("\n").split("\n"):
        if row.startswith("=== "):
            if change is not None:
                yield change
            change = Change(row[4:].strip(), language)
        elif change is None:
            if row.strip() and not row.startswith("#"):
                raise Malformed(row)
        elif row.startswith("--- "):
            change.files.append(Edited(row[4:].strip()))
        else:
            _line(change, row[:1] or " ", row[1:])
    if change is not None:
        yield change


def _line(change: Change, mark: str, text: str) -> None:
    file = change.files[-1]
    if mark == "?":
        mark, text = text[0], text[1:]
        _was(file, text)
    elif mark == "-":
        file.old.append(text)
        file.removed.add(len(file.old))
        return
    elif mark == " ":
        _was(file, text)
        return
    else:
        file.new.append(text)
        file.added.add(len(file.new))
    if mark != "+":
        if mark.upper() not in KINDS:
            raise Malformed(f"{change.name}: {mark}{text}")
        fault = Fault(file.path, len(file.new), KINDS[mark.upper()])
        (change.faults if mark.isupper() else change.open_ones).add(fault)


def _was(file: Edited, text: str) -> None:
    file.old.append(text)
    file.new.append(text)
