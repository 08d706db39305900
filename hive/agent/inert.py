"""Words of an agent that do nothing on a forge but be read. Knows no forge, and changes no word that a reader sees.

Forges close issues, at a merge, for a word before a reference (`fixes #1`, `closes: acme/app!2`, a whole address), in
pull requests, comments and commit messages alike, and negated or not: which words these are, each forge's owner
may say. They tell people whose name stands behind an `@`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

JOINER = "\u2060"
"""Word joiner: has no width, and breaks what a forge looks for."""

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
"""Words that no forge was ever told to close an issue for: a reference behind one stays a link."""

_REFERENCE = re.compile(
    r"\b(?!https?:)(?P<word>\w[\w'’-]{0,60})(?P<between>(?:[\s:*_~\"'`(\[<>=-]|&\w{2,10};)+)"
    r"(?P<address>https?:)?(?P<rest>//[^\s<>()\[\]]{1,300}?/(?:issues|pulls?|merge_requests)/(?=\d)"
    r"|(?:[\w.-]{1,100}/){0,3}[\w.-]{0,100}[#!](?=\d)|GH-(?=\d))",
    re.IGNORECASE,
)
_MENTION = re.compile(r"(?<![\w.+-])@(?=\w)")
_CODE = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})[^\n]*\n(?:.*?^ {0,3}(?P=fence)|.*)"
    r"|\\.|(?<!`)(?P<ticks>`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)(?P=ticks)(?!`)",
    re.DOTALL | re.MULTILINE,
)


def inert(text: str) -> str:
    """A text that closes no issue and calls nobody, in Markdown; code keeps its `@`."""
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
    end = 0
    for code in _CODE.finditer(text):
        yield True, text[end : code.start()]
        yield False, code[0]
        end = code.end()
    yield True, text[end:]
