"""The follower: request data that reaches a path, a shell, SQL, HTML, a redirect or an address, unchecked.

An engine like the others, though its program is our own: Python's parser can be made to crash by
its input, so it runs in its own process. Within one file it follows data through
assignments, calls and returns; a check or a known sanitizer ends the trail. JavaScript, TypeScript and Go are read by
ast-grep and said in Python's tree; what counts in each language is data (`flows.yml`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence

from hive.scan.engine import Diagnostic, Engine
from hive.scan.sources import FileKind, Source


def words(sources: Sequence[Source]) -> list[str]:
    """This package as a program; what lies in the folder is not importable."""
    return ["-P", "-s", "-m", "hive.scan.taint", *(source.whole for source in sources)]


def read(said: str) -> Iterator[Diagnostic]:
    """One mark for each line of JSON."""
    for line in filter(None, said.split("\n")):
        item = json.loads(line)
        yield Diagnostic(item["file"], item["line"], item["rule"], also=tuple(item["also"]))


ENGINE = Engine(
    "taint",
    sys.executable,
    frozenset({FileKind.PYTHON, FileKind.SCRIPT, FileKind.GO}),
    words,
    read,
    adds="request data that reaches a path, a shell, SQL, HTML, a redirect or an address unchecked",
)
