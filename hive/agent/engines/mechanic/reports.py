"""What came of a wish, in sentences for a pull request or a comment. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hive.agent.engines.mechanic.wishes import (
    AddLines,
    ApplyPatch,
    BumpDependency,
    BumpVersion,
    DeleteLines,
    DeletePath,
    HaveProgram,
    PutFile,
    Rename,
    ReplaceLine,
    ReplaceText,
    RunFormatters,
    Wish,
)

MAX_SHOWN = 200
MAX_LISTED = 30


@dataclass(slots=True)
class StepReport:
    """What was done, what was not and why, what was so already, answers, and programs that the container lacks.

    `notes` are about what was done: what a person may want to look at.
    """

    done: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, other: StepReport) -> None:
        """Put another report's sentences behind these."""
        for name in StepReport.__slots__:
            getattr(self, name).extend(getattr(other, name))

    @property
    def sentences(self) -> list[str]:
        """All of them."""
        lacks = [f"{code(name)} is not in my container" for name in self.lacks]
        return [
            *self.done,
            *self.notes,
            *self.answers,
            *self.same,
            *(f"not done: {each}" for each in self.undone),
            *lacks,
        ]


def code(text: str) -> str:
    """Any text as one code span."""
    line = " ".join(text.split())
    line = line if len(line) <= MAX_SHOWN else f"{line[: MAX_SHOWN - 1]}…"
    ticks = "`" * (1 + max((len(run) for run in re.findall(r"`+", line)), default=0))
    pad = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def place(path: str, line: int) -> str:
    """A line of a file."""
    return code(f"{path}:{line}")


def listed(items: Iterable[str]) -> str:
    """Sentences as a list that does not get too long."""
    every = list(dict.fromkeys(items))
    more = [f"- … and {len(every) - MAX_LISTED} more"] if len(every) > MAX_LISTED else []
    return "\n".join([*(f"- {item}" for item in every[:MAX_LISTED]), *more])


def fenced(text: str, language: str = "") -> str:
    """Any text as a block that it cannot end."""
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    return f"{ticks}{language}\n{text.rstrip()}\n{ticks}"


def headline(wishes: Sequence[Wish]) -> str:
    """What is done, as a title: the first wish, and how many there are beside it."""
    more = len(wishes) - 1
    rest = f" and {more} more change{'s' * (more > 1)}" if more else ""
    return f"{imperative(wishes[0])}{rest}"


def imperative(wish: Wish) -> str:
    """A wish in a few words."""
    match wish:
        case ApplyPatch():
            return "Apply the given patch"
        case ReplaceLine(path):
            return f"Change {_plain(path)} as suggested"
        case RunFormatters(tools):
            return f"Run {', '.join(tools)}" if tools else "Run the formatters"
        case BumpDependency(name, version):
            return f"Set {_plain(name)} to {_plain(version)}"
        case BumpVersion(version, part):
            return f"Set the version to {_plain(version)}" if version else f"Raise the {part} version"
        case Rename(old, new):
            return f"Rename {_plain(old)} to {_plain(new)}"
        case ReplaceText(old, new):
            return f"Replace {_plain(old)} with {_plain(new)}"
        case AddLines(path):
            return f"Add lines to {_plain(path)}"
        case DeleteLines(path):
            return f"Delete lines of {_plain(path)}"
        case DeletePath(path):
            return f"Delete {_plain(path)}"
        case PutFile(path):
            return f"Write {_plain(path)}"
        case HaveProgram(name):
            return f"Look for {_plain(name)}"


def _plain(text: str) -> str:
    return " ".join(text.split())[:60]
