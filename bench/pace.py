"""Deliveries at a steady pace, whatever the receiver does; and when what they tell of was begun."""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.load import is_whole
from bench.process import until
from bench.row import Unmeasured

CONNECTIONS = 16
"""Taken in turn: an answer that comes late holds up nobody."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Milliseconds from when each delivery was due to the start of the look at it, sorted."""

    milliseconds: list[float]

    @property
    def p50(self) -> float:
        """The middle one."""
        return statistics.median(self.milliseconds)

    @property
    def p99(self) -> float:
        """What one in a hundred is above."""
        return self.milliseconds[int(len(self.milliseconds) * 0.99)]

    @property
    def worst(self) -> float:
        """The longest."""
        return self.milliseconds[-1]


def send(port: int, requests: Mapping[str, bytes], *, per_second: float) -> dict[str, int]:
    """Send each request when it is due; answers when that was, in nanoseconds of the machine's clock."""
    due: dict[str, int] = {}
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(min(CONNECTIONS, len(requests)))]
    begun = time.monotonic_ns()
    for number, (key, request) in enumerate(requests.items()):
        connection = connections[number % len(connections)]
        if number >= len(connections):
            _read(connection)
        due[key] = begun + int(number / per_second * 1e9)
        time.sleep(max(0.0, (due[key] - time.monotonic_ns()) / 1e9))
        connection.sendall(request)
    for connection in connections:
        _read(connection)
        connection.close()
    return due


def waits(due: Mapping[str, int], starts: Path, *, seconds: float) -> Waits:
    """How long each had to wait, once all have begun; raises Unmeasured if some have not by then."""
    if not until(lambda: due.keys() <= begun_at(starts).keys(), seconds=seconds, step=0.25):
        missing = len(due.keys() - begun_at(starts).keys())
        raise Unmeasured(f"{missing} of {len(due)} deliveries were never looked at")
    at = begun_at(starts)
    return Waits(sorted((at[key] - then) / 1e6 for key, then in due.items()))


def begun_at(starts: Path) -> dict[str, int]:
    """When each look was first begun, by what it is about."""
    found: dict[str, int] = {}
    for at, what in lines(starts):
        found.setdefault(what, at)
    return found


def lines(starts: Path) -> Iterable[tuple[int, str]]:
    """The lines that a stopwatch wrote, whole ones only: nanoseconds, and what was begun."""
    if not starts.exists():
        return
    for line in starts.read_text().splitlines(keepends=True):
        at, _, what = line.partition(" ")
        if what.endswith("\n"):
            yield int(at), what.strip()


def _read(connection: socket.socket) -> None:
    answer = b""
    connection.settimeout(30)
    while not is_whole(answer):
        some = connection.recv(65536)
        answer += some
        if not some:
            raise Unmeasured("a receiver hung up")
    if not answer.startswith(b"HTTP/1.1 20"):
        raise Unmeasured(f"a delivery was not taken: {answer[:40]!r}")
