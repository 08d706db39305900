"""ESLint and oxlint: bugs in JavaScript and TypeScript, on machines that have one of them. Performs no I/O.

Both know the same rules by the same names. ESLint is configured by code, so it gets a file of ours and looks for no other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hive.scan import sarif
from hive.scan.engine import Diagnostic, Engine
from hive.scan.rules import codes
from hive.scan.sources import FileKind, Source

ESLINT_CONFIG, OXLINT_CONFIG = "eslint.config.mjs", "oxlint.json"
_RULES = dict.fromkeys(sorted(codes("eslint")), "error")
_OXLINT = {rule: level for rule, level in _RULES.items() if rule != "no-dupe-args"}  # its parser refuses that
_OPTIONS = '{files: ["**/*.{js,mjs,cjs,jsx}"], languageOptions: {parserOptions: {ecmaFeatures: {jsx: true}}}, '
_CODE = re.compile(r"\((?P<rule>[\w-]+)\)$")


def eslint_words(sources: Sequence[Source]) -> list[str]:
    """A run with our rules; comments do not switch them off."""
    options = ("--no-config-lookup", "--config", ESLINT_CONFIG, "--no-inline-config", "--format=json", "--")
    return [*options, *(source.whole for source in sources)]


def eslint_read(said: str) -> Iterator[Diagnostic]:
    """One diagnostic for each message with a rule; what does not parse is told by another engine."""
    for file in json.loads(said):
        for item in file["messages"]:
            if item["ruleId"] in _RULES:
                line = item["line"]
                yield Diagnostic(
                    file["filePath"], line, item["ruleId"], message=item["message"], end=item.get("endLine") or 0
                )


def oxlint_words(sources: Sequence[Source]) -> list[str]:
    """A run with our rules, without the configurations of folders."""
    options = ("--config", OXLINT_CONFIG, "--disable-nested-config", "--format=sarif")
    return [*options, *(source.whole for source in sources)]


def oxlint_read(said: str) -> Iterator[Diagnostic]:
    """One diagnostic for each result with a rule of ours, whose name stands in brackets."""
    for mark in sarif.read(said):
        found = _CODE.search(mark.rule)
        rule = found["rule"] if found else mark.rule
        if rule in _RULES:
            yield replace(mark, rule=rule)


ESLINT = Engine(
    "eslint",
    "eslint",
    frozenset({FileKind.SCRIPT}),
    eslint_words,
    eslint_read,
    statuses=frozenset({0, 1}),
    paths=re.compile(r"\.[mc]?jsx?$"),
    files=((ESLINT_CONFIG, f"export default [{_OPTIONS}rules: {json.dumps(_RULES)}}}];\n"),),
    optional=True,
    adds="bugs in JavaScript",
)
OXLINT = Engine(
    "oxlint",
    "oxlint",
    frozenset({FileKind.SCRIPT}),
    oxlint_words,
    oxlint_read,
    statuses=frozenset({0, 1}),
    files=((OXLINT_CONFIG, json.dumps({"categories": {"correctness": "off"}, "plugins": [], "rules": _OXLINT})),),
    optional=True,
    adds="bugs in JavaScript and TypeScript",
)
