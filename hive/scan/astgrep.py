"""ast-grep: our own rules for what goes wrong in nine languages, by the shape of the code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from hive.scan.catalog import patterns, shapes
from hive.scan.engine import Diagnostic, Engine
from hive.scan.sources import FileKind, Source

_LANGUAGES = {
    ".py": "Python",
    ".pyi": "Python",
    **dict.fromkeys((".js", ".mjs", ".cjs", ".jsx"), "JavaScript"),
    **dict.fromkeys((".ts", ".mts", ".cts"), "TypeScript"),
    ".tsx": "Tsx",
    ".rs": "Rust",
    ".go": "Go",
    **dict.fromkeys((".sh", ".bash", ".dash", ".ksh"), "Bash"),
    ".nix": "Nix",
    **dict.fromkeys((".yml", ".yaml"), "Yaml"),
}
"""The language that ast-grep takes a copy for, by its suffix."""

_KINDS = frozenset(
    {FileKind.PYTHON, FileKind.SCRIPT, FileKind.RUST, FileKind.GO, FileKind.SHELL, FileKind.NIX, FileKind.YAML}
)


_RULES = "rules-of-ours.yml"


def words(sources: Sequence[Source]) -> list[str]:
    """A scan with our rules, and nothing that lies around."""
    return ["scan", "--json=stream", "--rule", _RULES, "--", *(source.whole for source in sources)]


def rules(sources: Sequence[Source]) -> tuple[str, str]:
    """The file of our rules for the languages at hand: as an argument they would be too long."""
    suffixes = (source.whole[source.whole.rfind(".") :] for source in sources)
    return _RULES, shapes({_LANGUAGES.get(suffix, "") for suffix in suffixes})


def read(said: str) -> Iterator[Diagnostic]:
    """One mark for each match, or for each of its lines that the rule means; ast-grep counts lines from 0."""
    for line in filter(None, said.split("\n")):
        item = json.loads(line)
        lines, rule = item["range"], item["ruleId"]
        first, last = lines["start"]["line"] + 1, lines["end"]["line"] + 1
        pattern = patterns()[rule]
        for place in pattern.places(item["text"]):
            yield Diagnostic(
                copy=item["file"], line=first + place, rule=rule, end=first + place if pattern.at else last
            )


ENGINE = Engine(
    "ast-grep",
    "ast-grep",
    _KINDS,
    words,
    read,
    beside=rules,
    adds="failures that leave no trace, and other shapes that go wrong",
)
