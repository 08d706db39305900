"""Finds the acceptance criteria in the text of an issue. Performs no I/O.

Criteria are the items of task lists, wherever they stand, or else the items of the list below a heading such as
"Acceptance criteria" or "Done when". What stands in a block of code is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bots.markdown import visible

MOST = 20
"""The most criteria that are read; an issue with more is a plan, not a task."""

LONGEST = 200
"""The most characters of one."""

_FENCE = re.compile(r" {0,3}(?P<ticks>`{3,}|~{3,})")
_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])\s+(?P<box>\[[ xX]\]\s+)?(?P<text>\S.*)")
_TITLE = re.compile(
    r"\s*(?:#{1,6}\s+|\*\*|__)?(?:acceptance(?:\s+criteria|\s+tests?)?|done\s+when|definition\s+of\s+done)\b[^.]{0,40}?",
    re.IGNORECASE,
)
_HEADING = re.compile(r"\s*(?:#{1,6}\s+\S.*|\*\*[^*]+\*\*:?|__[^_]+__:?)\s*")


def acceptance_criteria(body: str) -> tuple[str, ...]:
    """The criteria of an issue, each of one line, in their order; none if it names none."""
    lines = list(_lines(visible(body)))
    found = [item["text"] for line in lines if (item := _ITEM.fullmatch(line)) is not None and item["box"]]
    return tuple(_short(text) for text in (found or list(_below_title(lines)))[:MOST])


def _lines(text: str) -> Iterator[str]:
    """The lines that are no code."""
    ticks = ""
    for line in text.splitlines():
        fence = _FENCE.match(line)
        if fence is not None and (not ticks or fence["ticks"].startswith(ticks)):
            ticks = "" if ticks else fence["ticks"]
        elif not ticks:
            yield line


def _below_title(lines: list[str]) -> Iterator[str]:
    """The items of the list below the title, up to the next heading or paragraph."""
    is_there = False
    for line in lines:
        item = _ITEM.fullmatch(line)
        if item is not None:
            if is_there:
                yield item["text"]
        elif _TITLE.fullmatch(line.rstrip(" \t:*_")):
            is_there = True
        elif _HEADING.fullmatch(line) or (line.strip() and not line.startswith((" ", "\t"))):
            is_there = False


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
