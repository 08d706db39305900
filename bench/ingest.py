"""Ingest: a delivery checked, known or new, and on the disk before its 202; beside stacks that do less or do it otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import before, peer
from bench.deliveries import Letters, pull_opened
from bench.load import THREADS, Load, Series, load, prepare, room, tool
from bench.process import pss_of_all
from bench.row import Gap, Goal, Row, Unmeasured, at_most, at_most_times, times
from bench.stand import Stand, alone

SECONDS = 5
WARM_SECONDS = 1
MOST = 12_000
"""Deliveries per second that are prepared: more than anything here takes."""

CONNECTIONS = (64, 8)
PROBOT = "Probot, empty handler, stores nothing"
OBVIOUS = "Flask, gunicorn, SQLite, SqliteHuey"
RATES: dict[tuple[str, int], Goal] = {(PROBOT, 64): times(2.2), (OBVIOUS, 64): times(6), (PROBOT, 8): times(1)}
P99: dict[tuple[str, int], Goal] = {(PROBOT, 64): at_most(20), (PROBOT, 8): at_most_times(1)}

Server = Callable[[], AbstractContextManager[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Measured:
    """What one receiver did: a load for each number of connections, and its memory after it."""

    loads: dict[int, Load]
    pss: float


def ingest() -> Iterator[Row | Gap]:
    """Rates, latencies, memory and bytes on the disk."""
    with room() as directory, alone() as here:
        letters = pull_opened(here.secret)
        peers: dict[str, Server] = {
            PROBOT: partial(peer.probot, here.secret),
            OBVIOUS: partial(peer.obvious, here.secret),
        }
        found: dict[str, Measured] = {}
        for name, server in peers.items():
            try:
                found[name] = measure(directory, letters, server)
            except Unmeasured as error:
                yield Gap(f"ingest beside {name}", str(error))
        try:
            with before.web() as (port, pid, secret):
                found[before.NAME] = loads(directory, pull_opened(secret), port, pid)
        except Unmeasured as error:
            yield Gap(f"ingest beside {before.NAME}", str(error))
        held = here.ledger_bytes
        ours = measure(directory, letters, partial(web, here))
        kept = here.kept()
        yield from rates(ours, found)
        for name, other in found.items():
            yield Row("memory of hive web after it (PSS)", ours.pss, "MB", name, other.pss, at_most(35))
        if sum(made.count for made in ours.loads.values()) > kept:
            raise Unmeasured(f"the ledger holds {kept} deliveries, fewer than were answered by 202")
        stored, sent = (here.ledger_bytes - held) / kept / 1000, len(letters.body) / 1000
        yield Row("stored for each delivery", stored, "KB", "its body", sent, at_most(4))


def rates(ours: Measured, found: dict[str, Measured]) -> Iterator[Row]:
    """The rows of one receiver beside each peer that could be measured."""
    for connections in CONNECTIONS:
        mine, where = ours.loads[connections], f"{connections} connections, load by {tool()}"
        for name, other in found.items() or {"": None}.items():
            theirs = other.loads[connections] if other else Load(0, 1.0, 0.0, 0.0)
            yield Row(f"ingest, {where}", mine.rate, "/s", name, theirs.rate, RATES.get((name, connections)))
            yield Row(f"ingest p50, {where}", mine.p50, "ms", name, theirs.p50)
            yield Row(f"ingest p99, {where}", mine.p99, "ms", name, theirs.p99, P99.get((name, connections)))


def measure(directory: Path, letters: Letters, server: Server) -> Measured:
    """All loads on one receiver, started for that; raises Unmeasured."""
    with server() as (port, pid):
        return loads(directory, letters, port, pid)


def loads(directory: Path, letters: Letters, port: int, pid: int) -> Measured:
    """All loads on one receiver, each after a short one that warms it; raises Unmeasured."""
    made = {}
    for connections in CONNECTIONS:
        for seconds in (WARM_SECONDS, SECONDS):
            series = _prepared(directory, letters, f"{connections}-{seconds}", seconds)
            try:
                made[connections] = load(port, series, connections=connections, seconds=seconds)
            finally:
                series.forget()
    return Measured(made, pss_of_all(pid))


@contextmanager
def web(here: Stand) -> Iterator[tuple[int, int]]:
    """`hive web`: its port and its process."""
    here.begin("web")
    yield here.port, here.tree.pid("web")


def _prepared(directory: Path, letters: Letters, name: str, seconds: float) -> Series:
    return prepare(directory, letters, name, int(MOST * seconds / THREADS))
