"""SARIF as analysers really write it: only what stands in it for sure is used. Performs no I/O.

Lines are read and columns are not: bytes, characters and UTF-16 units are told apart by few. Levels are not read either: several
tools call everything an error. Measured with oxlint 1.89, semgrep 1.185, staticcheck 2026.2, golangci-lint 2.15 and gitleaks 8.30.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from hive.scan.engine import Diagnostic


class UnfinishedRun(ValueError):
    """The run says itself that it did not finish, or that it could not read something."""


def read(said: str) -> Iterator[Diagnostic]:
    """One diagnostic for each result that has a place, the same one once; raises ValueError for what is no whole run."""
    told = set()
    for run in json.loads(said)["runs"]:
        _look_at(run.get("invocations", ()))
        for result in run.get("results", ()):
            for place in (result.get("locations") or ())[:1]:
                found = _diagnostic(result, place["physicalLocation"])
                if found not in told:
                    told.add(found)
                    yield found


def _look_at(invocations: list[dict[str, Any]]) -> None:
    """Refuse a run that found nothing because it could not look."""
    for each in invocations:
        notes = (*each.get("toolExecutionNotifications", ()), *each.get("toolConfigurationNotifications", ()))
        if each.get("executionSuccessful") is False or any(note.get("level") == "error" for note in notes):
            raise UnfinishedRun("it did not finish")


def _diagnostic(result: Mapping[str, Any], place: Mapping[str, Any]) -> Diagnostic:
    region = place.get("region") or {}
    first = max(1, region.get("startLine", 1))
    message = result["message"].get("text") or result["message"].get("markdown", "")
    # The name of a rule may have the folder of its file in front (semgrep) or its plugin.
    rule = str(result.get("ruleId") or "").rpartition("/")[2].rpartition(".")[2]
    return Diagnostic(
        _path(place["artifactLocation"]["uri"]), first, rule, message=message, end=region.get("endLine", 0)
    )


def _path(uri: str) -> str:
    """A name of a copy, which is ours and has no letter that is written in two ways."""
    return unquote(urlsplit(uri).path) if uri.startswith("file:") else uri
