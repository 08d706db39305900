"""Our own rules as data: what each one looks for, and what it says to people. Performs no I/O but reading itself.

Each file is a list of rules. `language` is one of ast-grep's, and `rule` a rule of it; or `language` is `Unit` or `Dockerfile`, and
`rule` what `hive.scan.directives` looks for; or it is `Flow`, for a use of request data that `hive.scan.taint` follows. JavaScript's rules are read for TypeScript and TSX too, unless `dialects` says which.
A rule with `in_tests: false` means nothing in a test. `at` is a regular expression: the finding is on each line of the match that it finds, instead of the match's first; with
`reasons` a line that a comment explains is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ENGINES = {"Unit": "directives", "Dockerfile": "directives", "Flow": "taint"}
_DIALECTS = {"JavaScript": ("JavaScript", "TypeScript", "Tsx")}


LONGEST_LINE = 1000
"""The characters of the longest line that is looked at."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One rule: its name, the language it is for, its shape, and its words; `level` and `category` by their values."""

    id: str
    language: str
    level: str
    category: str
    title: str
    why: str
    rule: Mapping[str, Any]
    fix_seconds: int | None = None
    constraints: Mapping[str, Any] | None = None
    at: str = ""
    unless: str = ""
    in_tests: bool = True
    reasons: bool = False
    dialects: tuple[str, ...] = ()

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages it is read for."""
        return self.dialects or _DIALECTS.get(self.language, (self.language,))

    @property
    def engine(self) -> str:
        """Who looks for it."""
        return _ENGINES.get(self.language, "ast-grep")

    def places(self, text: str) -> list[int]:
        """The lines of a match that are meant, counted from 0; without `at` it is the first."""
        if not self.at:
            return [0]
        # An expression may take a time that grows with the square of a line: what people wrote is not that long.
        text = "\n".join(line if len(line) <= LONGEST_LINE else "" for line in text.split("\n"))
        places = sorted({text.count("\n", 0, found.start()) for found in re.finditer(self.at, text)})
        rows = text.split("\n") if self.reasons else []
        return [place for place in places if not (rows and _is_explained(rows, place))]


@cache
def patterns() -> Mapping[str, Pattern]:
    """All rules by name."""
    return {pattern.id: pattern for pattern in _read()}


def shapes(languages: Collection[str]) -> str:
    """The rules for some languages as ast-grep takes them: documents, each one line of JSON."""
    return "\n---\n".join(
        _shape(pattern, language)
        for pattern in patterns().values()
        for language in pattern.languages
        if language in languages
    )


def loaded(text: str) -> Any:
    """What a file of ours says."""
    return yaml.load(text, Loader=_LOADER)  # noqa: S506  # both are safe loaders


def _is_explained(rows: Sequence[str], place: int) -> bool:
    """Whether a line has its reason: a comment above it, or at its end."""
    above = rows[place - 1].lstrip() if place else ""
    return above.startswith("#") or re.search(r"\s#\s*\w", rows[place]) is not None


def _read() -> Iterator[Pattern]:
    for file in sorted(files(__name__).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".yml"):
            for item in loaded(file.read_text("utf-8")):
                yield Pattern(**{**item, "dialects": tuple(item.get("dialects", ()))})


def _shape(pattern: Pattern, language: str) -> str:
    shape = {"id": pattern.id, "language": language, "rule": pattern.rule}
    if pattern.constraints is not None:
        shape["constraints"] = pattern.constraints
    return json.dumps(shape, ensure_ascii=False, separators=(",", ":"))
