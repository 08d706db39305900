"""Positive findings: few, and only what the engines or the lines themselves show. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from bots.models import Category, Finding, Level
from hive.scan.sources import FileKind, Source

MAX_PRAISE = 3
ALL_CLEAN = "all-clean"

_TESTS = {
    FileKind.PYTHON: re.compile(r"\s*(?:async )?def test_\w+\("),
    FileKind.SCRIPT: re.compile(r"\s*(?:it|test)\("),
    FileKind.RUST: re.compile(r"\s*#\[(?:\w+::)?test\]"),
    FileKind.GO: re.compile(r"func Test\w*\("),
}
_CODE = frozenset({*_TESTS, FileKind.SHELL})


def deserved(sources: Sequence[Source], findings: Sequence[Finding], *, engines: int) -> tuple[Finding, ...]:
    """At most three green findings; `engines` is how many finished, 0 if any could not see all it should have."""
    blamed = {item.path for item in findings if item.level is not Level.GREEN}
    green = [item for item in findings if item.level is Level.GREEN]
    words = (*_for_tests(sources, blamed), *green[:1], *_for_silence(sources, blamed, engines))
    return tuple(islice(words, MAX_PRAISE))


def _for_tests(sources: Sequence[Source], blamed: set[str]) -> Iterator[Finding]:
    code = any(source.fresh and source.kind in _CODE and not source.is_test for source in sources)
    tests = [(source.path, line) for source in sources if source.path not in blamed for line in _tests(source)]
    if code and tests:
        path, line = tests[0]
        count = _counted(len(tests), "new test")
        yield _praise(path, line, "tests-with-code", "Tests come with the code", f"{count}.")


def _tests(source: Source) -> Iterator[int]:
    pattern = _TESTS.get(source.kind)
    if source.is_test and pattern is not None:
        yield from (line for line in sorted(source.fresh) if pattern.match(source.lines[line - 1]))


def _for_silence(sources: Sequence[Source], blamed: set[str], engines: int) -> Iterator[Finding]:
    files = sum(source.kind in _CODE and bool(source.fresh) for source in sources)
    if engines and files and not blamed:
        who, what = _counted(engines, "analyser"), _counted(files, "file")
        yield _praise("", 0, ALL_CLEAN, "Clean", f"{who} checked {what} of code and found nothing to fix.")


def _praise(path: str, line: int, rule: str, title: str, why: str) -> Finding:
    return Finding(path, line, Level.GREEN, Category.PRAISE, rule, title, why)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
