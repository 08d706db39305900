"""yamllint: YAML that does not parse, or does not mean what it seems to. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hive.scan.engine import Diagnostic, Engine
from hive.scan.sources import FileKind, Source

CONFIG = """\
rules:
  anchors: {forbid-undeclared-aliases: true, forbid-duplicated-anchors: true}
  key-duplicates: enable
  octal-values: {level: warning}
  truthy: {level: warning, check-keys: false}
"""
_ROW = re.compile(r"(?P<copy>.+?):(?P<line>\d+):\d+: \[(?P<level>error|warning)\] (?P<message>.+) \((?P<rule>[\w-]+)\)")


def words(sources: Sequence[Source]) -> list[str]:
    """A few rules about meaning, none about style."""
    return ["--format=parsable", f"--config-data={CONFIG}", "--", *(source.whole for source in sources)]


def read(said: str) -> Iterator[Diagnostic]:
    """One diagnostic for each row; raises ValueError for a row of another form."""
    for row in filter(None, said.split("\n")):
        match = _ROW.fullmatch(row)
        if match is None:
            raise ValueError(row)
        yield Diagnostic(match["copy"], int(match["line"]), match["rule"], match["level"], match["message"])


ENGINE = Engine(
    "yamllint",
    "yamllint",
    frozenset({FileKind.YAML}),
    words,
    read,
    found=frozenset({1}),
    is_slow=True,
    adds="YAML that does not mean what it seems to",
)
