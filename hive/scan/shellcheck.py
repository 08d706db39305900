"""ShellCheck: what goes wrong in shell scripts. Performs no I/O."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from hive.scan.engine import Diagnostic, Edit, Engine
from hive.scan.rules import codes
from hive.scan.sources import FileKind, Source

SYNTAX = frozenset({1072, 1088, 1089})
"""The codes for the place where the parser stopped. Others below 2000 say why, or are about what the shell reads otherwise than
people do.
"""

PORTABLE = 3000
"""Codes from here on are about words that the shell of the first line does not have."""

EVERYWHERE = frozenset({3013, 3037, 3043})
"""Some that no standard demands and every shell on a Linux has: `local`, `echo -n`, `-nt`."""


def words(sources: Sequence[Source]) -> list[str]:
    """The codes that have a text, without any configuration but ours."""
    return ["--norc", "--format=json1", "--severity=style", "--", *(source.whole for source in sources)]


def read(said: str) -> Iterator[Diagnostic]:
    """One mark for each comment with a code that means something here."""
    known = codes("shellcheck")
    for item in json.loads(said)["comments"]:
        code, rule = item["code"], f"SC{item['code']}"
        family = "syntax" if code in SYNTAX else "portable" if code >= PORTABLE and code not in EVERYWHERE else ""
        if family or rule in known:
            yield Diagnostic(
                copy=item["file"],
                line=item["line"],
                end=item["endLine"],
                rule=rule,
                family=family,
                message=item["message"],
                edits=tuple(_edits(item["fix"])),
            )


def _edits(fix: dict[str, Any] | None) -> Iterator[Edit]:
    parts = fix["replacements"] if fix else []
    if all(part["line"] == part["endLine"] for part in parts):
        for part in parts:
            yield Edit(part["line"], part["column"] - 1, part["endColumn"] - 1, part["replacement"])


ENGINE = Engine(
    "shellcheck",
    "shellcheck",
    frozenset({FileKind.SHELL}),
    words,
    read,
    frozenset({0, 1}),
    adds="what goes wrong in shell scripts",
)
