"""Read Python files and print, as lines of JSON, where request data becomes a path."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from hive.scan.taint.flow import TaintMatch, matches

MAX_DEPTH = 10_000


def look(name: str) -> Iterator[TaintMatch]:
    """All matches in a file; one of the rule `unparsable` if this Python cannot read it."""
    try:
        tree = ast.parse(Path(name).read_bytes())
    except (SyntaxError, ValueError):
        yield TaintMatch(1, "unparsable")
        return
    yield from matches(tree)


def main() -> None:
    """One line of JSON for each match; a file that is nested too deeply ends the run, and so the review, visibly."""
    sys.setrecursionlimit(MAX_DEPTH)
    for name in sys.argv[1:]:
        for seen in look(name):
            print(json.dumps({"file": name, "line": seen.line, "rule": seen.rule, "also": list(seen.also)}))  # noqa: T201


if __name__ == "__main__":
    main()
