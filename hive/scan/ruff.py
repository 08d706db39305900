"""Ruff: bugs, blind handlers, unsafe calls and small untidiness in Python. Performs no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from hive.scan.engine import Diagnostic, Edit, Engine
from hive.scan.rules import codes
from hive.scan.sources import FileKind, Source

BROKEN = "invalid-syntax"
_FAMILY = re.compile(r"[A-Z]+")


def words(sources: Sequence[Source]) -> list[str]:
    """Ruff without any configuration but ours; comments that wave a finding through do not count."""
    return [
        *("check", "--isolated", "--no-cache", "--ignore-noqa", "--exit-zero", "--output-format=json"),
        *("--target-version=py314", f"--select={','.join(sorted(codes('ruff') - {BROKEN}))}"),
        "--per-file-ignores=__init__.py:F401",  # what such a file imports, it exports
        "--",
        *(source.whole for source in sources),
    ]


def read(said: str) -> Iterator[Diagnostic]:
    """One mark for each violation; what does not parse has the rule `invalid-syntax`."""
    for item in json.loads(said):
        rule = item["code"] or BROKEN
        family = _FAMILY.match(rule)
        yield Diagnostic(
            copy=item["filename"],
            line=item["location"]["row"],
            end=item["end_location"]["row"] if item["end_location"] else 0,
            rule=rule,
            family=family[0] if family else "",
            message=item["message"],
            edits=tuple(_edits(item["fix"])),
        )


def _edits(fix: dict[str, Any] | None) -> Iterator[Edit]:
    """The edits of a fix that ruff itself calls safe, if each of them stays on one line."""
    if fix is None or fix["applicability"] != "safe":
        return
    edits = [_edit(part["location"], part["end_location"], part["content"]) for part in fix["edits"]]
    if all(edits):
        yield from (edit for edit in edits if edit)


def _edit(start: dict[str, int], end: dict[str, int], text: str) -> Edit | None:
    if start["row"] == end["row"] and "\n" not in text:
        return Edit(start["row"], start["column"] - 1, end["column"] - 1, text)
    if end == {"row": start["row"] + 1, "column": 1} and start["column"] == 1 and not text:
        return Edit(start["row"], 0, None, "")
    return None


ENGINE = Engine(
    "ruff",
    "ruff",
    frozenset({FileKind.PYTHON}),
    words,
    read,
    adds="bugs, blind handlers, unsafe calls and small untidiness in Python",
)
