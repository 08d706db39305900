"""An engine: its command line, and the parser of its output. Performs no I/O by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hive.scan.sandbox_runner import EngineFailed, SandboxRunner
from hive.scan.sources import FileKind, Source


@dataclass(frozen=True, slots=True)
class Edit:
    """A replacement within one line of a copy; columns count characters from 0.

    `end` is None for an edit that takes the whole line away.
    """

    line: int
    start: int
    end: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A diagnostic of an engine, in its own words.

    `copy` is the name of a copy, `line` counts in it from 1. `family` is the group of `rule`. `end` is the last line of the
    code that it is about, 0 if the engine does not say. `also` are other lines on which it could be shown. `edits`,
    together, would fix it.
    """

    copy: str
    line: int
    rule: str
    family: str = ""
    message: str = ""
    also: tuple[int, ...] = ()
    edits: tuple[Edit, ...] = ()
    end: int = 0


@dataclass(frozen=True, slots=True)
class Engine:
    """One analyser, run in its own process over all files that it handles.

    `statuses` are the exit statuses of a finished run; any other is a failure.
    """

    name: str
    program: str
    kinds: frozenset[FileKind]
    words: Callable[[Sequence[Source]], Sequence[str]]
    read: Callable[[str], Iterable[Diagnostic]]
    statuses: frozenset[int] = frozenset({0})

    def look(self, bench: SandboxRunner, sources: Sequence[Source], folder: Path) -> list[tuple[Source, Diagnostic]]:
        """All diagnostics with their files; raises EngineFailed."""
        status, said = bench.run(self.program, self.words(sources), folder)
        if status not in self.statuses:
            raise EngineFailed(f"ended with status {status}")
        places = {PurePosixPath(source.whole).parts[0]: source for source in sources}
        try:
            return [(places[PurePosixPath(mark.copy).parts[-2]], mark) for mark in self.read(said)]
        except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise EngineFailed("spoke a language that is not its own") from error
