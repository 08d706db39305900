"""Turns diagnostics of several engines into findings on added lines, without duplicates. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from bots.models import Category, Finding, Level
from hive.scan.engine import Diagnostic, Edit
from hive.scan.placement import instruction
from hive.scan.rules import Rule, better, rank, rule_for
from hive.scan.sources import Source

_LOUDNESS = {Level.RED: 0, Level.YELLOW: 1, Level.GREEN: 2}
_EXCUSE = re.compile(r"#\s*noqa:\s*(?P<rules>[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)\s+(?:\W\s*)?\w+\s+\w+")
_EXCUSE_ABOVE = re.compile(r"#\s*shellcheck\s+disable=(?P<rules>[\w,]+)\s+#\s*\w+\s+\w+")
"""A remark's rule and at least two words why: behind the line in Python, above it in shell."""

NEAR = 6
"""The lines above a finding that can say what it is for."""

_QUIETER = {Level.RED: Level.YELLOW}
"""The level of a guess where secrets are usually made up; a lower one is dropped."""


def finding(engine: str, source: Source, mark: Diagnostic, line: int) -> Finding | None:
    """What a diagnostic means for the change, shown on a line; None if it means nothing there."""
    rule = rule_for(engine, mark)
    level = _level(rule, source)
    if mark.level == "off" or level is None or _is_excused(rule, source, mark) or not _holds(rule, source, mark, line):
        return None
    if rule.category is Category.BROKEN:
        line = _at_fault(source, mark)
    elif rule.at is not None:
        line = next((at for at in instruction(source, source.line(mark.line)) if rule.at.search(source.text(at))), line)
    last = source.line(max(mark.end, mark.line))
    return Finding(
        path=source.path,
        line=line,
        level=level,
        category=rule.category,
        rule=mark.rule,
        title=rule.title or mark.message,
        why=rule.why or (_said(source, mark, rule) if rule.title else ""),
        fix_seconds=rule.fix_seconds,
        suggestion=None if rule.category is Category.LEAK else _fixed(source, mark.edits, line),
        engine=engine,
        end_line=last if last > line else 0,
    )


def _level(rule: Rule, source: Source) -> Level | None:
    """How severe a rule is in a file; None where it is a guess that nobody wants."""
    if (rule.guess and source.is_locked) or (source.is_test and not rule.in_tests):
        return None
    return _QUIETER.get(rule.level) if rule.guess and (source.is_test or source.is_prose) else rule.level


def _is_excused(rule: Rule, source: Source, mark: Diagnostic) -> bool:
    """Whether a remark's line, or a comment above it, says that it is meant so, by its rule and with a reason.

    What is red has no excuse.
    """
    line = source.line(mark.line)
    found = (_EXCUSE.search(source.text(line)), _EXCUSE_ABOVE.search(source.text(line - 1)))
    rules = {name.strip() for each in found if each for name in each["rules"].split(",")}
    return rule.level is Level.YELLOW and mark.rule in rules


def _holds(rule: Rule, source: Source, mark: Diagnostic, line: int) -> bool:
    """Whether what a rule asks of the line, of the file and of the engine's words is there."""
    text = source.text(line)
    if rule.message and not rule.message.search(mark.message):
        return False
    above = [source.text(number) for number in range(line - NEAR, line + 1)]
    if (rule.near and not any(map(rule.near.search, above))) or (
        rule.not_near and any(map(rule.not_near.search, above))
    ):
        return False
    both = f"{source.text(source.line(mark.line))}\n{text}"
    if (rule.unless and any(map(rule.unless.search, both.split("\n")))) or (rule.only and not rule.only.search(text)):
        return False
    return rule.wants is None or any(rule.wants.search(each) for each in source.lines)


def deduplicate(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Remove duplicates; the most severe first.

    If several engines report the same category on one line, the one that explains it best is kept; a file that does not
    parse gets one finding.
    """
    kept: list[Finding] = []
    for _, same in groupby(sorted(findings, key=_matter), key=_matter):
        group = sorted(same, key=lambda item: (_LOUDNESS[item.effective_level], rank(item.engine), item.line))
        kept += _of_one_engine(group)
    told = {(item.path, item.line, item.rule) for item in kept}
    kept = [
        item
        for item in kept
        if not any((item.path, item.line, rule) in told for rule in better(item.engine, item.rule))
    ]
    leaks = {(item.path, item.line) for item in kept if item.category is Category.LEAK}
    # A line with a secret is never quoted.
    quiet = (replace(item, suggestion=None) if (item.path, item.line) in leaks else item for item in kept)
    return tuple(sorted(quiet, key=lambda item: (_LOUDNESS[item.effective_level], item.path, item.line, item.rule)))


def _of_one_engine(group: list[Finding]) -> Iterator[Finding]:
    titles = set()
    for item in group:
        if item.engine == group[0].engine and item.title not in titles:
            titles.add(item.title)
            yield item
        if item.category in {Category.BROKEN, Category.LEAK}:
            return


def _matter(item: Finding) -> tuple[str, str, int]:
    return item.path, item.category, 0 if item.category is Category.BROKEN else item.line


def _at_fault(source: Source, mark: Diagnostic) -> int:
    """The added line to show on what breaks a whole file: the last one before the place, or the first, or none (0)."""
    before = [number for number in source.fresh if number <= source.line(mark.line)]
    return max(before, default=min(source.fresh, default=0))


def _said(source: Source, mark: Diagnostic, rule: Rule) -> str:
    """The engine's message; with its line where the finding may be shown on another one."""
    return f"Line {source.line(mark.line)}: {mark.message}" if rule.category is Category.BROKEN else mark.message


def _fixed(source: Source, edits: tuple[Edit, ...], line: int) -> str | None:
    """The line as the engine would have it, empty if it should go; None if it takes more than that line."""
    # A file with lone carriage returns has more lines than git counts: columns would be wrong.
    if not edits or len(source.lines) != len(source.numbers) or any(edit.line != line for edit in edits):
        return None
    text = source.lines[line - 1]
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.text + (text[edit.end :] if edit.end is not None else "")
    return text
