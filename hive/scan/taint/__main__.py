"""Read files and print, as lines of JSON, where request data is used unchecked."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hive.scan.taint import golang, script
from hive.scan.taint.flow import TaintMatch, matches
from hive.scan.taint.syntax import Unparsed, trees
from hive.scan.taint.tables import table
from hive.scan.taint.translate import Translator

MAX_DEPTH = 10_000


@dataclass(frozen=True, slots=True)
class Dialect:
    """A language that ast-grep reads for the follower: its name there, its suffixes, and whose table counts."""

    language: str
    suffixes: frozenset[str]
    kinds: Sequence[str]
    translator: type[Translator]
    table: str


DIALECTS = (
    Dialect("Go", frozenset({".go"}), golang.KINDS, golang.GoTranslator, "go"),
    Dialect("JavaScript", frozenset({".js", ".mjs", ".cjs", ".jsx"}), script.KINDS, script.ScriptTranslator, "script"),
    Dialect("TypeScript", frozenset({".ts", ".mts", ".cts"}), script.TYPED_KINDS, script.ScriptTranslator, "script"),
    Dialect("Tsx", frozenset({".tsx"}), script.TYPED_KINDS, script.ScriptTranslator, "script"),
)


def of_python(name: str) -> Iterator[TaintMatch]:
    """All matches in a file of Python; one of the rule `unparsable` if this Python cannot read it."""
    try:
        yield from matches(ast.parse(Path(name).read_bytes()))
    except (SyntaxError, ValueError):
        yield TaintMatch(1, "unparsable")


def of_dialect(dialect: Dialect, names: Sequence[str]) -> Iterator[tuple[str, TaintMatch]]:
    """All matches in files of one language; most say nothing that request data could come from, and are not parsed."""
    hints = table(dialect.table).hints
    sources = {name: Path(name).read_bytes() for name in names}
    worth = [name for name in names if hints.search(sources[name])]
    try:
        found = trees(worth, dialect.language, dialect.kinds)
    except (Unparsed, ValueError):
        yield from ((name, TaintMatch(1, "unparsable")) for name in worth)
        return
    for name, root in found.items():
        module = dialect.translator(sources[name]).module(root)
        yield from ((name, match) for match in matches(module, dialect.table))


def look(names: Sequence[str]) -> Iterator[tuple[str, TaintMatch]]:
    """All matches in all files."""
    for name in names:
        if name.endswith((".py", ".pyi")):
            yield from ((name, match) for match in of_python(name))
    for dialect in DIALECTS:
        yield from of_dialect(dialect, [name for name in names if Path(name).suffix in dialect.suffixes])


def main() -> None:
    """One line of JSON for each match; a file that is nested too deeply ends the run, and so the review, visibly."""
    sys.setrecursionlimit(MAX_DEPTH)
    for name, seen in look(sys.argv[1:]):
        print(json.dumps({"file": name, "line": seen.line, "rule": seen.rule, "also": list(seen.also)}))  # noqa: T201


if __name__ == "__main__":
    main()
