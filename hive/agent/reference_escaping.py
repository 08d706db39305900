"""Escapes mentions and closing keywords in text of an agent. Knows no forge.

The text then triggers nothing on a forge, and no visible character is changed.
At a merge, forges close issues for a keyword before a reference (`fixes #1`, `closes: acme/app!2`, a whole URL), in
pull requests, comments and commit messages alike, negated or not; the keywords are each forge's own setting.
They notify the account whose name follows an `@`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

JOINER = "\u2060"
"""Word joiner: it has no width, and breaks what a forge looks for."""

HARMLESS = frozenset(
    {
        "and",
        "as",
        "at",
        "by",
        "for",
        "from",
        "in",
        "issue",
        "like",
        "of",
        "on",
        "or",
        "request",
        "see",
        "than",
        "to",
        "with",
    }
)
"""Words that are never closing keywords: a reference after one stays a link."""

_REFERENCE = re.compile(
    r"\b(?!https?:)(?P<word>\w{1,60}+(?:['’-]\w{1,60}+){0,10}+)(?P<between>(?:[\s:*_~\"'`(\[<>=-]|&\w{2,10}+;){1,1000}+)"
    r"(?P<address>https?:)?(?P<rest>//[^\s<>()\[\]]{1,300}?/(?:issues|pulls?|merge_requests)/(?=\d)"
    r"|(?:[\w.-]{1,100}+/){0,3}+[\w.-]{0,100}+[#!](?=\d)|GH-(?=\d))",
    re.IGNORECASE,
)
"""Nothing in it is tried twice: a long text is read in the time of its length (the host does it, for all agents)."""

_MENTION = re.compile(r"(?<![\w.+-])@(?=\w)")
_CODE = re.compile(
    r"^ {0,3}(?P<fence>`{3,}+(?=[^`\n]*+\n)|~{3,}+)[^\n]*+\n|\\.|(?P<ticks>`++)", re.DOTALL | re.MULTILINE
)
_TICKS = re.compile("`++")
_EMPTY_LINE = re.compile(r"\n[^\S\n]*+(?=\n)")


def escape_references(text: str) -> str:
    """A text that closes no issue and mentions no account, in Markdown; code keeps its `@`."""
    return "".join(
        _MENTION.sub(f"@{JOINER}", piece) if is_text else piece for is_text, piece in _pieces(closes_nothing(text))
    )


def closes_nothing(text: str) -> str:
    """A text that closes no issue: in code neither, as a forge's squashed commit is no Markdown."""
    while (broken := _REFERENCE.sub(_broken, text)) != text:
        text = broken
    return text


def _broken(found: re.Match[str]) -> str:
    if found["word"].lower() in HARMLESS:
        return found[0]
    if found["address"]:
        return f"{found['word']}{found['between']}{found['address']}{JOINER}{found['rest']}"
    return f"{found[0]}{JOINER}"


def _pieces(text: str) -> Iterator[tuple[bool, str]]:
    """The pieces of a text, and whether each is none of code."""
    spans = _Spans(text)
    end = 0
    while (code := _CODE.search(text, end)) is not None:
        yield True, text[end : code.start()]
        end = code.end()
        if code["fence"]:
            end = _end_of_fence(text, code["fence"], end)
        elif code["ticks"]:
            end = spans.end_of(code["ticks"], end)
        is_code = code["ticks"] is None or end > code.end()
        yield not is_code, text[code.start() : end]
    yield True, text[end:]


def _end_of_fence(text: str, fence: str, start: int) -> int:
    """The end of a fenced block; the end of the text without a closing fence."""
    closing = re.compile(rf"^ {{0,3}}{fence}", re.MULTILINE).search(text, start)
    return len(text) if closing is None else closing.end()


class _Spans:
    """Where code within a paragraph ends: at the next run of as many backticks, if no empty line comes before."""

    def __init__(self, text: str) -> None:
        self._runs: dict[int, list[int]] = {}
        for run in _TICKS.finditer(text):
            self._runs.setdefault(len(run[0]), []).append(run.start())
        self._breaks = [found.start() for found in _EMPTY_LINE.finditer(text)]

    def end_of(self, ticks: str, start: int) -> int:
        """The end of the code span that starts with these backticks, which end at `start`; `start` if there is none."""
        runs = self._runs.get(len(ticks), [])
        closing, over = _first(runs, start), _first(self._breaks, start)
        is_code = closing is not None and (over is None or closing < over)
        return closing + len(ticks) if is_code and closing is not None else start


def _first(places: list[int], start: int) -> int | None:
    at = bisect_left(places, start)
    return places[at] if at < len(places) else None
