"""Directives: what goes wrong in systemd's units and in Dockerfiles, instruction by instruction.

An engine like the others, though its program is our own: its patterns meet hostile text, so they run where time is limited.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence

from hive.scan.engine import Diagnostic, Engine
from hive.scan.sources import FileKind, Source


def words(sources: Sequence[Source]) -> list[str]:
    """This package as a program; what lies in the folder is not importable."""
    return ["-P", "-s", "-m", "hive.scan.directives", *(source.whole for source in sources)]


def read(said: str) -> Iterator[Diagnostic]:
    """One mark for each line of JSON."""
    for line in filter(None, said.split("\n")):
        item = json.loads(line)
        yield Diagnostic(item["file"], item["line"], item["rule"])


ENGINE = Engine(
    "directives",
    sys.executable,
    frozenset({FileKind.UNIT, FileKind.DOCKER}),
    words,
    read,
    adds="shell words, secrets and lost failures in units and Dockerfiles",
)
