"""A load on one HTTP address: closed loop, keep-alive, every answer awaited, by wrk or else by processes of our own."""

from __future__ import annotations

import json
import multiprocessing
import selectors
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from multiprocessing.connection import Connection as PipeConnection
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.deliveries import Letters
from bench.row import Unmeasured

THREADS = 2
MEMORY = Path("/dev/shm")  # noqa: S108  a directory of our own is made in it
ROOM_BYTES = 3 << 30
SCRIPT = Path(__file__).parent / "deliveries.lua"


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a load: answers, the seconds that they took, and latencies in milliseconds."""

    count: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.count / self.seconds


@dataclass(frozen=True, slots=True)
class Series:
    """Prepared requests of one length, in a file for each thread: none is sent twice to one receiver."""

    prefix: Path
    size: int

    def of(self, thread: int) -> Path:
        """The file of a thread."""
        return self.prefix.with_name(f"{self.prefix.name}{thread}")

    def forget(self) -> None:
        """Remove the files: they are large."""
        for thread in range(THREADS):
            self.of(thread).unlink()


@contextmanager
def room() -> Iterator[Path]:
    """A directory for what is prepared, in memory if there is room: written to a disk, it would be in the way of what is measured."""
    shared = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES
    with TemporaryDirectory(prefix="hive-bench-", dir=MEMORY if shared else None) as directory:
        yield Path(directory)


def prepare(directory: Path, letters: Letters, name: str, count: int) -> Series:
    """Write so many requests down for each thread."""
    made = Series(directory / f"{name}-", len(letters.request(name, 0)))
    for thread in range(THREADS):
        with made.of(thread).open("wb") as file:
            for number in range(thread * count, (thread + 1) * count):
                file.write(letters.request(name, number))
    return made


def tool() -> str:
    """What the load comes from."""
    return "wrk" if shutil.which("wrk") else "bench/load.py"


def load(port: int, series: Series, *, connections: int, seconds: float) -> Load:
    """Send requests for some seconds; raises Unmeasured if any was not taken."""
    made, bad = (_by_wrk if shutil.which("wrk") else _by_hand)(port, series, connections, seconds)
    if bad or not made.count:
        raise Unmeasured(f"{bad} of {made.count} requests were not taken")
    return made


def send_all(port: int, series: Series, *, connections: int, seconds: float) -> None:
    """Send every request once; raises Unmeasured if any was not taken, or if it takes longer than that."""
    made, bad = _by_hand(port, series, connections, seconds)
    if bad or made.count * series.size < sum(series.of(thread).stat().st_size for thread in range(THREADS)):
        raise Unmeasured(f"{made.count} requests were answered, {bad} of them were not taken")


def _by_wrk(port: int, series: Series, connections: int, seconds: float) -> tuple[Load, int]:
    words = ["wrk", "-t", str(THREADS), "-c", str(connections), "-d", f"{seconds:.0f}s", "-s", str(SCRIPT)]
    place = [f"http://127.0.0.1:{port}/", "--", str(series.prefix), str(series.size)]
    said = subprocess.run([*words, *place], capture_output=True, text=True)
    told = next((line for line in said.stdout.splitlines() if line.startswith("TOLD ")), None)
    if told is None:
        raise Unmeasured(f"wrk: {(said.stderr or said.stdout).strip()[-200:]}")
    found = json.loads(told.removeprefix("TOLD "))
    if found["again"]:
        raise Unmeasured("more deliveries were taken than had been prepared")
    took = found["microseconds"] / 1e6
    return Load(found["count"], took, found["p50"] / 1000, found["p99"] / 1000), found["bad"]


def _by_hand(port: int, series: Series, connections: int, seconds: float) -> tuple[Load, int]:
    context = multiprocessing.get_context("fork")
    pipes = []
    for thread, count in enumerate(_shares(connections, THREADS)):
        ours, theirs = context.Pipe(duplex=False)
        worker = context.Process(
            target=_drive, args=(_Share(port, series.of(thread), series.size, count, seconds), theirs)
        )
        worker.start()
        theirs.close()
        pipes.append((worker, ours))
    told = []
    for worker, ours in pipes:
        told.append(ours.recv())
        worker.join()
    took = sorted(chain.from_iterable(some for some, _ in told)) or [0.0]
    p50, p99 = (took[int(len(took) * share)] * 1000 for share in (0.5, 0.99))
    return Load(len(took), seconds, p50, p99), sum(bad for _, bad in told)


def _shares(total: int, parts: int) -> Iterator[int]:
    return (total // parts + (part < total % parts) for part in range(parts))


@dataclass(slots=True)
class _Connection:
    """One keep-alive connection with one request under way."""

    sock: socket.socket
    sent: float = 0.0
    answer: bytes = b""

    def ask(self, request: bytes) -> None:
        self.answer = b""
        self.sent = time.perf_counter()
        self.sock.sendall(request)

    def read(self) -> bool:
        """Whether the answer is there, whole."""
        self.answer += self.sock.recv(65536)
        return is_whole(self.answer)


def is_whole(answer: bytes) -> bool:
    """Whether an answer has all that its head announces."""
    head, end, body = answer.partition(b"\r\n\r\n")
    lines = (line.lower() for line in head.split(b"\r\n"))
    length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
    return bool(end) and len(body) >= length


@dataclass(frozen=True, slots=True)
class _Share:
    """What one process has to do: so many connections for so long, with requests of its own."""

    port: int
    requests: Path
    size: int
    count: int
    seconds: float


def _drive(share: _Share, out: PipeConnection) -> None:
    """One process: all its connections in one loop, so that the load costs as little as it can."""
    took: list[float] = []
    bad = 0
    connections = [_Connection(socket.create_connection(("127.0.0.1", share.port))) for _ in range(share.count)]
    end = time.perf_counter() + share.seconds
    with selectors.DefaultSelector() as poll, share.requests.open("rb") as file:
        for connection in connections:
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            poll.register(connection.sock, selectors.EVENT_READ, connection)
            connection.ask(file.read(share.size))
        while poll.get_map() and time.perf_counter() < end:
            for key, _ in poll.select(timeout=0.5):
                if not key.data.read():
                    continue
                took.append(time.perf_counter() - key.data.sent)
                bad += not key.data.answer.startswith(b"HTTP/1.1 20")
                if request := file.read(share.size):
                    key.data.ask(request)
                else:
                    poll.unregister(key.data.sock)
    for connection in connections:
        connection.sock.close()
    out.send((took, bad))
    out.close()
