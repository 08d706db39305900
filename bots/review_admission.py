"""Decides which claims of a model are admitted as findings. Performs no I/O.

A claim has to quote code that is there, in a line that the change touches or in the first line of a block around one. What analysers
have said is not said again. Nothing that a model writes becomes a level that blocks without a second look at that claim alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bots.model_review import MODEL, Claim, Confidence, SecondLook
from bots.models import Category, Finding, Level
from bots.review_sources import SourceFile, squeezed, visible_line
from bots.sanitize import printable

MOST = {Level.RED: 10, Level.YELLOW: 5, Level.GREEN: 1}
"""How many claims of each level one review may say."""

MAX_TITLE, MAX_BODY, MAX_REPLACEMENT = 100, 600, 300
LEAST_QUOTE = 6
"""Characters of a quote that may be a part of its line; a shorter one has to be all of it."""

MAX_QUOTE = 2_000

NOT_THERE = "about code that is not there"
ELSEWHERE = "about code that the change does not touch"
DOUBTFUL = "of low confidence"
KNOWN = "said by others already"
TOO_MANY = "too many"
REFUTED = "refuted by a second look"
WORDLESS = "without words"

_KINDS = (
    frozenset({Category.BUG, Category.SILENT_FAILURE, Category.BROKEN}),
    frozenset({Category.SECURITY, Category.LEAK}),
    frozenset({Category.INCONSISTENCY, Category.TEST}),
)
"""Categories that two readers may give to one fault."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Claims that are said, at the places where they are said, and why how many others are not."""

    claims: tuple[Claim, ...]
    withheld: Counter[str]


def admit(claims: Iterable[Claim], sources: Mapping[str, SourceFile], known: Sequence[Finding]) -> Admitted:
    """Which claims about `sources`, by their paths, are said beside the findings that are `known` of the same head."""
    withheld: Counter[str] = Counter()
    kept: list[Claim] = []
    names = {visible_line(path): path for path in sources}
    for claim in sorted(claims, key=_rank):
        path = next((names[name] for name in _spellings(claim.path) if name in names), None)
        found = ELSEWHERE if path is None else _placed(claim, sources[path])
        if isinstance(found, str):
            withheld[found] += 1
        elif reason := _unwanted(found, known, kept):
            withheld[reason] += 1
        else:
            kept.append(_clean(found, sources[found.path]))
    chosen = list(_capped(kept))
    withheld[TOO_MANY] += len(kept) - len(chosen)
    return Admitted(tuple(chosen), +withheld)


def settled(claims: Iterable[Claim], looks: Mapping[int, tuple[SecondLook, str]]) -> tuple[tuple[Finding, ...], int]:
    """The findings of admitted claims, by what a second look says of those at some places in the list; and how many are refuted.

    A red claim that was not looked at again is yellow.
    """
    findings, refuted = [], 0
    for at, claim in enumerate(claims):
        look, reason = looks.get(at, (SecondLook.UNSURE, ""))
        if look is SecondLook.REFUTED:
            refuted += 1
            continue
        findings.append(_finding(claim, look, _words(reason, MAX_BODY)))
    return tuple(findings), refuted


def reds(claims: Sequence[Claim]) -> list[int]:
    """The places in a list of the claims that need a second look."""
    return [at for at, claim in enumerate(claims) if claim.level is Level.RED]


def _spellings(path: str) -> Iterator[str]:
    """A path as a model may write it: some copy the prefixes of a diff."""
    yield visible_line(path)
    if path.startswith(("a/", "b/", "./")):
        yield visible_line(path[2:])


def _placed(claim: Claim, source: SourceFile) -> Claim | str:
    """A claim on the line that it quotes, or on the only line of the change that reads so; or why it has no place."""
    lines = [squeezed(line) for line in claim.quote[:MAX_QUOTE].split("\n")]
    wanted = next(filter(None, lines), "")
    if not wanted:
        return NOT_THERE

    def holds(number: int) -> bool:
        there = source.squeezed_lines[number - 1]
        return wanted == there or (len(wanted) >= LEAST_QUOTE and wanted in there)

    line = claim.line if 1 <= claim.line <= len(source.lines) and holds(claim.line) else 0
    if not line:
        found = [number for number in source.anchors if holds(number)]
        if len(found) != 1:
            is_elsewhere = not found and any(map(holds, range(1, len(source.lines) + 1)))
            return ELSEWHERE if is_elsewhere else NOT_THERE
        [line] = found
    if line not in source.anchors:
        return ELSEWHERE
    shown = source.place(line)
    replacement = claim.replacement if shown == line and shown in source.touched else ""
    return replace(claim, path=source.path, line=shown, replacement=replacement)


def _unwanted(claim: Claim, known: Sequence[Finding], kept: Sequence[Claim]) -> str:
    """Why a claim that has a place is not said; empty if it is."""
    if claim.confidence is Confidence.LOW:
        return DOUBTFUL
    if claim.level is Level.GREEN and claim.confidence is not Confidence.HIGH:
        return DOUBTFUL
    if not _words(claim.title, MAX_TITLE):
        return WORDLESS
    same = (each for each in known if each.path == claim.path and _is_alike(each.category, claim.category))
    if any(each.line - 1 <= claim.line <= max(each.line, each.end_line) + 1 for each in same if each.line):
        return KNOWN
    twins = (each for each in kept if each.path == claim.path and _is_alike(each.category, claim.category))
    return KNOWN if any(abs(each.line - claim.line) <= 1 for each in twins) else ""


def _is_alike(one: Category, other: Category) -> bool:
    return one is other or any({one, other} <= kind for kind in _KINDS)


def _clean(claim: Claim, source: SourceFile) -> Claim:
    """A claim with words that are safe to keep; escaping is for who posts them."""
    return replace(
        claim,
        title=_words(claim.title, MAX_TITLE),
        body=_words(claim.body, MAX_BODY),
        replacement=_replacement(claim, source),
    )


def _replacement(claim: Claim, source: SourceFile) -> str:
    """A line that may be suggested for another one: it differs, and nothing in it hides."""
    text, now = claim.replacement.rstrip("\n"), source.lines[claim.line - 1].rstrip("\r")
    is_plain = text == printable(text) and "\n" not in text and len(text) <= MAX_REPLACEMENT
    is_new = squeezed(text) not in {"", squeezed(now)}
    return text if is_plain and is_new and claim.confidence is Confidence.HIGH else ""


def _words(text: str, longest: int) -> str:
    one_line = " ".join(printable(text).split())
    return one_line if len(one_line) <= longest else one_line[: longest - 1] + "…"


def _capped(claims: Sequence[Claim]) -> Iterator[Claim]:
    """As many claims of each level as one review may say."""
    said: Counter[Level] = Counter()
    for claim in claims:
        said[claim.level] += 1
        if said[claim.level] <= MOST[claim.level]:
            yield claim


def _rank(claim: Claim) -> tuple[int, int]:
    """The most severe claims come first, of these the most certain ones."""
    return list(MOST).index(claim.level), list(Confidence).index(claim.confidence)


def _finding(claim: Claim, look: SecondLook, reason: str) -> Finding:
    is_checked = claim.level is Level.RED
    level = Level.YELLOW if is_checked and look is not SecondLook.CONFIRMED else claim.level
    told = [f"The model was asked a second time, about this alone: {look.value}."] if is_checked else []
    evidence = " ".join(filter(None, [f"Its confidence is {claim.confidence.value}.", *told, reason if told else ""]))
    category = Category.PRAISE if level is Level.GREEN else claim.category
    return Finding(
        *(claim.path, claim.line, level, category, f"{MODEL}-{category.name.lower().replace('_', '-')}", claim.title),
        claim.body,
        suggestion=claim.replacement or None,
        engine=MODEL,
        evidence=evidence,
    )
