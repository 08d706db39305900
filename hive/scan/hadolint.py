"""hadolint: Dockerfiles that build what nobody meant. Performs no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from hive.scan.engine import Diagnostic, Engine
from hive.scan.rules import codes
from hive.scan.sources import FileKind, Source

_INSTRUCTION = re.compile(r"[ \t]*(?:ONBUILD[ \t]+)?(?:RUN|COPY|ADD)\b", re.IGNORECASE)
_DOCUMENT = re.compile(r"<<-?(['\"]?)([A-Za-z_]\w*)\1")


def readable(text: str) -> str:
    """A Dockerfile in which here-documents are followed by an empty line, in place of the last line of each.

    Without one hadolint 2.15.1 reads nothing of the file (`findings/hadolint-heredoc-swallows-the-next-instruction.sh`).
    """
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        first = at
        for match in _DOCUMENT.finditer(lines[at]) if _INSTRUCTION.match(lines[at]) else ():
            at += 1
            while at < len(lines) and lines[at].rstrip("\r").lstrip("\t") != match[2]:
                at += 1
        if first + 1 < at < len(lines) - 1 and lines[at + 1].strip():
            lines[at - 1 : at + 1] = lines[at], ""
        at += 1
    return "\n".join(lines)


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
    adapt=readable,
    adds="Dockerfiles that build what nobody meant",
)
