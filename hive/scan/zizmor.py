"""zizmor: workflows that a stranger can take over. Performs no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from hive.scan.engine import Diagnostic, Engine
from hive.scan.rules import codes
from hive.scan.sources import FileKind, Source

PLACES = re.compile(r"(?:^|/)\.(?:github|forgejo|gitea)/workflows/[^/]+\.ya?ml$|(?:^|/)action\.ya?ml$")


def words(sources: Sequence[Source]) -> list[str]:
    """All audits that need no network; a file that it cannot read ends the run, as else it would only be left out."""
    return [
        *("--quiet", "--no-progress", "--offline", "--no-config", "--no-ignores", "--strict-collection"),
        *("--no-exit-codes", "--format=json-v1", "--"),
        *(source.whole for source in sources),
    ]


def read(said: str) -> Iterator[Diagnostic]:
    """One diagnostic for each result, on its primary place; zizmor counts rows from 0."""
    known = codes("zizmor")
    for item in json.loads(said):
        if item["ident"] not in known or item["determinations"]["confidence"] == "Unknown":
            continue
        places = [place for place in item["locations"] if place["symbolic"]["kind"] == "Primary"] or item["locations"]
        spot = places[0]["concrete"]["location"]
        note = places[0]["symbolic"]["annotation"]
        copy = places[0]["symbolic"]["key"]["Local"]["verbatim_path"]
        severity = item["determinations"]["severity"].lower()
        first, last = spot["start_point"]["row"] + 1, spot["end_point"]["row"] + 1
        yield Diagnostic(copy, first, item["ident"], severity, f"{item['desc']}: {note}", end=last)


ENGINE = Engine(
    "zizmor",
    "zizmor",
    frozenset({FileKind.YAML}),
    words,
    read,
    paths=PLACES,
    adds="workflows that a stranger can take over",
)
