"""hadolint: Dockerfiles that build what nobody meant. Performs no I/O."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from hive.scan.engine import Diagnostic, Engine
from hive.scan.rules import codes
from hive.scan.sources import FileKind, Source


def words(sources: Sequence[Source]) -> list[str]:
    """All rules but those that have no text here, without the configuration of a folder or a home."""
    return [
        *("--disable-ignore-pragma", "--no-color", "--format=json"),
        *(source.whole for source in sources),
    ]


def read(said: str) -> Iterator[Diagnostic]:
    """One diagnostic for each violation; its line is the first of the instruction."""
    known = codes("hadolint")
    for item in json.loads(said):
        if item["code"] in known:
            yield Diagnostic(item["file"], item["line"], item["code"], item["level"], item["message"])


ENGINE = Engine(
    "hadolint",
    "hadolint",
    frozenset({FileKind.DOCKER}),
    words,
    read,
    frozenset({0, 1}),
    adds="Dockerfiles that build what nobody meant",
)
