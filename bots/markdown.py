"""Escaping at the border: people's text is made safe to read, bots' text safe to post.

Issues, comments, names and diffs are hostile. On the way in they are stripped of invisible parts and fenced, so that a
model can tell them from its instructions. On the way out they cannot mention people, link issues, close a code span
or carry HTML. Performs no I/O.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from bots.sanitize import printable, rendered

MAX_TEXT = 20_000
"""Characters of one piece of text that a model is shown."""

_WORD_JOINER = "\u2060"
_REFERENCES = re.compile(r"[@#!](?=\w)|:(?=//)|\bwww(?=\.)", re.IGNORECASE)
_READ = MAX_TEXT + 5_000
"""Characters of a text that are read at all: its end is left out anyway, and a parser needs time."""


def visible(text: str) -> str:
    """Markdown without what hides from a reader of its page, and not too much of it: see `bots.sanitize`."""
    return _clipped(rendered(text[:_READ]), left_out=max(len(text) - _READ, 0))


def _clipped(text: str, longest: int = MAX_TEXT, *, left_out: int = 0) -> str:
    left_out += max(len(text) - longest, 0)
    return f"{text[:longest]}\n[… {left_out} more characters were left out]" if left_out else text


def shown(text: str) -> str:
    """Text that is escaped before it is posted, so that only characters without a shape hide in it."""
    return _clipped(printable(text))


def fenced(kind: str, text: str, *, author: str, standing: str, longest: int = MAX_TEXT) -> str:
    """Text in a fence that it cannot close: the fence bears a digest of what it holds.

    The mark has 96 bits: of 48 bits, a text that holds the mark of itself could be searched for in some hours.
    """
    clean = _clipped(visible(text).strip(), longest)
    mark = hashlib.sha256(clean.encode()).hexdigest()[:24]
    return f"<{kind} {mark} by {plain_name(author)}, {standing}>\n{clean}\n</{kind} {mark}>"


def plain_name(name: str) -> str:
    """A name as letters, digits and `._-/` only."""
    return re.sub(r"[^\w./-]", "?", name)[:100]


def code(text: str) -> str:
    """Any text as one code span."""
    one_line = " ".join(shown(text).split()) or " "
    longest = max((len(run) for run in re.findall(r"`+", one_line)), default=0)
    ticks = "`" * (longest + 1)
    pad = " " if one_line.startswith("`") or one_line.endswith("`") else ""
    return f"{ticks}{pad}{one_line}{pad}{ticks}"


def prose(text: str) -> str:
    """Like `plain`, but text between two backticks stays a code span."""
    pieces = re.split(r"`([^`\n]+)`", shown(text))
    return "".join(code(piece) if odd % 2 else _spaced(piece) for odd, piece in enumerate(pieces)).strip()


def _spaced(piece: str) -> str:
    head = " " if piece[:1].isspace() else ""
    tail = " " if piece[-1:].isspace() and piece.strip() else ""
    return head + plain(piece) + tail


def plain(text: str) -> str:
    """One line of text without mentions, links and markup."""
    one_line = " ".join(shown(text).split())
    escaped = re.sub(r"([\\`*_\[\]<>|~&])", r"\\\1", one_line)
    return _REFERENCES.sub(lambda found: found[0] + _WORD_JOINER, escaped)


def listed(lines: Iterable[str]) -> str:
    """Sentences as a Markdown list, escaped: they may quote what others wrote. Blank ones are left out."""
    return "\n".join(f"- {plain(line)}" for line in lines if line.strip())
