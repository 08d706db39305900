"""What the follower knows by name, as data: sources, sinks and sanitizers of each language. Reads its own file only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from hive.scan.catalog import loaded

_NOTHING = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True)
class Sink:
    """A call that request data must not reach unchecked.

    `called` is searched in its dotted name, `last` in the last part of a name with a dot. `args` are the positions that count,
    None for all of them. `before` is whether what stands before the dot counts. `where` is a condition on the call.
    """

    use: str
    called: re.Pattern[str]
    last: re.Pattern[str]
    args: tuple[int, ...] | None
    keywords: re.Pattern[str]
    before: bool
    where: str
    without: str

    def takes(self, name: str, last: str, *, dotted: bool) -> bool:
        """Whether a call by these names is meant."""
        return self.called.search(name) is not None or (dotted and self.last.fullmatch(last) is not None)


@dataclass(frozen=True, slots=True)
class Table:
    """One language's sources and sinks; without any of `hints` a file has no source."""

    hints: re.Pattern[bytes]
    sources: re.Pattern[str]
    joins: re.Pattern[str]
    carriers: re.Pattern[str]
    sinks: tuple[Sink, ...]


@cache
def table(language: str) -> Table:
    """The table of a language: `python`, `script` or `go`."""
    data = _data()[language]
    sinks = tuple(sink for use, rows in data["sinks"].items() for row in rows for sink in _sinks(use, row))
    return Table(
        hints=re.compile(data["hints"].encode()),
        sources=re.compile(data["sources"]),
        joins=re.compile(data["joins"]),
        carriers=re.compile(data["carriers"]),
        sinks=sinks,
    )


@cache
def cleaners() -> Mapping[str, re.Pattern[str]]:
    """By use, the functions whose result is in order for it; `any` are those for every use."""
    return {use: re.compile(pattern) for use, pattern in _data()["cleaners"].items()}


def _sinks(use: str, row: Mapping[str, Any]) -> Iterator[Sink]:
    whole, _, last = row["call"].partition("*.")
    args = row.get("args", ())
    yield Sink(
        use,
        re.compile(whole.rstrip("|")) if whole else _NOTHING,
        re.compile(last) if last else _NOTHING,
        None if args == "all" else tuple(args),
        re.compile(row["keywords"]) if "keywords" in row else _NOTHING,
        row.get("before", False),
        row.get("where", ""),
        row.get("without", ""),
    )


@cache
def _data() -> Mapping[str, Any]:
    text = files(__package__).joinpath("flows.yml").read_text("utf-8")
    data: Mapping[str, Any] = loaded(text)
    return data
