"""An issue's text, taken apart: what its author says, and what only surrounds it. Performs no I/O.

Templates, quotes, code and logs do not vote on what an issue is; that they are there is kept as marks. All of it takes time
in proportion to the text, of which no more than `LONGEST` characters are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bots.sanitize import printable

LONGEST = 20_000
MOST_FIELDS = 40
LONGEST_VALUE = 60

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_ONE_LINE_FENCE = re.compile(r"```+[^`\n]*```+")
_INLINE_CODE = re.compile(r"`[^`\n]{1,300}`")
_IMAGE = re.compile(r"!\[[^\]\n]{0,200}\]\([^)\s]{0,500}\)|<img\b[^>\n]{0,500}>|<video\b", re.IGNORECASE)
_LINK = re.compile(r"\[([^\[\]\n]{1,200})\]\([^)\s]{0,500}\)")
_ADDRESS = re.compile(r"https?://\S+")
_TAG = re.compile(r"</?[a-zA-Z][^<>\n]{0,200}>")
_VERSION = re.compile(r"\bv?\d+\.\d+(?:\.\d+)+\b")
_HEADING = re.compile(
    r"#{1,6}[ \t]+(.{1,120}?)[ \t#:]*|\*\*([^*\n]{1,100}?)[:?]?\*\*[: \t]*|__([^_\n]{1,100}?)[:?]?__[: \t]*"
)
_FIELD = re.compile(
    r"(?:[-*+][ \t]+)?(?:\*\*|__)?([A-Za-z][A-Za-z /()'-]{1,50})(?:\*\*|__)?[?]?:(?:\*\*|__)?[ \t]*(\S.{0,120})?"
)
_ITEM = re.compile(r"[-*+][ \t]+\[([ xX])\]")
_TRACE = re.compile(
    r"Traceback \(most recent|^\s*at [\w$.<>]+ ?\(|\bpanic(?:ked|:)|[Ss]egmentation fault|\bSIG(?:SEGV|ABRT)\b"
    r"|[Ss]tack ?trace|Caused by:|\b[A-Z]\w{0,60}(?:Error|Exception)\b",
    re.MULTILINE,
)
_FAULT = re.compile(r"\b(?:error|fatal|failed|undefined|crash\w{0,10})\b", re.IGNORECASE)
_LOG = re.compile(
    r"\s*(?:\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\[?\d\d:\d\d:\d\d|at [\w$.<>]+ ?\(|(?:\+\+\+|---|@@|diff --git|index) "
    r"|[$#>] ?\w|(?:INFO|WARN|WARNING|ERROR|DEBUG|TRACE|FATAL)\b)"
)
_NOT_A_LETTER = re.compile(r"[^a-z]+")
_NO_ANSWER = frozenset({"no response", "n a", "none", "no", ""})


@dataclass(frozen=True, slots=True)
class CleanText:
    """An issue's title and prose, the form around it, and marks of what was taken out.

    `headings` and the names in `fields` are in small letters; a field's value is that of a line `Name: value`, or of the
    only line below a heading, `none` where nothing was answered. Marks: `code`, `trace`, `fault`, `image`, `link`, `log`,
    `quote`, `form`, `ticked`, `unticked`, `versions`.
    """

    title: str
    prose: str
    headings: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    marks: frozenset[str] = frozenset()


def clean(title: str, body: str) -> CleanText:
    """Take an issue apart."""
    reading = _Reading()
    text = _COMMENT.sub("\n", _visible(body[:LONGEST]))
    text = _ONE_LINE_FENCE.sub(reading.take_code, text)
    for line in text.split("\n"):
        reading.read(line)
    return reading.cleaned(" ".join(_INLINE_CODE.sub(" codeword ", _visible(title[:500])).split()))


def plain_words(text: str) -> str:
    """A text as small letters and single spaces."""
    return _NOT_A_LETTER.sub(" ", text.lower()).strip()


class _Reading:
    """Reads a body line by line."""

    def __init__(self) -> None:
        self.prose: list[str] = []
        self.code: list[str] = []
        self.headings: list[str] = []
        self.fields: list[tuple[str, str]] = []
        self.marks: set[str] = set()
        self._fence = ""
        self._below: list[str] = []

    def read(self, line: str) -> None:
        """Take one line."""
        bare = line.strip()
        if self._fence:
            if bare.startswith(self._fence) and not bare.strip(self._fence[0]):
                self._fence = ""
            else:
                self.code.append(line)
        elif bare.startswith(("```", "~~~")):
            self._fence = bare[0] * (len(bare) - len(bare.lstrip(bare[0])))
            self._below.append("codeblock")
            self.prose.append("codeblock")
        elif bare.startswith(">"):
            self.marks.add("quote")
        elif heading := _HEADING.fullmatch(bare):
            self._close_field()
            self.headings.append(plain_words(next(filter(None, heading.groups()))))
        elif bare:
            self._sentence(bare)

    def take_code(self, found: re.Match[str]) -> str:
        """Code between fences on one line."""
        self.code.append(found[0])
        return " codeblock "

    def cleaned(self, title: str) -> CleanText:
        """What was read."""
        self._close_field()
        prose = "\n".join(self.prose)
        code = "\n".join(self.code)
        self._mark(prose, code)
        prose = _IMAGE.sub(" ", prose)
        prose = _ADDRESS.sub(" ", _LINK.sub(r"\1", prose))
        prose = _TAG.sub(" ", _INLINE_CODE.sub(" codeword ", prose))
        headings = tuple(dict.fromkeys(self.headings))[:MOST_FIELDS]
        fields = tuple(dict.fromkeys(self.fields))[:MOST_FIELDS]
        return CleanText(title, prose, headings, fields, frozenset(self.marks))

    def _sentence(self, line: str) -> None:
        if item := _ITEM.match(line):
            self.marks.add("unticked" if item[1] == " " else "ticked")
        if _LOG.match(line):
            self.marks.add("log")
            self.code.append(line)
            return
        if len(self._below) < 2:
            self._below.append(line)
        if len(line) < 200 and (field := _FIELD.fullmatch(line)) and len(field[2] or "") <= LONGEST_VALUE:
            self.fields.append((plain_words(field[1]), _value(field[2] or "")))
        self.prose.append(line)

    def _close_field(self) -> None:
        """The value of the last heading, if one line is all that is below it."""
        if self.headings and len(self._below) < 2:
            value = self._below[0] if self._below else ""
            if len(value) <= LONGEST_VALUE:
                self.fields.append((self.headings[-1], _value(value)))
        self._below = []

    def _mark(self, prose: str, code: str) -> None:
        found = {
            "code": bool(code),
            "trace": _TRACE.search(code) or _TRACE.search(prose),
            "fault": _FAULT.search(code),
            "image": _IMAGE.search(prose),
            "link": _ADDRESS.search(prose),
            "form": bool(self.headings),
            "versions": _VERSION.search(prose) or _VERSION.search(code),
        }
        self.marks.update(mark for mark, there in found.items() if there)


def _visible(text: str) -> str:
    return text.replace("\r\n", "\n") if text.isascii() else printable(text)


def _value(text: str) -> str:
    said = plain_words(text)
    return "none" if said in _NO_ANSWER else " ".join(said.split()[:4])
