"""detect-secrets: keys, tokens and passwords on added lines, never repeated in a finding. Performs no I/O."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hive.scan.comparison import Mark
from hive.scan.engine import Diagnostic, Engine
from hive.scan.sources import FileKind, Source

NAME = "detect-secrets"
_PIECES = (
    re.compile(r"[^\s\"'`,;=:()<>\[\]{}]+"),
    re.compile(r"[^\s\"'`,;()<>\[\]{}]+"),
    re.compile(r"\"[^\"]+\"|'[^']+'"),
)
_END = re.compile(r"[:=]\s*(.+?)\s*$")


def words(sources: Sequence[Source]) -> list[str]:
    """A scan that checks no secret online, and ignores comments that call a secret none."""
    return [
        *("scan", "--all-files", "--no-verify", "--disable-plugin", "IPPublicDetector"),
        *("--disable-filter", "detect_secrets.filters.allowlist.is_line_allowlisted"),
        *(source.added for source in sources),
    ]


def read(said: str) -> Iterator[Diagnostic]:
    """One diagnostic for each secret; detect-secrets itself keeps only a hash of it, and so does `message`."""
    for items in json.loads(said)["results"].values():
        for item in items:
            yield Diagnostic(item["filename"], item["line_number"], item["type"], message=item["hashed_secret"])


def everywhere(marks: Sequence[Mark]) -> Iterator[Mark]:
    """The secrets, and every other added line with one of them: detect-secrets says each once for a file."""
    told = {(source.whole, source.line(mark.line)) for source, mark in marks}
    for source, mark in marks:
        yield source, mark
        secret = _secret(source.text(source.line(mark.line)), mark.message)
        for place in source.suspect if secret else ():
            line = source.line(place)
            if (source.whole, line) not in told and secret in source.text(line):
                told.add((source.whole, line))
                yield source, replace(mark, line=place)


def _secret(line: str, digest: str) -> str:
    """The part of a line that has a hash; empty if it is put together otherwise."""
    parts = [part.strip("\"'") for pattern in _PIECES for part in pattern.findall(line)] + _END.findall(line)
    return next((part for part in parts if hashlib.sha1(part.encode("utf-8", "replace")).hexdigest() == digest), "")  # noqa: S324  # what detect-secrets says


ENGINE = Engine(
    NAME,
    "detect-secrets",
    frozenset(FileKind),
    words,
    read,
    compares=False,
    adds="keys, tokens and passwords",
)
