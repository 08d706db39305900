"""Changes that a text asks for: fenced diff blocks read out of issues and reviews. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# The closing fence is indented like the opening one: a fence in the diff's own text has a sign before it.
_BLOCK = re.compile(r"^(?P<indent>[ \t]*)```diff[^\n]*\n(?P<body>.*?)^(?P=indent)```[ \t]*$", re.DOTALL | re.MULTILINE)
_IS_PATCH = re.compile(r"^--- .*\n\+\+\+ .*\n@@ ", re.MULTILINE)
_PLACE = re.compile(r"^On (?P<on>.+), line \d+:$|(?<![\w/:.-])(?P<at>[A-Za-z_.][\w./-]*):\d+\b", re.MULTILINE)
_TITLE = re.compile(r"<title [^>\n]*>\n(?P<title>.*?)\n</title", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Patch:
    """A change as `git diff` prints it."""

    text: str


@dataclass(frozen=True, slots=True)
class Replacement:
    """A piece of text in a file, and what should stand there; as a finding of a review puts it."""

    path: str
    old: str
    new: str

    @property
    def readings(self) -> tuple[Replacement, ...]:
        """As it stands, and with the space dropped that some write behind `-` and `+`."""
        spaced = all(line.startswith(" ") for line in [*self.old.splitlines(), *self.new.splitlines()] if line)
        return (self, Replacement(self.path, _dropped(self.old), _dropped(self.new))) if spaced else (self,)


Change = Patch | Replacement


def changes(text: str) -> tuple[Change, ...]:
    """All changes that a text asks for, in their order.

    A block without the head of a patch needs a place: the last `On app.py, line 3:` or `app.py:3` before it.
    """
    return tuple(_changes(text))


def title(text: str) -> str:
    """The title of the issue in a task; the first line of a text without one."""
    told = _TITLE.search(text)
    lines = (told["title"] if told else text).strip().splitlines()
    return lines[0].lstrip("# ") if lines else ""


def _changes(text: str) -> Iterator[Change]:
    for block in _BLOCK.finditer(text):
        if _IS_PATCH.search(block["body"]):
            yield Patch(block["body"])
            continue
        places = list(_PLACE.finditer(text, 0, block.start()))
        if places and (old := _side(block["body"], "-")):
            yield Replacement(places[-1]["on"] or places[-1]["at"], old, _side(block["body"], "+"))


def _side(body: str, sign: str) -> str:
    """One side of a block: the lines with its sign, and those that stay."""
    return "\n".join(line[1:] for line in body.splitlines() if line.startswith((sign, " ")))


def _dropped(text: str) -> str:
    return "\n".join(line[1:] for line in text.split("\n"))
