"""Runs all engines over one change: what they found on added lines, and which of them failed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bots.models import Finding, Level, Scan
from hive.scan import astgrep, positives, ruff, secret_scan, shellcheck, taint, yamllint
from hive.scan.engine import Diagnostic, Engine
from hive.scan.findings import deduplicate, finding
from hive.scan.sandbox_runner import EngineFailed, SandboxRunner, bench
from hive.scan.sources import Source, gather

ENGINES = (ruff.ENGINE, astgrep.ENGINE, taint.ENGINE, secret_scan.ENGINE, shellcheck.ENGINE, yamllint.ENGINE)


@dataclass(frozen=True, slots=True)
class _Look:
    """The result of one engine; `failed` is why it did not finish."""

    engine: str
    marks: Sequence[tuple[Source, Diagnostic]] = ()
    failed: str = ""


def analyse(
    root: Path,
    changed: Mapping[str, frozenset[int]],
    head_sha: str,
    *,
    engines: Sequence[Engine] = ENGINES,
    on: SandboxRunner | None = None,
) -> Scan:
    """Look at the lines that a change adds.

    `root` holds the files of the head; `changed` are the numbers of the added lines, counted as
    git does, for every file that exists after the change. Nothing in `root` is run or changed.
    """
    with tempfile.TemporaryDirectory(prefix="hive-scan-") as name:
        folder = Path(name)
        sources, skipped = gather(root, changed, folder)
        looks = list(_looks(engines, on or bench(), sources, folder))
    ran = tuple(look.engine for look in looks if not look.failed)
    failed = tuple((look.engine, look.failed) for look in looks if look.failed)
    findings = deduplicate(_findings(looks))
    wanting = tuple(item for item in findings if item.level is not Level.GREEN)
    green = positives.deserved(sources, findings, engines=0 if failed or skipped else len(ran))
    return Scan(head_sha, (*wanting, *green), ran, failed, skipped)


def absent(on: SandboxRunner | None = None) -> tuple[str, ...]:
    """Programs of engines that are not installed: files for them are not reviewed."""
    here = on or bench()
    return tuple(engine.program for engine in ENGINES if here.find(engine.program) is None)


def _looks(engines: Iterable[Engine], on: SandboxRunner, sources: Sequence[Source], folder: Path) -> Iterator[_Look]:
    """Run each engine that handles any of the files."""
    for engine in engines:
        known = [source for source in sources if source.kind in engine.kinds]
        if not known:
            continue
        try:
            yield _Look(engine.name, engine.look(on, known, folder))
        except EngineFailed as why:
            yield _Look(engine.name, failed=str(why))


def _findings(looks: Iterable[_Look]) -> Iterator[Finding]:
    for look in looks:
        for source, mark in look.marks:
            if (seen := finding(look.engine, source, mark)) is not None:
                yield seen
