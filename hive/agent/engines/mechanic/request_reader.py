"""Reads a whole request: what is wished, and what was not understood. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from hive.agent.engines.mechanic.blocks import Block, Clause, clauses, split
from hive.agent.engines.mechanic.clause_grammar import IMPERATIVE, TERM, Order, is_path, orders, pattern
from hive.agent.engines.mechanic.phrasings import Unclear, wishes
from hive.agent.engines.mechanic.wishes import (
    AddLines,
    ApplyPatch,
    DeleteLines,
    PutFile,
    Rename,
    ReplaceLine,
    ReplaceText,
    Wish,
)
from hive.agent.turn import PlainRemark, PlainRequest

MAX_CLAUSE = 400
"""Characters of a clause that is read; a longer one is a tale."""

MAX_WISHES = 50
TOO_MANY = f"More than {MAX_WISHES} things at once: ask for them in several issues."
UNFENCED = "A diff that stands outside of a block may not arrive as it was written: put it between ```diff and ```."
PATCHES = frozenset({"diff", "patch"})

_IS_PATCH = re.compile(r"^(?:diff --git .*|--- .*\n\+\+\+ .*)\n", re.MULTILINE)
_HUNK = re.compile(r"^@@ -\d", re.MULTILINE)
_PLACE = re.compile(rf"(?P<path>{TERM})(?:(?:,? (?:at |on )?line |:)(?P<line>\d{{1,7}}))?")
_YES = re.compile(
    r"(?:yes|yep|yeah|ok(?:ay)?|sure|right|agreed|true|good (?:idea|point|catch)|apply(?: (?:it|this|that|the suggestion|this suggestion))?"
    r"|do (?:it|this|that|so)|fix (?:it|this|that)|change (?:it|this|that)|go ahead|take it)(?:[ ,]+(?:please|thanks|then))*",
    re.IGNORECASE,
)
_FILLER = (
    r"(?:(?:an?|the|this|that|new|following|file|script|document|page|module|called|named|at|as|in|to|under|path) )*"
)
_ENDING = (
    r"(?:,? ?(?:with|containing|that (?:contains|says|reads)|which contains|saying|reading|as follows|like (?:this|so|that))"
    r"(?: (?:this|the|following|that|exact|these|content|contents|text|lines?|code))*)? ?:?"
)
_PUT = pattern(rf"(?P<verb>add|create|write|make|save|put) {_FILLER}<path>{_ENDING}")
_OVER = pattern(
    rf"(?:overwrite|replace|rewrite) (?:the )?(?:(?:whole |entire |all )*(?:contents?|text) of )?(?:the )?(?:file )?<path>{_ENDING}"
    r"(?: (?:with|by)(?: (?:this|the following|following))?)?:?"
)
_ADD = pattern(
    r"(?:add|append|insert|put) (?:the )?(?:this|these|following|those)(?: (?:lines?|text|block|code|section|entry|entries|rules?))?"
    r"(?: (?:to|at|into) (?:(?:the )?(?P<top>top|beginning|start) of |(?:the )?(?:end|bottom) of )?(?:the )?(?:file )?<path>)?"
    r"(?:,? (?P<side>after|before) (?:the line )?<beside!>)?:?"
)
_DELETE = pattern(
    r"(?:delete|remove|drop) (?:the )?(?:this|these|following|those)(?: (?:lines?|text|block|code|section))?(?: (?:from|of) (?:the )?(?:file )?<path>)?:?"
)
_REPLACE = pattern(
    r"(?:replace|change|substitute)(?: (?:the )?(?:this|these|following|those))?(?: (?:lines?|text|block|code|section))?:?"
)
_BY = re.compile(
    r"(?:with|by|to|into)(?: (?:this|the following|these|following))?(?: (?:lines?|text|block|code))?:?", re.IGNORECASE
)


_SHOULD = pattern(
    r"(?:^|(?<=[\s,(]))<old!> (?:should (?:be|read|say)|must be|is wrong,? (?:it )?should be|->|→|=>) <new!>(?=$|[\s,).])"
)
_TYPOS = re.compile(r"\b(?:typos?|mis-?spell\w*|spelling)\b", re.IGNORECASE)
_REPORT = re.compile(
    r"\breproduc|\bexpected (?:behaviou?r|result|output)|\bactual (?:behaviou?r|result|output)|\bstack ?trace\b|\btraceback\b",
    re.IGNORECASE,
)


@dataclass(slots=True)
class RequestReading:
    """What was read: wishes, what is nearly one (`hints`), and sentences that ask for something else (`others`)."""

    wishes: list[Wish] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    possible: list[Wish] = field(default_factory=list)
    """What could be done of a plan that asks for more."""

    def add(self, *found: Wish) -> None:
        """Add wishes, each once."""
        self.wishes += [wish for wish in found if wish not in self.wishes]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is wished that can be done."""
        return not self.wishes


def read(request: PlainRequest) -> RequestReading:
    """Read a request; a long one is read as far as its bounds.

    A title says what it is about. If it asks for something that thinks, and the text does too, then what could be done of
    it is a part of a plan, and nothing is done; if the text is a report of a fault, its steps are nobody's order.
    """
    title, reading = RequestReading(), RequestReading()
    _items(title, [*clauses(request.title)], is_cut=False, place=None)
    for remark in request.remarks:
        _remark(reading, remark, agreed=_agrees(request.body))
    items = split(request.body)
    if not (request.remarks and _agrees(request.body)):
        _items(reading, items, is_cut=request.is_cut, place=None)
    if _TYPOS.search(f"{request.title}\n{request.body}"):
        paths = tuple(path for clause in clauses(request.title) for each in orders(clause) for path in each.paths)
        reading.add(*_typos(items, paths))
    if title.is_empty and request.title:
        _distrust(reading, is_report=bool(_REPORT.search(request.body)), is_plan=bool(title.others and reading.others))
    return _together(title, reading)


def _distrust(reading: RequestReading, *, is_report: bool, is_plan: bool) -> None:
    """Keep of a text what was given verbatim, if the rest of it is no order."""
    given: list[Wish] = [wish for wish in reading.wishes if isinstance(wish, ApplyPatch | ReplaceLine)]
    if is_report:
        reading.wishes = given
    elif is_plan and not given:
        reading.possible, reading.wishes = reading.wishes, []


def _together(title: RequestReading, reading: RequestReading) -> RequestReading:
    reading.hints = list(dict.fromkeys([*title.hints, *reading.hints]))
    is_said_below = title.is_empty and bool(reading.wishes)  # the title names what the text spells out
    reading.others = reading.others if is_said_below else [*title.others, *reading.others]
    reading.wishes = [*title.wishes, *(wish for wish in reading.wishes if wish not in title.wishes)]
    if len(reading.wishes) > MAX_WISHES:
        reading.wishes, reading.hints = [], [TOO_MANY]
    return reading


def _agrees(text: str) -> bool:
    """Whether an answer to a remark says no more than that it is right."""
    return bool(_YES.fullmatch(text.strip().rstrip(".!")))


def _remark(reading: RequestReading, remark: PlainRemark, *, agreed: bool) -> None:
    """A remark on a line: what is suggested there, in its own data or in a block; else what its words ask for."""
    if remark.suggestion is not None and remark.line:
        reading.add(ReplaceLine(remark.path, remark.line, remark.suggestion, remark.was))
        return
    before = len(reading.wishes)
    _items(reading, split(remark.text), is_cut=False, place=(remark.path, remark.line))
    if agreed and len(reading.wishes) == before:
        reading.others.append(f"`{remark.path}`, line {remark.line}: {_first_line(remark.text)}")


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.split("\n") if line.strip()), "")[:200]


def _items(
    reading: RequestReading, items: Sequence[Clause | Block], *, is_cut: bool, place: tuple[str, int] | None
) -> None:
    at = 0
    while at < len(items):
        item = items[at]
        if isinstance(item, Block):
            _block(reading, item, is_cut=is_cut, place=place)
            at += 1
            continue
        used = _with_block(reading, items, at)
        if used:
            at += used
            continue
        _clause(reading, item, place)
        place = _place(item) or place
        at += 1


def _block(reading: RequestReading, block: Block, *, is_cut: bool, place: tuple[str, int] | None) -> None:
    """A block that says what to do by itself: a patch, a suggestion, a fragment of a diff."""
    if _IS_PATCH.search(block.text) and (_HUNK.search(block.text) or "diff --git" in block.text):
        if block.is_fenced and block.language not in {*PATCHES, ""}:
            return
        if not block.is_fenced and is_cut:
            reading.hints.append(UNFENCED)
        else:
            reading.add(ApplyPatch(block.text))
    elif place is not None and block.language == "suggestion" and place[1]:
        reading.add(ReplaceLine(place[0], place[1], block.text.removesuffix("\n")))
    elif place is not None and block.language in PATCHES and (found := _fragment(block.text)) is not None:
        reading.add(ReplaceLine(place[0], place[1], found[1], found[0]))


def _fragment(text: str) -> tuple[str, str] | None:
    """Both sides of a diff without a head: as it stands, or with the space dropped that some write behind the sign."""
    lines = text.rstrip("\n").split("\n")
    if not all(line[:1] in {"-", "+", " ", ""} for line in lines) or not any(line[:1] == "-" for line in lines):
        return None
    old = [line[1:] for line in lines if line[:1] in {"-", " ", ""}]
    new = [line[1:] for line in lines if line[:1] in {"+", " ", ""}]
    return "\n".join(old), "\n".join(new)


def _place(clause: Clause) -> tuple[str, int] | None:
    """The last path that a clause names, and the line there; 0 without one."""
    bare = Order(clause.text, clause.terms)
    found = None
    for named in _PLACE.finditer(clause.text):
        value = bare.value(named["path"])
        path, _, line = value.partition(":") if re.fullmatch(r"[^:\s]+:\d{1,7}", value) else (value, "", "")
        if is_path(path, quoted=False) and not re.fullmatch(r"[\d.]+|e\.g|i\.e", path):
            found = path, int(named["line"] or line or 0)
    return found


def _clause(reading: RequestReading, clause: Clause, place: tuple[str, int] | None) -> None:
    if len(clause.text) > MAX_CLAUSE:
        return
    for order in orders(clause):
        try:
            found = wishes(_placed(order, place))
        except Unclear as unclear:
            reading.hints.append(str(unclear))
            continue
        if found:
            reading.add(*found)
        elif IMPERATIVE.match(order.core) and not clause.asks:
            reading.others.append(clause.plain)
            return


def _placed(order: Order, place: tuple[str, int] | None) -> Order:
    """A order of a remark is about the file that the remark is on, unless it names another."""
    if place is None or order.paths or order.everywhere:
        return order
    return replace(order, paths=(place[0],)) if place[1] and order.core.lower().startswith("replace") else order


def _with_block(reading: RequestReading, items: Sequence[Clause | Block], at: int) -> int:
    """How many items a clause takes that says what to do with the block below it; 0 if it does not."""
    clause = items[at]
    after = items[at + 1] if at + 1 < len(items) else None
    if not isinstance(clause, Clause) or not clause.ends_line or not isinstance(after, Block):
        return 0
    if len(clause.text) > MAX_CLAUSE:
        return 0
    for order in orders(clause)[-1:]:
        if _REPLACE.fullmatch(order.core):
            return _replacing(reading, order, items, at)
        if (found := _block_wish(order, after)) is not None:
            reading.add(found)
            return 2
    return 0


def _block_wish(order: Order, block: Block) -> Wish | None:
    lines = tuple(block.text.rstrip("\n").split("\n")) if block.text else ()
    inner = order.paths[0] if len(order.paths) == 1 else ""
    if (fits := _ADD.fullmatch(order.core)) is not None and (path := _path(order, fits, inner)) and lines:
        beside = order.value(fits["beside"]) if fits["beside"] else ""
        return AddLines(path, lines, "top" if fits["top"] else (fits["side"] or "end").lower(), beside)
    if (fits := _DELETE.fullmatch(order.core)) is not None and (path := _path(order, fits, inner)) and lines:
        return DeleteLines(path, lines)
    if block.language in {*PATCHES, "suggestion"}:
        return None
    if (fits := _OVER.fullmatch(order.core)) is not None and (path := _path(order, fits, "")):
        return PutFile(path, block.text, replaces=True)
    if (fits := _PUT.fullmatch(order.core)) is not None and (path := _path(order, fits, "")):
        return PutFile(path, block.text, replaces=fits["verb"].lower() in {"write", "save"})
    return None


def _path(order: Order, fits: re.Match[str], otherwise: str) -> str:
    term = fits["path"]
    if not term:
        return otherwise
    value = order.value(term)
    return value if is_path(value, quoted=False) or (order.is_quoted(term) and "/" not in value) else ""


def _replacing(reading: RequestReading, order: Order, items: Sequence[Clause | Block], at: int) -> int:
    """`Replace this`, a block, `with this`, a block."""
    old, by, new = (items[at + step] if at + step < len(items) else None for step in (1, 2, 3))
    if not isinstance(old, Block) or not isinstance(by, Clause) or not isinstance(new, Block):
        return 0
    said = orders(by)
    if len(said) != 1 or not _BY.fullmatch(said[0].core):
        return 0
    paths = order.paths or said[0].paths
    everywhere = order.everywhere or said[0].everywhere
    if not paths and not everywhere:
        reading.hints.append("to replace lines, say in which file: In `path/to/file`, replace …")
    else:
        before, after = (block.text.removesuffix("\n") for block in (old, new))
        reading.add(ReplaceText(before, after, paths, everywhere=not paths))
    return 4


def _typos(items: Sequence[Clause | Block], named: tuple[str, ...]) -> Iterator[Wish]:
    """In a text about typos `teh` → `the` is enough; they are looked for where the clause says, or the title."""
    for item in items:
        for order in orders(item) if isinstance(item, Clause) and len(item.text) <= MAX_CLAUSE else ():
            for fits in _SHOULD.finditer(order.core):
                paths = order.paths or named
                old, new = order.value(fits["old"]), order.value(fits["new"])
                yield ReplaceText(old, new, paths, everywhere=not paths, whole=True)


def describe(wish: Wish) -> str:
    """A wish in one line, for the record."""
    match wish:
        case ApplyPatch(text):
            return f"apply a patch of {len(text)} characters"
        case PutFile(path, text) | Rename(path, text):
            return f"{type(wish).__name__} {path} {text[:60]!r}"
        case _:
            return repr(wish)[:200]
