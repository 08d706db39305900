"""HTTP/1.1 for one thread and many connections: reads requests, writes answers, decides nothing.

What came together is answered together, or later and from another thread. What is slow, too large or no HTTP ends alone.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from http import HTTPStatus

from hive.web.http_head import BadHead, read
from hive.web.http_messages import Connection, PendingRequest, Request, Response
from hive.web.limits import ReceiverLimits, worst_first

log = logging.getLogger("hive.web")

MAX_HEAD = 16 * 1024
MAX_OUT = 64 * 1024
"""Bytes of answers that a client has not fetched; as long as there are more, it is not read."""

IDLE_SECONDS = 75.0
GOODBYE_SECONDS = 2.0
"""How long a connection may be idle after an answer, and how long a farewell may take."""

_CHUNK = 64 * 1024
_BATCH = 64
"""How many are let in before those who are here are served again."""

_ROOM = 16
"""The sample from which a connection is chosen for eviction, instead of searching all."""


Answers = Sequence[tuple[PendingRequest, Response]]


class HTTPLoop:
    """Serves one listening socket on a thread of its own."""

    def __init__(
        self,
        sock: socket.socket,
        handle: Callable[[PendingRequest], None],
        settle: Callable[[], Answers],
        *,
        max_body: int,
        bounds: ReceiverLimits,
    ) -> None:
        """`handle` is called for each request, and `settle` after those that came together, until it answers none; both on the loop's thread."""
        self._sock = sock
        self._handle = handle
        self._settle = settle
        self._max_body = max_body
        self._bounds = bounds
        self._poll = selectors.DefaultSelector()
        self._connections: set[Connection] = set()
        self._held = 0
        self._said = 0.0
        self._answers: deque[tuple[PendingRequest, Response]] = deque()
        self._wakeup, self._button = socket.socketpair()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loop", daemon=True)

    def start(self) -> None:
        """Serve from now on."""
        for sock in (self._sock, self._wakeup, self._button):
            sock.setblocking(False)
        self._poll.register(self._sock, selectors.EVENT_READ, self._accept)
        self._poll.register(self._wakeup, selectors.EVENT_READ, self._deliver)
        self._thread.start()

    def stop(self) -> None:
        """Accept no more, answer what is pending, close everything; handlers must live until then."""
        self._stopping.set()
        self._notify()
        self._thread.join()

    def answer(self, answers: Answers) -> None:
        """Send answers; may be called from any thread."""
        self._answers.extend(answers)
        self._notify()

    def _notify(self) -> None:
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
        for sock in (self._sock, self._wakeup, self._button):
            sock.close()
        self._poll.close()

    def _done(self) -> bool:
        """Whether everything pending is answered; no new requests are accepted in the meantime."""
        if not self._stopping.is_set():
            return False
        if self._sock in self._poll.get_map():
            self._poll.unregister(self._sock)
        for connection in [c for c in self._connections if not (c.waits or c.out or c.data)]:
            self._close(connection)
        return not any(connection.waits or connection.out for connection in self._connections)

    def _accept(self) -> None:
        """Accept waiting connections; if there is no room, evict the one that has kept us waiting most."""
        for _ in range(_BATCH):
            try:
                sock, address = self._sock.accept()
            except BlockingIOError:
                return
            except OSError as error:  # gone again, or no descriptors left
                log.warning("accept_failed error=%s", error.strerror)
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self._make_room()
                return
            if len(self._connections) >= self._bounds.connections:
                self._make_room()
            if len(self._connections) >= self._bounds.connections:  # all that are here wait for their answers
                sock.close()
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            now = time.monotonic()
            connection = Connection(sock, str(address[0]), now, now + self._bounds.first_seconds)
            self._connections.add(connection)
            self._poll.register(sock, selectors.EVENT_READ, connection)
            self._serve(connection, selectors.EVENT_READ)  # mostly its request is there already

    def _make_room(self) -> None:
        """Close some of those that keep us waiting."""
        waiting = [connection for connection in self._connections if not connection.waits]
        worst = worst_first(waiting, lambda _: 1)[: max(1, len(waiting) // _ROOM)]
        now = time.monotonic()
        if now - self._said >= 1.0:  # log it once a second
            self._said = now
            log.warning("made_room closed=%d of=%d", len(worst), len(self._connections))
        for connection in worst:
            self._close(connection)

    def _free(self, adding: Connection) -> None:
        """Close connections with unfinished requests until little enough is held; the one that adds comes last."""
        others = [c for c in self._connections if c.data and not c.waits and c is not adding]
        for connection in [*worst_first(others, lambda c: len(c.data)), adding]:
            if self._held <= self._bounds.held - self._bounds.held // _ROOM:
                return
            self._close(connection)

    def _deliver(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wakeup.recv(4096)
        while self._answers:
            self._send([self._answers.popleft()])

    def _send(self, answers: Answers) -> None:
        now = time.monotonic()
        for pending, answer in answers:
            connection = pending.connection
            if connection not in self._connections:
                continue
            connection.waits = False
            connection.proven |= answer.status < HTTPStatus.BAD_REQUEST and bool(pending.request.body)
            connection.since = now
            connection.deadline = now + (self._bounds.request_seconds if connection.data else IDLE_SECONDS)
            connection.out += answer.encode(close=connection.last)
            if self._write(connection) and not connection.deaf:
                self._read(connection)  # what came behind the request that was answered

    def _serve(self, connection: Connection, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            if not self._write(connection):
                return
            if not connection.out and not connection.waits and not connection.deaf:
                self._read(connection)  # what had to wait until the client had fetched its answers
        if connection not in self._connections or not events & selectors.EVENT_READ:
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
            connection.since = time.monotonic()
            connection.deadline = connection.since + self._bounds.request_seconds
        connection.data += data
        self._held += len(data)
        if connection.waits and len(connection.data) > MAX_HEAD:  # no client sends so much before the answer
            self._close(connection)
            return
        if self._held > self._bounds.held:
            self._free(connection)
        if not connection.waits and connection in self._connections:
            self._read(connection)

    def _read(self, connection: Connection) -> None:
        """Hand over the next request, if it is whole."""
        while not connection.need and connection.data.startswith(b"\r\n"):
            self._drop(connection, 2)  # empty lines before a request: RFC 9112, 2.2
        if len(connection.data) < connection.need or not connection.data or len(connection.out) > MAX_OUT:
            return
        end = connection.data.find(b"\r\n\r\n")
        if end < 0 or end > MAX_HEAD:
            if len(connection.data) > MAX_HEAD:
                self._refuse(connection, _NOTHING, 431, "the head is too long")
            return
        end += 4
        try:
            head = read(bytes(connection.data[:end]))
        except BadHead as error:
            self._refuse(connection, _NOTHING, 400, str(error))
            return
        if head.length > self._max_body:
            text = f"body of {head.length} bytes is above the limit of {self._max_body}"
            self._refuse(connection, Request(head.method, head.path, head.headers, b"", connection.peer), 413, text)
            return
        connection.need = end + head.length
        if len(connection.data) < connection.need:
            if head.headers.get("expect", "").lower() == "100-continue" and len(connection.data) == end:
                connection.out += b"HTTP/1.1 100 Continue\r\n\r\n"
                self._write(connection)
            return
        with memoryview(connection.data) as data:
            body = bytes(data[end : connection.need])
        self._drop(connection, connection.need)
        connection.waits, connection.last = True, head.closes
        self._handle(PendingRequest(Request(head.method, head.path, head.headers, body, connection.peer), connection))

    def _refuse(self, connection: Connection, request: Request, status: int, reason: str) -> None:
        """Hand over a request that cannot be read; the connection ends with its answer."""
        self._drop(connection, len(connection.data))
        connection.last = connection.waits = connection.deaf = True
        refused = Request(request.method, request.path, request.headers, b"", connection.peer, fault=(status, reason))
        self._handle(PendingRequest(refused, connection))

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
        listens_to_bots = selectors.EVENT_READ if len(connection.out) <= MAX_OUT else 0
        want = listens_to_bots | (selectors.EVENT_WRITE if connection.out else 0)
        if connection.watched != want:
            self._poll.modify(connection.sock, want, connection)
            connection.watched = want
        return True

    def _close(self, connection: Connection) -> None:
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        self._held -= len(connection.data)
        self._poll.unregister(connection.sock)
        connection.sock.close()


_NOTHING = Request("", "", {}, b"", "")
