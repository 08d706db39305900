"""What a run of the contract has proved, and on which server; printed as a table at the end of `make contract`."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import pytest

from forge.gitea.decode_deliveries import _READINGS
from tests.contract import cases, table

T = TypeVar("T")


@dataclass
class Proof:
    """For each flavour: the server that stood for it, and what was seen there."""

    servers: dict[str, str] = field(default_factory=dict)
    methods: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    events: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    shapes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    routes: set[str] = field(default_factory=set)
    newer: set[str] = field(default_factory=set)
    """Keys that a server of another version has, and the recording does not know."""

    def watched(self, flavour: str, face: T) -> T:
        """A face of the adapter that notes which of its methods are called from outside."""
        return cast("T", _Watched(face, self.methods[flavour]))


class _Watched:
    def __init__(self, face: object, called: set[str]) -> None:
        self._face, self._called = face, called

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._face, name)
        if not name.startswith("_") and callable(value):
            self._called.add(method(type(self._face), name))
        return value


PROOF = pytest.StashKey[Proof]()


def method(face: type, name: str) -> str:
    """A method by the class that defines it."""
    return f"{next(each.__name__ for each in face.__mro__ if name in vars(each))}.{name}"


def methods(face: type) -> set[str]:
    """The public methods of a face of the adapter."""
    return {method(face, name) for name in dir(face) if not name.startswith("_") and callable(getattr(face, name))}


def events(flavour: str) -> set[str]:
    """What the adapter decodes and this flavour is known to send, as `kind.action`."""
    decoded = {f"{kind}.{action}" for kind, actions in _READINGS.items() for action in actions}
    return decoded & {row.of for row in table.load(flavour, table.DELIVERIES).values()}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table if it is asked for."""
    proof = config.stash.get(PROOF, None)
    if proof and proof.servers and os.environ.get("HIVE_CONTRACT") == "table":
        terminalreporter.section("what was proved")
        for line in _lines(proof):
            terminalreporter.write_line(line)


def _lines(proof: Proof) -> Iterator[str]:
    names = table.flavours()
    for name in names:
        yield f"{name:<11} {proof.servers.get(name, 'no server: its rows are held by recordings only')}"
    yield "yes: proved on that server   n/m: so many of the recorded situations   -: not there   rec: recording only"
    yield from _block("method", sorted(set().union(*proof.methods.values())), names, _yes(proof, proof.methods))
    decoded = sorted(set().union(*map(events, names)))
    yield from _block("event", decoded, names, _yes(proof, proof.events, events))
    yield from _block("shape", table.routes(), names, lambda row, name: _share(proof, row, name, table.ANSWERS))
    yield from _block("delivery", decoded, names, lambda row, name: _share(proof, row, name, table.DELIVERIES))
    yield ""
    yield from (f"newer than the recording: {path}" for path in sorted(proof.newer))
    yield "only against a recording:"
    for pattern, reason in cases.LEFT.items():
        yield f"  {pattern}: {reason}"


def _block(title: str, rows: list[str], names: list[str], dirs: Callable[[str, str], str]) -> Iterator[str]:
    yield ""
    yield f"{title:<78}" + "".join(f"{name:<12}" for name in names)
    for row in rows:
        yield f"{row:<78}" + "".join(f"{dirs(row, name):<12}" for name in names)


def _yes(
    proof: Proof, seen: dict[str, set[str]], known: Callable[[str], set[str]] | None = None
) -> Callable[[str, str], str]:
    def dirs(row: str, name: str) -> str:
        if known and row not in known(name):
            return "-"
        return "yes" if row in seen.get(name, ()) else "rec" if name not in proof.servers or known else "NO"

    return dirs


def _share(proof: Proof, row: str, name: str, kind: str) -> str:
    recorded = {key for key, one in table.load(name, kind).items() if one.of == row}
    if not recorded:
        return "-"
    if name not in proof.servers:
        return f"rec {len(recorded)}"
    return f"{len(recorded & proof.shapes[name])}/{len(recorded)}"
