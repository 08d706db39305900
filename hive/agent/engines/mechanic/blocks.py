"""Splits a request into clauses and fenced blocks; what is quoted is nobody's request. Performs no I/O.

In a clause every quoted term is a token, so that no regular expression ever reads what a stranger put into quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_LINES = 20_000

OPEN, CLOSE = "\x02", "\x03"
"""Around the number of a quoted term in a clause: control characters, which no request holds."""

_FENCE = re.compile(r"(?P<indent>[ \t]*)(?P<ticks>`{3,}|~{3,})(?P<info>[^`]*)")
_BULLET = re.compile(r"^[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?|^[ \t]*#{1,6}[ \t]+")
_QUOTED = re.compile(
    r"(?P<ticks>`+)(?P<code>[^`\n]{1,2000}?)(?P=ticks)(?!`)"
    r"|\"(?P<double>[^\"\n]{1,500})\"|“(?P<typographic>[^”\n]{1,500})”|„(?P<low>[^“”\n]{1,500})[“”]"
    r"|«(?P<guillemets>[^»\n]{1,500})»|(?<![\w])'(?P<single>[^'\n]{1,500})'(?!\w)|‘(?P<curly>[^’\n]{1,500})’(?!\w)"
)
_END = re.compile(r"[.!?]+(?=\s|$)|;(?=\s|$)")
_HUNK = re.compile(r"@@ -\d+(?:,(?P<old>\d+))? \+\d+(?:,(?P<new>\d+))? @@")
_HEADER = re.compile(
    r"diff --git |index [0-9a-f]|(?:old|new|deleted file|new file) mode |(?:rename|copy) (?:from|to) |"
    r"(?:dis)?similarity index |Binary files |GIT binary patch|Index: |={10}"
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block, or a diff that stands in a text without a fence."""

    language: str
    text: str
    is_fenced: bool = True


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause of a text, on one line; each quoted term in it is a token, its number between OPEN and CLOSE."""

    text: str
    terms: tuple[str, ...]
    ends_line: bool
    """Whether nothing follows on its line."""

    asks: bool = False
    """Whether it ends with a question mark."""

    @property
    def plain(self) -> str:
        """The clause as it was written, about."""
        return re.sub(f"{OPEN}(\\d+){CLOSE}", lambda found: f"`{self.terms[int(found[1])]}`", self.text)


def split(text: str) -> list[Clause | Block]:
    """The clauses and blocks of a text, in their order."""
    found: list[Clause | Block] = []
    lines = text.split("\n")[:MAX_LINES]
    at = 0
    while at < len(lines):
        line = lines[at]
        fence = _FENCE.fullmatch(line)
        if fence is not None:
            block, at = _fenced(lines, at, fence)
            found.append(block)
            continue
        if end := _diff_end(lines, at):
            found.append(Block("diff", "\n".join(lines[at:end]) + "\n", is_fenced=False))
            at = end
            continue
        at += 1
        if not line.lstrip().startswith(">"):
            found += clauses(line)
    return found


def clauses(line: str) -> Iterator[Clause]:
    """The clauses of one line."""
    terms: list[str] = []

    def token(quoted: re.Match[str]) -> str:
        value = next(value for name, value in quoted.groupdict().items() if name != "ticks" and value is not None)
        terms.append(value.strip() if quoted["code"] and value.strip() else value)
        return f"{OPEN}{len(terms) - 1}{CLOSE}"

    coded = _QUOTED.sub(token, _BULLET.sub("", line).replace(OPEN, "").replace(CLOSE, ""))
    coded = re.sub(r"\*\*|__(?=\S)|(?<=\S)__", "", coded).strip()
    start = 0
    for end in [*_END.finditer(coded), None]:
        piece = coded[start : len(coded) if end is None else end.start()].strip()
        start = len(coded) if end is None else end.end()
        if piece:
            last = not coded[start:].strip()
            yield Clause(" ".join(piece.split()), tuple(terms), last, end is not None and "?" in end[0])


def _fenced(lines: list[str], at: int, fence: re.Match[str]) -> tuple[Block, int]:
    indent, ticks = len(fence["indent"].expandtabs(4)), fence["ticks"]
    body: list[str] = []
    for number in range(at + 1, len(lines)):
        closing = _FENCE.fullmatch(lines[number])
        if closing is not None and closing["ticks"].startswith(ticks) and not closing["info"].strip():
            return Block(_language(fence), _joined(body), is_fenced=True), number + 1
        body.append(_dedented(lines[number], indent))
    return Block(_language(fence), _joined(body), is_fenced=True), len(lines)


def _language(fence: re.Match[str]) -> str:
    words = fence["info"].split()
    return words[0].lower() if words else ""


def _joined(lines: list[str]) -> str:
    return "\n".join(lines) + "\n" if lines else ""


def _dedented(line: str, indent: int) -> str:
    """A line less the indentation of its fence, as Markdown has it."""
    blank = len(line) - len(line.lstrip(" "))
    return line[min(indent, blank) :]


def _diff_end(lines: list[str], at: int) -> int:
    """Where a diff ends that begins at a line; 0 if none begins there. Its hunks' counts decide."""
    here, hunks = at, 0
    while here < len(lines):
        line = lines[here]
        if line.startswith("--- ") and here + 1 < len(lines) and lines[here + 1].startswith("+++ "):
            here += 2
        elif _HEADER.match(line):
            here += 1
        elif (hunk := _HUNK.match(line)) and here > at:
            here, hunks = _hunk_end(lines, here, hunk), hunks + 1
        else:
            break
    is_diff = hunks > 0 or (here > at and lines[at].startswith("diff --git "))
    return here if is_diff else 0


def _hunk_end(lines: list[str], at: int, hunk: re.Match[str]) -> int:
    old, new = (int(count) if count is not None else 1 for count in (hunk["old"], hunk["new"]))
    here = at + 1
    while here < len(lines) and (old > 0 or new > 0 or lines[here].startswith("\\")):
        sign = lines[here][:1]
        if sign not in {"", " ", "+", "-", "\\"} or lines[here].startswith("@@"):
            break
        old -= sign in {"", " ", "-"}
        new -= sign in {"", " ", "+"}
        here += 1
    return here
