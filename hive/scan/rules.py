"""The meaning of engines' rules: level, category, reason, and the time of a fix.

Several engines often report the same thing; here it gets one text. Those of an engine with many rules stand in a file of
`texts/`, a table for each rule: what it is, why it matters, what to do. Performs no I/O beside reading these.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from bots.models import Category, Level
from hive.scan.catalog import patterns
from hive.scan.engine import Diagnostic

_RED, _YELLOW, _GREEN = Level.RED, Level.YELLOW, Level.GREEN
_BUG, _SECURITY, _SILENT = Category.BUG, Category.SECURITY, Category.SILENT_FAILURE
_UNTIDY, _BROKEN, _LEAK = Category.INCONSISTENCY, Category.BROKEN, Category.LEAK


@dataclass(frozen=True, slots=True)
class Rule:
    """The text of a finding; without `title` or `why` the engine's own message is used.

    `guess` marks a rule that is often wrong where secrets are made up: in tests and in prose.
    `unless` matches lines that only look like a finding. `at` is found on the line of an instruction of several that the
    finding is about. `only` has to match the line, `wants` some line of the file, `near` one of the few
    lines above it or itself, `not_near` none of them, `message` the engine's own words.
    `same` are rules that explain it better: on a line with one of them this one is not shown.
    One that is not `in_tests` means nothing there.
    """

    level: Level
    category: Category
    title: str = ""
    why: str = ""
    fix_seconds: int | None = None
    guess: bool = False
    unless: re.Pattern[str] | None = None
    at: re.Pattern[str] | None = None
    wants: re.Pattern[str] | None = None
    only: re.Pattern[str] | None = None
    near: re.Pattern[str] | None = None
    not_near: re.Pattern[str] | None = None
    message: re.Pattern[str] | None = None
    same: frozenset[str] = frozenset()
    in_tests: bool = True


_DIGEST = re.compile(r"sha-?(?:1|256|384|512)|integrity|digest|checksum|fingerprint|commit|\brev\b", re.IGNORECASE)
_NAME_OF_SECRET = re.compile(
    r"^[\s{\"'-]*[\w.]*(?:secret|password|passwd|token|key)[_-]?(?:name|ref|file|path|env|id)[\"']?\s*[:=]",
    re.IGNORECASE,
)
_SWALLOWED = Rule(
    _RED,
    _SILENT,
    "Error swallowed",
    "Whatever goes wrong here leaves no trace: the caller goes on with a default and nobody will know why. "
    "Catch what can happen by name, and log it or let it through.",
)
_CATCHES_ALL = Rule(
    _YELLOW,
    _SILENT,
    "Catches everything",
    "This also takes errors that nobody thought of, typing mistakes included. Name the errors that are expected here.",
)
_DISCARDED = Rule(
    _YELLOW,
    _SILENT,
    "Error thrown away",
    "The call says whether it worked, and nobody listens. If that is right, a comment should say why.",
)
_LOST = Rule(_RED, _SILENT, "Error lost", "The failure ends here unseen. Hand it on, or log it.")
_SECRET = Rule(
    _RED,
    _LEAK,
    "A secret in the change",
    "It is in the history from now on. Revoke it, then read it from the environment or a file outside of git.",
)
_GUESSED_SECRET = Rule(
    _RED,
    _LEAK,
    "Looks like a secret in the change",
    "If it is one: it is in the history from now on, so revoke it. If not, give it a name that says what it is.",
    guess=True,
    unless=_NAME_OF_SECRET,
)
_NOISY_SECRET = Rule(
    _YELLOW,
    _LEAK,
    "Could be a secret",
    "It looks random enough to be one. If it is, revoke it and keep it out of git.",
    guess=True,
    unless=_DIGEST,
)
_REMARK = Rule(_YELLOW, _UNTIDY)
_FAULT = Rule(_RED, _BUG)
_UNPARSED = Rule(_RED, _BROKEN, "Does not parse")
LEVELS = {"red": _RED, "yellow": _YELLOW, "green": _GREEN}
_THEIRS: dict[tuple[str, str], Rule] = {
    ("detect-secrets", ""): _SECRET,
    ("detect-secrets", "Basic Auth Credentials"): _GUESSED_SECRET,
    ("detect-secrets", "Secret Keyword"): _GUESSED_SECRET,
    ("detect-secrets", "Base64 High Entropy String"): _NOISY_SECRET,
    ("detect-secrets", "Hex High Entropy String"): _NOISY_SECRET,
    ("syntax", "broken"): _UNPARSED,
    ("documents", "broken"): _UNPARSED,
    ("conflicts", "conflict"): Rule(
        _RED,
        _BROKEN,
        "A conflict was committed",
        "Both versions of a merge are still here, with git's marks. Choose, and take the marks away.",
    ),
}


@cache
def rules() -> dict[tuple[str, str], Rule]:
    """By engine and rule, or engine and family of rules; ours are read when the first diagnostic asks."""
    ours = {
        (pattern.engine, pattern.id): Rule(
            LEVELS[pattern.level],
            Category(pattern.category),
            pattern.title,
            pattern.why,
            pattern.fix_seconds,
            in_tests=pattern.in_tests,
            unless=re.compile(pattern.unless) if pattern.unless else None,
        )
        for pattern in patterns().values()
    }
    return ours | _THEIRS


ORDER = (
    *(
        "conflicts",
        "taint",
        "ast-grep",
        "directives",
        "syntax",
        "documents",
        "detect-secrets",
        "zizmor",
        "hadolint",
        "ruff",
        "shellcheck",
    ),
    *("yamllint", "oxlint", "eslint"),
)
"""Whose text is kept if several engines report the same thing: the best explanation first, then those of an operator."""


def rank(engine: str) -> int:
    """The place of an engine in that order."""
    return ORDER.index(engine) if engine in ORDER else len(ORDER)


CATEGORIES = {
    "bug": _BUG,
    "security": _SECURITY,
    "secret": _LEAK,
    "silent": _SILENT,
    "broken": _BROKEN,
    "inconsistency": _UNTIDY,
    "test": Category.TEST,
}


def rule_for(engine: str, mark: Diagnostic) -> Rule:
    """The rule of a diagnostic; an unknown one is a remark in the engine's own words."""
    texts, known = texts_of(engine), rules()
    found = texts.get(mark.rule) or known.get((engine, mark.rule))
    unknown = _FAULT if mark.level == "red" else _REMARK
    return found or texts.get(mark.family) or known.get((engine, mark.family)) or unknown


def codes(engine: str) -> frozenset[str]:
    """The rules of an engine that have a text in `texts/`."""
    return frozenset(texts_of(engine))


def better(engine: str, rule: str) -> frozenset[str]:
    """The rules that explain the same better than one of an engine."""
    found = texts_of(engine).get(rule)
    return found.same if found else frozenset()


_SAME_RULES = {"oxlint": "eslint"}


@cache
def texts_of(engine: str) -> dict[str, Rule]:
    """The texts of one engine, by rule or family; empty for an engine whose texts stand here."""
    file = files("hive.scan").joinpath("texts", f"{_SAME_RULES.get(engine, engine)}_rules.toml")
    tables = _tables(file.read_text("utf-8")) if file.is_file() else ()
    return {name: _rule(said) for name, said in tables}


def _tables(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rules of a file; a table may stand for several, with their names in `also`."""
    for name, said in tomllib.loads(text).items():
        for each in (name, *said.get("also", ())):
            yield each, said


def _rule(said: dict[str, Any]) -> Rule:
    return Rule(
        LEVELS[said["level"]],
        CATEGORIES[said["category"]],
        said["title"],
        said.get("why", ""),
        fix_seconds=said.get("seconds"),
        guess=said.get("guess", False),
        unless=re.compile(said["unless"]) if "unless" in said else None,
        at=re.compile(said["at"]) if "at" in said else None,
        wants=re.compile(said["wants"]) if "wants" in said else None,
        only=re.compile(said["only"]) if "only" in said else None,
        near=re.compile(said["near"]) if "near" in said else None,
        not_near=re.compile(said["not_near"]) if "not_near" in said else None,
        message=re.compile(said["message"]) if "message" in said else None,
        same=frozenset(said.get("same", ())),
        in_tests=said.get("in_tests", True),
    )
