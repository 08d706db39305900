"""Finds what the rules for units and Dockerfiles look for, in the directives of one file. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hive.scan.catalog import Pattern, patterns

UNIT = "Unit"
DOCKERFILE = "Dockerfile"
_SECTION = re.compile(r"\[(?P<name>[^\[\]]+)\]\s*")
_SETTING = re.compile(r"(?P<key>[A-Za-z][\w-]*)\s*=\s*(?P<value>.*)", re.DOTALL)
_INSTRUCTION = re.compile(r"\s*(?P<key>[A-Za-z]+)\s+(?P<value>.*)", re.DOTALL)
_HEREDOC = re.compile(r"<<-?[\"']?(?P<end>\w+)[\"']?")


@dataclass(frozen=True, slots=True)
class Directive:
    """One setting or instruction, over as many lines as it takes; `line` is its first, from 1.

    `section` is that of a unit, or the name of a Dockerfile's stage. `commented` is whether a comment stands above it.
    """

    line: int
    section: str
    key: str
    value: str
    commented: bool


def settings(text: str) -> Iterator[Directive]:
    """The directives of a unit."""
    section = ""
    for line, row, commented in _rows(text, comments="#;"):
        if (head := _SECTION.fullmatch(row)) is not None:
            section = head["name"]
        elif (found := _SETTING.fullmatch(row)) is not None:
            yield Directive(line, section, found["key"], found["value"].rstrip(), commented)


def instructions(text: str) -> Iterator[Directive]:
    """The instructions of a Dockerfile; a here-document belongs to its instruction."""
    stage = ""
    for line, row, commented in _rows(text, comments="#", heredocs=True):
        if (found := _INSTRUCTION.fullmatch(row)) is not None:
            key, value = found["key"].upper(), found["value"].rstrip()
            if key == "FROM":
                stage = str(line)
            yield Directive(line, stage, key, value, commented)


def _rows(text: str, *, comments: str, heredocs: bool = False) -> Iterator[tuple[int, str, bool]]:
    """Logical lines: those that end with a backslash go on; with their first line, and whether a comment is above."""
    lines = text.split("\n")
    at, commented = 0, False
    while at < len(lines):
        first, row = at, lines[at]
        at += 1
        if not row.strip() or row.lstrip()[0] in comments:
            commented = bool(row.strip())
            continue
        goes_on = row.rstrip().endswith("\\")
        while goes_on and at < len(lines):
            row, at = f"{row}\n{lines[at]}", at + 1
            goes_on = row.rstrip().endswith("\\") or lines[at - 1].lstrip()[:1] in tuple(comments)
        if heredocs and (found := _HEREDOC.search(row)) is not None:
            while at < len(lines):
                row, at = f"{row}\n{lines[at]}", at + 1
                if lines[at - 1].strip() == found["end"]:
                    break
        yield first + 1, row, commented
        commented = False


def matches(pattern: Pattern, directives: Sequence[Directive]) -> Iterator[int]:
    """The lines that a rule means."""
    for wanted in pattern.rule.get("any", [pattern.rule]):
        if "without" in wanted and any(_is(wanted["without"], other) for other in directives):
            continue
        found = [item for item in directives if _is(wanted, item)]
        for item in _of_those(wanted, found, directives):
            yield from (item.line + place for place in _places(pattern, item.value))


def _places(pattern: Pattern, value: str) -> list[int]:
    """The lines of a directive that are meant; the first if its pattern names none."""
    return pattern.places(value) or [0]


def _is(wanted: Mapping[str, Any], item: Directive) -> bool:
    return (
        re.search(wanted["key"], item.key) is not None
        and re.search(wanted.get("section", ""), item.section) is not None
        and re.search(wanted.get("value", ""), item.value) is not None
        and not ("except" in wanted and re.search(wanted["except"], item.value))
        and wanted.get("comment", item.commented) is item.commented
    )


def _of_those(wanted: Mapping[str, Any], found: list[Directive], directives: Sequence[Directive]) -> list[Directive]:
    """What is left of the directives found, where a rule is about their order or about a Dockerfile's stages."""
    if wanted.get("repeated"):
        return found[1:]
    if wanted.get("last"):
        last = [item for item in directives if re.search(wanted["key"], item.key)][-1:]
        return [item for item in found if item in last]
    if wanted.get("stages") is False:
        stages = {item.value.split()[-1] for item in directives if re.search(r"(?i)\sas\s+\S+$", item.value)}
        return [item for item in found if not stages & set(item.value.split()[:1])]
    return found


def look(text: str, *, language: str) -> Iterator[tuple[int, str]]:
    """Lines and rules of all that is found in a text; `language` is `Unit` or `Dockerfile`."""
    directives = list(instructions(text) if language == DOCKERFILE else settings(text))
    for pattern in patterns().values():
        if pattern.language == language:
            yield from ((line, pattern.id) for line in sorted(set(matches(pattern, directives))))
