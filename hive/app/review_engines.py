"""`hive engines`: the analysers of the review, which of them this machine has, and what the others would add."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from hive.scan.engine import Engine
from hive.scan.engines import ENGINES
from hive.scan.sandbox_runner import SandboxRunner, bench
from hive.scan.sources import FileKind


def table(on: SandboxRunner | None = None, engines: Sequence[Engine] = ENGINES) -> Iterator[str]:
    """One line for each engine: there or not, its name, its languages, what it sees."""
    here = on or bench()
    for engine in engines:
        mark = "✓" if here.find(engine.program) else "·" if engine.optional else "✗"
        yield f"{mark} {engine.name:<14} {languages(engine):<34} {engine.adds}"
    yield ""
    yield "✓ is used · would be used if the machine had it ✗ is missing: files for it are not reviewed"


def json_lines(on: SandboxRunner | None = None, engines: Sequence[Engine] = ENGINES) -> Iterator[str]:
    """The same as objects."""
    here = on or bench()
    for engine in engines:
        place = here.find(engine.program)
        said = {"engine": engine.name, "program": Path(engine.program).name, "there": place is not None}
        yield json.dumps({**said, "optional": engine.optional, "languages": languages(engine), "adds": engine.adds})


def languages(engine: Engine) -> str:
    """What an engine reads, for people."""
    if engine.kinds == frozenset(FileKind):
        return "every text"
    return ", ".join(kind.value for kind in FileKind if kind in engine.kinds)
