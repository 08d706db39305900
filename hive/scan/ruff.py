"""Ruff: bugs, blind handlers, unsafe calls and small untidiness in Python. Performs no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from hive.scan.engine import Edit, Engine, Mark
from hive.scan.sources import Kind, Source

SELECT = ("B", "BLE001", "E711", "E712", "E713", "E714", "E722", "F", "PLE", "S")
IGNORE = ("S101", "S105", "S106", "S107", "S311", "S404", "S603", "S607")
"""Asserts, guesses about passwords (another engine's trade), and processes that are started without a shell."""

_FAMILY = re.compile(r"[A-Z]+")


def words(sources: Sequence[Source]) -> list[str]:
    """Ruff without any configuration but ours; comments that wave a finding through do not count."""
    return [
        *("check", "--isolated", "--no-cache", "--ignore-noqa", "--exit-zero", "--output-format=json"),
        *("--target-version=py314", f"--select={','.join(SELECT)}", f"--ignore={','.join(IGNORE)}"),
        "--",
        *(source.whole for source in sources),
    ]


def read(said: str) -> Iterator[Mark]:
    """One mark for each violation; what does not parse has the rule `invalid-syntax`."""
    for item in json.loads(said):
        rule = item["code"] or "invalid-syntax"
        family = _FAMILY.match(rule)
        yield Mark(
            copy=item["filename"],
            line=item["location"]["row"],
            rule=rule,
            family=family[0] if family else "",
            message=item["message"],
            edits=tuple(_edits(item["fix"])),
        )


def _edits(fix: dict[str, Any] | None) -> Iterator[Edit]:
    if fix is None or fix["applicability"] != "safe":
        return
    for edit in fix["edits"]:
        start, end, text = edit["location"], edit["end_location"], edit["content"]
        whole_line = end["row"] == start["row"] + 1 and start["column"] == end["column"] == 1 and not text
        last = -1 if whole_line else end["column"] - 1
        yield Edit(start["row"], start["column"] - 1, last, text)


ENGINE = Engine("ruff", "ruff", frozenset({Kind.PYTHON}), words, read)
