"""ast-grep: silent failures in Python, JavaScript, TypeScript, Rust, Go and shell, by the shape of the code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.resources import files

from hive.scan.engine import Diagnostic, Engine
from hive.scan.sources import FileKind, Source

_SCRIPT = "language: JavaScript"
_KINDS = frozenset({FileKind.PYTHON, FileKind.SCRIPT, FileKind.RUST, FileKind.GO, FileKind.SHELL})


def words(sources: Sequence[Source]) -> list[str]:
    """A scan with our rules and nothing that lies around."""
    return ["scan", "--json=stream", "--inline-rules", rules(), "--", *(source.whole for source in sources)]


def rules() -> str:
    """The rules of `silent.yml`; those for JavaScript once for each of its dialects."""
    parts = files("hive.scan").joinpath("silent.yml").read_text("utf-8").split("\n---\n")
    dialects = [_SCRIPT, "language: TypeScript", "language: Tsx"]
    return "\n---\n".join(part.replace(_SCRIPT, to) for part in parts for to in (dialects if _SCRIPT in part else [""]))


def read(said: str) -> Iterator[Diagnostic]:
    """One mark for each match; ast-grep counts lines from 0."""
    for line in filter(None, said.split("\n")):
        item = json.loads(line)
        lines = item["range"]
        first, last = lines["start"]["line"] + 1, lines["end"]["line"] + 1
        yield Diagnostic(copy=item["file"], line=first, rule=item["ruleId"], end=last)


ENGINE = Engine("ast-grep", "ast-grep", _KINDS, words, read)
