"""ShellCheck: what goes wrong in shell scripts. Performs no I/O."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from hive.scan.engine import Diagnostic, Edit, Engine
from hive.scan.sources import FileKind, Source

IGNORE = ("SC2034", "SC2148", "SC2154")
"""Variables that another file may set or read, and files without a shebang, which are meant to be sourced."""


def words(sources: Sequence[Source]) -> list[str]:
    """Errors and warnings, without any configuration but ours."""
    return [
        *("--norc", "--format=json1", "--severity=warning", f"--exclude={','.join(IGNORE)}", "--"),
        *(source.whole for source in sources),
    ]


def read(said: str) -> Iterator[Diagnostic]:
    """One mark for each comment; codes below 2000 are about what does not parse."""
    for item in json.loads(said)["comments"]:
        yield Diagnostic(
            copy=item["file"],
            line=item["line"],
            end=item["endLine"],
            rule=f"SC{item['code']}",
            family="syntax" if item["code"] < 2000 and item["level"] == "error" else item["level"],
            message=item["message"],
            edits=tuple(_edits(item["fix"])),
        )


def _edits(fix: dict[str, Any] | None) -> Iterator[Edit]:
    parts = fix["replacements"] if fix else []
    if all(part["line"] == part["endLine"] for part in parts):
        for part in parts:
            yield Edit(part["line"], part["column"] - 1, part["endColumn"] - 1, part["replacement"])


ENGINE = Engine("shellcheck", "shellcheck", frozenset({FileKind.SHELL}), words, read, found=frozenset({1}))
