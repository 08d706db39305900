"""Runs all engines over one change: what it brought, and which of them failed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bots.models import Category, Finding, Level, Scan
from hive.scan import positives
from hive.scan.comparison import Mark, brought
from hive.scan.conflicts import NAME as CONFLICTS
from hive.scan.conflicts import conflicts
from hive.scan.engine import Diagnostic, Engine, EngineRefused
from hive.scan.engines import ENGINES
from hive.scan.findings import deduplicate, finding
from hive.scan.placement import line_of, statements
from hive.scan.rules import rule_for
from hive.scan.sandbox_runner import EngineFailed, SandboxRunner, bench
from hive.scan.secret_scan import NAME as SECRETS
from hive.scan.secret_scan import everywhere
from hive.scan.sources import Before, Source, gather

__all__ = ["ENGINES", "WORKERS", "absent", "analyse"]

WORKERS = 2
"""Engines that run beside one another, unless a hive says otherwise."""

MAX_NARROWED = 12
"""An engine that refuses more files than these is not asked for each of them."""

_OURS = "sgconfig.yml"


@dataclass(frozen=True, slots=True)
class _Look:
    """The result of one engine; `failed` is why it did not finish, or not for all files."""

    engine: str
    marks: Sequence[Mark] = ()
    failed: tuple[str, ...] = ()


def analyse(
    root: Path,
    changed: Mapping[str, frozenset[int]],
    head_sha: str,
    *,
    before: Before | None = None,
    engines: Sequence[Engine] = ENGINES,
    on: SandboxRunner | None = None,
    workers: int = WORKERS,
) -> Scan:
    """Look at what a change brings.

    `root` holds the files of the head; `changed` are the numbers of the added lines, counted as
    git does, for every file that exists after the change. With the files `before` it, what is new on an old line is the
    change's, too. Nothing in `root` is run or changed.
    """
    here = on or bench()
    with tempfile.TemporaryDirectory(prefix="hive-scan-") as name:
        folder = Path(name)
        (folder / _OURS).write_text("ruleDirs: []\n")  # ast-grep looks no further up for a configuration
        sources, skipped = gather(root, changed, folder, before)
        looks = list(_looks(engines, here, sources, folder, workers))
        if marks := conflicts(sources):
            looks.append(_Look(CONFLICTS, marks))
        spans = statements([mark for look in looks for mark in look.marks], here, folder)
    ran = tuple(look.engine for look in looks if not look.failed)
    failed = tuple((look.engine, why) for look in looks for why in look.failed)
    findings = deduplicate(_findings(looks, spans))
    wanting = tuple(item for item in findings if item.level is not Level.GREEN)
    green = positives.deserved(sources, findings, engines=0 if failed or skipped else len(ran))
    return Scan(head_sha, (*wanting, *green), ran, failed, skipped)


def absent(on: SandboxRunner | None = None) -> tuple[str, ...]:
    """Programs of engines that are not installed: files for them are not reviewed."""
    here = on or bench()
    programs = dict.fromkeys(engine.program for engine in ENGINES if not engine.optional)
    return tuple(program for program in programs if here.find(program) is None)


def _looks(
    engines: Sequence[Engine], on: SandboxRunner, sources: Sequence[Source], folder: Path, workers: int
) -> Iterator[_Look]:
    """Run each engine that handles any of the files, some beside one another; in the order of the engines."""
    tasks = [(engine, [source for source in sources if engine.handles(source)]) for engine in engines]
    wanted = [
        (engine, known)
        for engine, known in tasks
        if known and not (engine.optional and on.find(engine.program) is None)
    ]
    with ThreadPoolExecutor(max(1, workers)) as pool:
        begun = {
            engine.name: pool.submit(_look, engine, on, known, folder)
            for engine, known in sorted(wanted, key=lambda task: not task[0].is_slow)  # the longest way begins first
        }
        for engine, _ in wanted:
            yield begun[engine.name].result()


def _look(engine: Engine, on: SandboxRunner, known: Sequence[Source], folder: Path) -> _Look:
    """Run one engine on head and base at once; on the head alone if it cannot read the base."""

    def is_broken(mark: Diagnostic) -> bool:
        return rule_for(engine.name, mark).category is Category.BROKEN

    olds = [source.base for source in known if source.base] if engine.compares else []
    try:
        marks = engine.look(on, [*known, *olds], folder)
    except EngineRefused as why:
        marks, failed = _narrowed(engine, on, known, folder, why) if olds or len(known) > 1 else ([], [str(why)])
        return _Look(engine.name, brought(marks, None, broken=is_broken), tuple(failed))
    except EngineFailed as why:
        return _Look(engine.name, failed=(str(why),))
    mine = {source.whole for source in known}
    head, base = ([(at, mark) for at, mark in marks if (at.whole in mine) is side] for side in (True, False))
    return _Look(engine.name, brought(head, base if olds else None, broken=is_broken))


def _narrowed(
    engine: Engine, on: SandboxRunner, known: Sequence[Source], folder: Path, why: EngineRefused
) -> tuple[list[Mark], list[str]]:
    """What an engine says of the files of the head, asked for all of them and then for each one; and why not of some."""
    try:
        return engine.look(on, known, folder), []
    except EngineFailed:
        if len(known) > MAX_NARROWED:
            return [], [str(why)]
    marks: list[Mark] = []
    failed: list[str] = []
    for source in known:
        try:
            marks += engine.look(on, [source], folder)
        except EngineFailed as reason:
            failed.append(f"{reason} on {source.path}" if len(known) > 1 else str(reason))
    return marks, failed


def _findings(looks: Sequence[_Look], spans: Mapping[str, Sequence[tuple[int, int]]]) -> Iterator[Finding]:
    for look in looks:
        for source, mark in everywhere(look.marks) if look.engine == SECRETS else look.marks:
            if (seen := finding(look.engine, source, mark, line_of(source, mark, spans))) is not None:
                yield seen
