"""An engine: its command line, and the parser of its output. Writes what an engine needs beside its copies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
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
    together, would fix it. `level` is that of a rule without a text here: `red`, else
    `yellow`; `off` is said to nobody.
    """

    copy: str
    line: int
    rule: str
    family: str = ""
    message: str = ""
    also: tuple[int, ...] = ()
    edits: tuple[Edit, ...] = ()
    end: int = 0
    level: str = ""


@dataclass(frozen=True, slots=True)
class Engine:
    """One analyser, run in its own process over all files that it handles.

    `kinds` and `paths` say which files these are: of any of the kinds, with a path in which the pattern is found.
    `statuses` are the exit statuses of a run that finished; `found` are those that promise a diagnostic, so that one of
    them without any is a crash. Any other status is a failure. `compares` is whether the base is looked at, too.
    `files` are configurations of ours that it reads, by name: they are written into the folder in which it runs.
    `beside` is a file that depends on the copies: its name and its text. `adapt` turns the text of a file into one that the
    engine can read, with the same lines: it gets a copy of that where it differs.
    One that `is_slow` begins before the others. An `optional` engine belongs to the machine: it is used where it is
    found. `adds` is what it sees, for people.
    """

    name: str
    program: str
    kinds: frozenset[FileKind]
    words: Callable[[Sequence[Source]], Sequence[str]]
    read: Callable[[str], Iterable[Diagnostic]]
    statuses: frozenset[int] = frozenset({0})
    found: frozenset[int] = frozenset()
    paths: re.Pattern[str] | None = None
    compares: bool = True
    beside: Callable[[Sequence[Source]], tuple[str, str]] | None = None
    adapt: Callable[[str], str] | None = None
    files: tuple[tuple[str, str], ...] = ()
    is_slow: bool = False
    optional: bool = False
    adds: str = ""

    def handles(self, source: Source) -> bool:
        """Whether a file is one for this engine."""
        return source.kind in self.kinds and (self.paths is None or self.paths.search(source.path) is not None)

    def look(self, bench: SandboxRunner, sources: Sequence[Source], folder: Path) -> list[tuple[Source, Diagnostic]]:
        """All diagnostics with their files; raises EngineFailed, and EngineRefused where the files may be the reason."""
        for name, content in self.files:
            (folder / name).write_text(content)
        if self.beside is not None:
            name, text = self.beside(sources)
            (folder / name).write_text(text, "utf-8")
        status, said = bench.run(self.program, self.words(self._readable(sources, folder)), folder)
        if status not in self.statuses | self.found:
            raise EngineRefused(f"ended with status {status}")
        places = {PurePosixPath(source.whole).parts[0]: source for source in sources}
        try:
            marks = [_placed(places[PurePosixPath(mark.copy).parts[-2]], mark) for mark in self.read(said)]
        except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise EngineFailed("spoke a language that is not its own") from error
        if status in self.found and not marks:
            raise EngineRefused(f"ended with status {status}, and said nothing")
        return marks

    def _readable(self, sources: Sequence[Source], folder: Path) -> Sequence[Source]:
        """The files with the copies that this engine can read."""
        if self.adapt is None:
            return sources
        found = []
        for source in sources:
            old = (folder / source.whole).read_text("utf-8")
            new = self.adapt(old)
            name = source.whole if new == old else str(PurePosixPath(source.whole).with_name(f"{self.name}.txt"))
            if new != old:
                (folder / name).write_text(new, "utf-8")
            found.append(replace(source, whole=name))
        return found


class EngineRefused(EngineFailed):
    """An engine ended by itself and without an answer: it may be about one of the files."""


def _placed(source: Source, mark: Diagnostic) -> tuple[Source, Diagnostic]:
    """A diagnostic with its file; one about the copy of the added lines is about a line of the whole."""
    if PurePosixPath(mark.copy).name == PurePosixPath(source.added).name:
        return source, replace(mark, line=source.suspect[mark.line - 1])
    return source, mark
