"""A load on one HTTP address from processes of its own: closed loop, keep-alive, every answer awaited."""

from __future__ import annotations

import multiprocessing
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection as PipeConnection


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a load: answers per second, and latencies in milliseconds, sorted."""

    rate: float
    latencies: list[float]
    refused: int

    def percentile(self, share: float) -> float:
        """A latency that this share of answers stayed below."""
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]


def load(port: int, make: Callable[[int, int], bytes], *, connections: int, seconds: float) -> Load:
    """Send requests for some seconds; `make(connection, number)` gives the bytes of each."""
    context = multiprocessing.get_context("fork")
    pipes = []
    for first, count in _shares(connections, 2):
        ours, theirs = context.Pipe(duplex=False)
        worker = context.Process(target=_drive, args=(port, make, range(first, first + count), seconds, theirs))
        worker.start()
        theirs.close()
        pipes.append((worker, ours))
    took: list[float] = []
    refused = 0
    for worker, ours in pipes:
        some, bad = ours.recv()
        took += some
        refused += bad
        worker.join()
    return Load(len(took) / seconds, sorted(latency * 1000 for latency in took), refused)


def _shares(total: int, parts: int) -> Iterator[tuple[int, int]]:
    first = 0
    for part in range(parts):
        count = total // parts + (part < total % parts)
        if count:
            yield first, count
        first += count


@dataclass(slots=True)
class _Connection:
    """One keep-alive connection with one request under way."""

    number: int
    sock: socket.socket
    sent: float = 0.0
    count: int = 0
    answer: bytes = b""

    def ask(self, make: Callable[[int, int], bytes]) -> None:
        request = make(self.number, self.count)
        self.count += 1
        self.answer = b""
        self.sent = time.perf_counter()
        self.sock.sendall(request)

    def read(self) -> bool:
        """Whether the answer is there, whole."""
        self.answer += self.sock.recv(65536)
        head, _, body = self.answer.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        return b"\r\n\r\n" in self.answer and len(body) >= length


def _drive(port: int, make: Callable[[int, int], bytes], mine: range, seconds: float, out: PipeConnection) -> None:
    """One process: all its connections in one loop, so that the load costs as little as it can."""
    poll = selectors.DefaultSelector()
    took: list[float] = []
    refused = 0
    connections = [_Connection(number, socket.create_connection(("127.0.0.1", port))) for number in mine]
    end = time.perf_counter() + seconds
    for connection in connections:
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poll.register(connection.sock, selectors.EVENT_READ, connection)
        connection.ask(make)
    while time.perf_counter() < end:
        for key, _ in poll.select(timeout=0.5):
            if key.data.read():
                took.append(time.perf_counter() - key.data.sent)
                refused += not key.data.answer.startswith(b"HTTP/1.1 202")
                key.data.ask(make)
    for connection in connections:
        connection.sock.close()
    poll.close()
    out.send((took, refused))
    out.close()
