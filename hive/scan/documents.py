"""JSON and TOML that do not parse, by Python's own parsers in a process of their own. Performs no I/O itself."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence

from hive.scan.engine import Diagnostic, Engine
from hive.scan.sources import FileKind, Source

_LOOSE = re.compile(
    r"(?:^|/)(?:[jt]sconfig[^/]*|\.eslintrc|\.babelrc|\.swcrc|\.jshintrc|devcontainer|renovate|deno|api-extractor|nx|turbo|biome"
    r"|\.?oxlintrc|language-configuration|wrangler|tasks|launch|settings|extensions|keybindings)[^/]*\.json$"
    r"|(?:^|/)\.(?:vscode|devcontainer|zed|fleet)/|\.code-workspace$"
)
"""JSON whose readers allow comments and commas."""


def words(sources: Sequence[Source]) -> list[str]:
    """The reader of documents as a program; what lies in the folder is not importable."""
    return ["-P", "-s", "-m", "hive.scan.documents_program", *(s.whole for s in sources if not _LOOSE.search(s.path))]


def read(said: str) -> Iterator[Diagnostic]:
    """One diagnostic for each line of JSON."""
    for line in filter(None, said.split("\n")):
        item = json.loads(line)
        yield Diagnostic(item["file"], item["line"], item["rule"], message=item["message"])


ENGINE = Engine(
    "documents",
    sys.executable,
    frozenset({FileKind.JSON, FileKind.TOML}),
    words,
    read,
    adds="JSON and TOML that do not parse",
)
