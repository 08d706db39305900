"""detect-secrets: keys, tokens and passwords on added lines, never repeated in a finding. Performs no I/O."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from hive.scan.engine import Diagnostic, Engine
from hive.scan.sources import FileKind, Source


def words(sources: Sequence[Source]) -> list[str]:
    """A scan that checks no secret online, and ignores comments that call a secret none."""
    return [
        *("scan", "--all-files", "--no-verify", "--disable-plugin", "IPPublicDetector"),
        *("--disable-filter", "detect_secrets.filters.allowlist.is_line_allowlisted"),
        *(source.added for source in sources),
    ]


def read(said: str) -> Iterator[Diagnostic]:
    """One diagnostic for each secret; detect-secrets itself keeps only a hash of it."""
    for items in json.loads(said)["results"].values():
        for item in items:
            yield Diagnostic(copy=item["filename"], line=item["line_number"], rule=item["type"])


ENGINE = Engine("detect-secrets", "detect-secrets", frozenset(FileKind), words, read, compares=False)
