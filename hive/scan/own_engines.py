"""The analysers of a hive: those of the review, and those that its operator has added."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from hive.config.engine_settings import EngineSettings
from hive.scan import sarif
from hive.scan.engine import Diagnostic, Engine
from hive.scan.engines import ENGINES
from hive.scan.sources import FileKind, Source

KINDS = {
    "python": FileKind.PYTHON,
    "script": FileKind.SCRIPT,
    "rust": FileKind.RUST,
    "go": FileKind.GO,
    "shell": FileKind.SHELL,
    "yaml": FileKind.YAML,
    "docker": FileKind.DOCKER,
    "nix": FileKind.NIX,
    "json": FileKind.JSON,
    "toml": FileKind.TOML,
    "unit": FileKind.UNIT,
    "text": FileKind.OTHER,
}


def engines_of(own: Sequence[EngineSettings]) -> tuple[Engine, ...]:
    """All analysers of a hive, its own last."""
    return (*ENGINES, *map(_engine, own))


def _engine(settings: EngineSettings) -> Engine:
    program, *options = settings.command
    return Engine(
        settings.name,
        program,
        frozenset(KINDS[kind] for kind in settings.reads),
        _words(options),
        partial(_read, settings),
        frozenset(settings.statuses),
        frozenset(settings.found),
        adds=settings.adds or "what the operator of this hive wants to know",
    )


def _words(options: Sequence[str]) -> Callable[[Sequence[Source]], list[str]]:
    return lambda sources: [*options, *(source.whole for source in sources)]


def _read(settings: EngineSettings, said: str) -> Iterator[Diagnostic]:
    for mark in sarif.read(said):
        level = "red" if mark.rule in settings.red else settings.level
        yield replace(mark, level="off" if mark.rule in settings.ignore else level)
