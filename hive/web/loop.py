"""HTTP/1.1 for one thread and many connections: reads requests, writes answers, decides nothing.

What came together is answered together, or later and from another thread. What is slow, too large or no HTTP ends alone.
"""

from __future__ import annotations

import contextlib
import logging
import re
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

log = logging.getLogger("hive.web")

MAX_HEAD = 16 * 1024
MAX_CONNECTIONS = 1024
MAX_HELD = 64 * 1024 * 1024
"""Bytes of unfinished requests in memory, over all connections; above it, the one that adds is ended."""

IDLE_SECONDS = 75.0
REQUEST_SECONDS = 20.0
GOODBYE_SECONDS = 2.0
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One request; names of headers are in small letters. `fault` says why its body was not read."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    peer: str
    fault: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to a request; `body` is JSON unless `kind` says otherwise."""

    status: int
    body: bytes = b""
    kind: str = "application/json"

    def encode(self, *, close: bool) -> bytes:
        """The bytes on the wire."""
        head = (
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\nContent-Type: {self.kind}\r\n"
            f"Content-Length: {len(self.body)}\r\n{'Connection: close' + chr(13) + chr(10) if close else ''}\r\n"
        )
        return head.encode() + self.body


@dataclass(slots=True, eq=False)
class Connection:
    """One client. It is read until a request is whole, then it waits for the answer."""

    sock: socket.socket
    peer: str
    deadline: float
    data: bytearray = field(default_factory=bytearray)
    out: bytes = b""
    need: int = 0
    waits: bool = False
    last: bool = False
    """The next answer is the last one."""
    deaf: bool = False
    """What still comes is not read as a request."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request that waits for its answer."""

    request: Request
    connection: Connection


Answers = Sequence[tuple[Ticket, Answer]]


class Loop:
    """Serves one listening socket on a thread of its own."""

    def __init__(
        self,
        sock: socket.socket,
        handle: Callable[[Ticket], None],
        settle: Callable[[], Answers],
        *,
        max_body: int,
    ) -> None:
        """`handle` is called for each request, and `settle` after those that came together, until it answers none; both on the loop's thread."""
        self._sock = sock
        self._handle = handle
        self._settle = settle
        self._max_body = max_body
        self._poll = selectors.DefaultSelector()
        self._connections: set[Connection] = set()
        self._held = 0
        self._answers: deque[tuple[Ticket, Answer]] = deque()
        self._bell, self._button = socket.socketpair()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loop", daemon=True)

    def start(self) -> None:
        """Serve from now on."""
        for sock in (self._sock, self._bell, self._button):
            sock.setblocking(False)
        self._poll.register(self._sock, selectors.EVENT_READ, self._accept)
        self._poll.register(self._bell, selectors.EVENT_READ, self._deliver)
        self._thread.start()

    def stop(self) -> None:
        """Take no more, answer what waits, close everything; whoever answers has to live until then."""
        self._stopping.set()
        self._ring()
        self._thread.join()

    def answer(self, answers: Answers) -> None:
        """Send answers; may be called from any thread."""
        self._answers.extend(answers)
        self._ring()

    def _ring(self) -> None:
        with contextlib.suppress(OSError):  # it rings already, or all is answered and the loop has ended
            self._button.send(b"!")

    def _run(self) -> None:
        swept = 0.0
        while not self._done():
            for key, events in self._poll.select(timeout=1.0):
                if isinstance(key.data, Connection):
                    self._serve(key.data, events)
                else:
                    key.data()
            while answers := self._settle():
                self._send(answers)
            now = time.monotonic()
            if now - swept >= 1.0:
                swept = now
                for connection in [c for c in self._connections if not c.waits and c.deadline < now]:
                    self._close(connection)
        for connection in list(self._connections):
            self._close(connection)
        for sock in (self._sock, self._bell, self._button):
            sock.close()
        self._poll.close()

    def _done(self) -> bool:
        """Whether all that was asked before the end is answered; new questions are not taken meanwhile."""
        if not self._stopping.is_set():
            return False
        if self._sock in self._poll.get_map():
            self._poll.unregister(self._sock)
        for connection in [c for c in self._connections if not (c.waits or c.out or c.data)]:
            self._close(connection)
        return not any(connection.waits or connection.out for connection in self._connections)

    def _accept(self) -> None:
        try:
            sock, address = self._sock.accept()
        except OSError as error:  # gone again, or no descriptors left: those that are here go on
            log.warning("accept_failed error=%s", error.strerror)
            time.sleep(0.01)
            return
        if len(self._connections) >= MAX_CONNECTIONS:
            sock.close()
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock, str(address[0]), time.monotonic() + IDLE_SECONDS)
        self._connections.add(connection)
        self._poll.register(sock, selectors.EVENT_READ, connection)

    def _deliver(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._bell.recv(4096)
        while self._answers:
            self._send([self._answers.popleft()])

    def _send(self, answers: Answers) -> None:
        now = time.monotonic()
        for ticket, answer in answers:
            connection = ticket.connection
            if connection not in self._connections:
                continue
            connection.waits = False
            connection.deadline = now + IDLE_SECONDS
            connection.out += answer.encode(close=connection.last)
            if self._write(connection) and not connection.deaf:
                self._read(connection)  # what came behind the request that was answered

    def _serve(self, connection: Connection, events: int) -> None:
        if events & selectors.EVENT_WRITE and not self._write(connection):
            return
        if not events & selectors.EVENT_READ:
            return
        try:
            data = connection.sock.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(connection)
        elif not connection.deaf:
            self._take(connection, data)

    def _take(self, connection: Connection, data: bytes) -> None:
        if not connection.data:
            connection.deadline = time.monotonic() + REQUEST_SECONDS
        connection.data += data
        self._held += len(data)
        ahead = connection.waits and len(connection.data) > MAX_HEAD  # nobody sends so much before the answer
        if ahead or self._held > MAX_HELD:
            self._close(connection)
        elif not connection.waits:
            self._read(connection)

    def _read(self, connection: Connection) -> None:
        """Hand over the next request, if it is whole."""
        if len(connection.data) < connection.need or not connection.data:
            return
        end = connection.data.find(b"\r\n\r\n")
        if end < 0 or end > MAX_HEAD:
            if len(connection.data) > MAX_HEAD:
                self._refuse(connection, _NOTHING, 431, "the head is too long")
            return
        try:
            method, path, headers, length = _head(bytes(connection.data[:end]))
        except ValueError as error:
            self._refuse(connection, _NOTHING, 400, str(error))
            return
        if length > self._max_body:
            text = f"body of {length} bytes is above the limit of {self._max_body}"
            self._refuse(connection, Request(method, path, headers, b"", connection.peer), 413, text)
            return
        connection.need = end + 4 + length
        if len(connection.data) < connection.need:
            if headers.get("expect", "").lower() == "100-continue" and len(connection.data) == end + 4:
                connection.out += b"HTTP/1.1 100 Continue\r\n\r\n"
                self._write(connection)
            return
        with memoryview(connection.data) as data:
            body = bytes(data[end + 4 : connection.need])
        self._drop(connection, connection.need)
        connection.waits, connection.last = True, headers.get("connection", "").lower() == "close"
        self._handle(Ticket(Request(method, path, headers, body, connection.peer), connection))

    def _refuse(self, connection: Connection, request: Request, status: int, reason: str) -> None:
        """Hand over a request that cannot be read; the connection ends with its answer."""
        self._drop(connection, len(connection.data))
        connection.last = connection.waits = connection.deaf = True
        refused = Request(request.method, request.path, request.headers, b"", connection.peer, fault=(status, reason))
        self._handle(Ticket(refused, connection))

    def _drop(self, connection: Connection, count: int) -> None:
        self._held -= count
        del connection.data[:count]
        connection.need = 0

    def _write(self, connection: Connection) -> bool:
        """Send what is to be sent; False if the connection is gone."""
        try:
            sent = connection.sock.send(connection.out) if connection.out else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close(connection)
            return False
        connection.out = connection.out[sent:]
        if not connection.out and connection.last and not connection.waits:
            # Closed at once, unread bytes of the client would reset the connection and take the answer along.
            connection.last, connection.deaf = False, True
            connection.deadline = time.monotonic() + GOODBYE_SECONDS
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_WR)
        want = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.out else 0)
        if self._poll.get_key(connection.sock).events != want:
            self._poll.modify(connection.sock, want, connection)
        return True

    def _close(self, connection: Connection) -> None:
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        self._held -= len(connection.data)
        self._poll.unregister(connection.sock)
        connection.sock.close()


_NOTHING = Request("", "", {}, b"", "")
_HEADER = re.compile(r"^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\r\n]*)(?:\r\n|\Z)", re.MULTILINE)
"""A line of the head, its name and its end as RFC 9110 and 9112 have them."""


def _head(text: bytes) -> tuple[str, str, dict[str, str], int]:
    """Method, path, headers and length of the body; raises ValueError for what is no request."""
    first, _, rest = text.decode("latin-1").partition("\r\n")
    words = first.split(" ")
    if len(words) != 3 or words[2] not in {"HTTP/1.1", "HTTP/1.0"} or not words[1].startswith("/"):
        raise ValueError("no HTTP request")
    lines = _HEADER.findall(rest)
    if len(lines) != (rest.count("\n") + 1 if rest else 0):
        raise ValueError("a header is none")
    headers = {name.lower(): value.strip() for name, value in lines}
    if words[2] == "HTTP/1.0":
        headers["connection"] = "close"
    if "transfer-encoding" in headers:
        raise ValueError("a body has to say its length")
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit() or len(length) > 18:
        raise ValueError("the length of the body is no number")
    return words[0], words[1], headers, int(length)
