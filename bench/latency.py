"""From a delivery to the start of a bot, through the whole hive; beside the obvious stack, whose worker polls."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import peer
from bench.deliveries import Letters, issue_opened, opened_key, subject
from bench.pace import Waits, send, waits
from bench.process import cpu_seconds
from bench.row import Gap, Row, Unmeasured, at_most
from bench.stand import Stand, alone

PER_SECOND = 200
SECONDS = 10
SILENCE = float(os.environ.get("HIVE_BENCH_SILENCE", "60"))
"""Seconds in which nothing comes before one delivery does."""

SILENCES = int(os.environ.get("HIVE_BENCH_SILENCES", "3"))
PATIENCE_SECONDS = 60.0
PEER = "stock SqliteHuey behind Flask"


@dataclass(frozen=True, slots=True)
class Side:
    """One of those that are measured: where it listens, and where its looks write that they begin."""

    name: str
    port: int
    starts: Path

    def waits(self, letters: Letters, numbers: range) -> Waits:
        """Send the deliveries of these numbers, and find out how long each waited; raises Unmeasured."""
        requests = {_key(self.name, number): letters.request("wait", number) for number in numbers}
        due = send(self.port, requests, per_second=PER_SECOND)
        return waits(due, self.starts, seconds=PATIENCE_SECONDS)


def latency() -> Iterator[Row | Gap]:
    """At a steady pace, after silence, and what waiting costs."""
    with ExitStack() as stack:
        here = stack.enter_context(alone("web", "work"))
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="hive-bench-")))
        letters, sides = issue_opened(here.secret), [Side("hive", here.port, here.starts)]
        try:
            port, _ = stack.enter_context(peer.obvious(here.secret, directory / "starts"))
            sides.append(Side("peer", port, directory / "starts"))
        except Unmeasured as error:
            yield Gap(f"latency beside {PEER}", str(error))
        yield from steadily(sides, letters)
        yield from after_silence(here, sides, letters)


def steadily(sides: list[Side], letters: Letters) -> Iterator[Row]:
    """Many deliveries, one after another."""
    found = []
    for side in sides:
        side.waits(letters, range(PER_SECOND))
        found.append(side.waits(letters, range(PER_SECOND, PER_SECOND * (1 + SECONDS))))
    ours, theirs = found[0], found[-1] if len(found) > 1 else Waits([0.0])
    where = f"delivery → bot starts, {PER_SECOND} a second"
    yield Row(f"{where}, p50", ours.p50, "ms", _peer(sides), theirs.p50, at_most(3))
    yield Row(f"{where}, p99", ours.p99, "ms", _peer(sides), theirs.p99, at_most(10))


def after_silence(here: Stand, sides: list[Side], letters: Letters) -> Iterator[Row]:
    """Single deliveries when nothing has come for long, and the time that the worker spent on waiting for them."""
    found: list[list[float]] = [[] for _ in sides]
    work, busy, waited = here.tree.pid("work"), 0.0, 0.0
    for number in range(10**6, 10**6 + SILENCES):
        worked, begun = cpu_seconds(work), time.monotonic()
        time.sleep(SILENCE)
        busy, waited = busy + cpu_seconds(work) - worked, waited + time.monotonic() - begun
        for index, side in enumerate(sides):
            found[index] += side.waits(letters, range(number, number + 1)).milliseconds
    ours, theirs = Waits(sorted(found[0])), Waits(sorted(found[-1]) if len(sides) > 1 else [0.0])
    where = f"delivery → bot starts, after {SILENCE:g} s of silence"
    yield Row(f"{where}, median of {SILENCES}", ours.p50, "ms", _peer(sides), theirs.p50, at_most(3))
    yield Row(f"{where}, worst of {SILENCES}", ours.worst, "ms", _peer(sides), theirs.worst, at_most(10))
    yield Row(
        f"hive work while nothing comes, over {waited:.0f} s", busy / waited * 100, "% of a core", goal=at_most(0.5)
    )


def _peer(sides: list[Side]) -> str:
    return PEER if len(sides) > 1 else ""


def _key(side: str, number: int) -> str:
    """What a look writes down: the hive the event's key, the peer the number of the issue."""
    return opened_key(subject(number)) if side == "hive" else str(subject(number))
