"""Read files and print, as lines of JSON, where request data is used unchecked."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from hive.scan.taint.flow import TaintMatch, matches
from hive.scan.taint.golang import KINDS as GO_KINDS
from hive.scan.taint.golang import GoTranslator
from hive.scan.taint.script import KINDS, TYPED_KINDS, ScriptTranslator
from hive.scan.taint.syntax import Unparsed, tree
from hive.scan.taint.tables import table

MAX_DEPTH = 10_000
_TYPED = {".ts": "TypeScript", ".mts": "TypeScript", ".cts": "TypeScript", ".tsx": "Tsx"}


def look(name: str) -> Iterator[TaintMatch]:
    """All matches in a file; one of the rule `unparsable` if it cannot be read."""
    suffix = Path(name).suffix
    try:
        if suffix in {".py", ".pyi"}:
            yield from matches(ast.parse(Path(name).read_bytes()))
        elif suffix == ".go":
            yield from _of_go(name)
        else:
            yield from _of_script(name, _TYPED.get(suffix, ""))
    except (SyntaxError, ValueError, Unparsed):
        yield TaintMatch(1, "unparsable")


def _of_go(name: str) -> Iterator[TaintMatch]:
    source = Path(name).read_bytes()
    if _is_worth_it(source, "go"):
        yield from matches(GoTranslator(source).module(tree(name, "Go", GO_KINDS)), "go")


def _of_script(name: str, typed: str) -> Iterator[TaintMatch]:
    source = Path(name).read_bytes()
    if _is_worth_it(source, "script"):
        root = tree(name, typed or "JavaScript", TYPED_KINDS if typed else KINDS)
        yield from matches(ScriptTranslator(source).module(root), "script")


def _is_worth_it(source: bytes, language: str) -> bool:
    """Whether a file says anything that request data could come from; most do not, and are not parsed."""
    return table(language).hints.search(source) is not None


def main() -> None:
    """One line of JSON for each match; a file that is nested too deeply ends the run, and so the review, visibly."""
    sys.setrecursionlimit(MAX_DEPTH)
    for name in sys.argv[1:]:
        for seen in look(name):
            print(json.dumps({"file": name, "line": seen.line, "rule": seen.rule, "also": list(seen.also)}))  # noqa: T201


if __name__ == "__main__":
    main()
