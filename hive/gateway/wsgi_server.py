"""WSGI applications on unix sockets, over waitress.

The head of each request passes a gate before its body is read. What is slow, idle or refused holds
nothing that others on the socket, or on other sockets of this process, would have to wait for.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import UnixWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask

from hive.gateway.admission import CallHead, Denied, Gate, too_large
from hive.unix_socket import BACKLOG

# Requests that wait for a thread are no fault; waitress would write a line for each.
logging.getLogger("waitress.queue").setLevel(logging.ERROR)

App = Callable[..., Any]
MAX_CONNECTIONS = 32
"""Connections of one socket: of those beyond, the one that has been idle longest makes room."""

MAX_HELD = 300 << 20
"""Bytes of unfinished bodies of one socket; above it the connection that adds is closed."""

IDLE_SECONDS = 60
GRACE_SECONDS = 30.0
MIN_RATE = 16 * 1024
"""Bytes a second that a request has to bring on the average, beyond its grace."""

GOODBYE_SECONDS = 15.0
GOODBYE_BYTES = 8 << 20
RUN_GOODBYE_BYTES = 64 << 20
"""How long, and how much of it, a refused body is thrown away: closed at once, the client would lose the answer.
Who has a run's token gets more time to understand: a conversation that is too long has to be made shorter."""

REQUEST_ID = "X-Request-Id"
_CHUNK = 1 << 16


class _Refusal:
    """A refused request, as waitress has the errors of its parser."""

    def __init__(self, gate: Gate, head: CallHead, denied: Denied) -> None:
        self.gate = gate
        self.head = head
        self.denied = denied
        self.body = b""

    def to_response(self, _ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        """Status line, headers and body."""
        status = HTTPStatus(self.denied.status)
        headers = [("Content-Type", "application/json"), (REQUEST_ID, self.head.id), *self.denied.headers.items()]
        return f"{status.value} {status.phrase}", headers, self.body


class _Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """One request: when its head is there the gate is asked, and a refused one is not read any further."""

    def __init__(self, adj: Adjustments, *, gate: Gate) -> None:
        super().__init__(adj)
        self.adj: Adjustments = adj
        self.error: Any = None
        self._gate = gate
        self._asked = False
        self._id = secrets.token_hex(8)

    def received(self, data: bytes) -> int:
        """Read on; returns how many bytes are dealt with."""
        used: int = super().received(data)
        if self.error is not None:
            self._refuse(Denied(self.error.code, str(self.error.reason).lower()))
        elif self.headers_finished and not self.empty and not self._asked:
            self._ask()
        return len(data) if self.error is not None else used

    def _ask(self) -> None:
        self._asked = True
        try:
            limit = self._gate.admit(self._head())
        except Denied as error:
            self._refuse(error)
            return
        self.adj = copy.copy(self.adj)  # waitress knows one bound for all
        self.adj.max_request_body_size = limit + 1
        self.headers[REQUEST_ID.upper().replace("-", "_")] = self._id

    def _refuse(self, error: Denied) -> None:
        if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and self._asked:
            error = too_large(self.adj.max_request_body_size - 1) if self.body_bytes_received else error
        self.error = _Refusal(self._gate, self._head(), error)
        self.completed, self.expect_continue = True, False

    def _head(self) -> CallHead:
        given = self.headers.get("AUTHORIZATION", "").removeprefix("Bearer ") or self.headers.get("X_API_KEY", "")
        method, path = getattr(self, "command", ""), getattr(self, "path", "")
        return CallHead(self._id, method, path, given, self.content_length)


class _RefusedTask(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """Answers a refused request, on one of the socket's threads: what is recorded of it may have to wait."""

    def execute(self) -> None:
        """Record it, and say it."""
        error = self.request.error
        if isinstance(error, _Refusal):
            error.body = error.gate.refused(error.head, error.denied)
            self.channel.retry = RUN_GOODBYE_BYTES if error.denied.to_a_run else GOODBYE_BYTES
        self.channel.is_refused = True
        super().execute()


class _Task(WSGITask):  # type: ignore[misc]  # waitress has no types
    """Answers a request. After an answer in chunks the connection stays open: the last chunk is its end.

    waitress 3.0.2 closes it, and Bun 1.3 (Claude Code) loses what it has not read of a unix socket that is closed.
    """

    def build_response_header(self) -> bytes:
        """Status line and headers."""
        asked = self.request.headers.get("CONNECTION", "").lower() == "close"
        header: bytes = super().build_response_header()
        if self.chunked_response and not asked and self.version == "1.1":
            self.close_on_finish = False
            header = header.replace(b"Connection: close\r\n", b"", 1)
        return header


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """One connection. After a refusal it answers and keeps receiving, without reading, until the client has noticed."""

    task_class = _Task
    error_task_class = _RefusedTask

    def __init__(self, server: _Listener, *args: Any, **more: Any) -> None:
        self.parser_class = partial(_Parser, gate=server.gate)
        self.is_refused = False
        self._begun = time.time()
        self._goodbye = 0.0
        self.retry = GOODBYE_BYTES
        self.close_when_flushed = False
        super().__init__(server, *args, **more)

    def received(self, data: bytes) -> bool:
        """Take in what came."""
        if self.request is None:
            self._begun = time.time()
        if self.server.held() + len(data) > MAX_HELD:
            self.will_close = True
            return False
        return bool(super().received(data))

    def held(self) -> int:
        """Bytes of bodies that are not answered yet."""
        with self.requests_lock:
            waiting = [*self.requests, *([self.request] if self.request is not None else [])]
        return sum(request.body_bytes_received for request in waiting)

    def is_late(self, now: float) -> bool:
        """Whether it has had its time."""
        if self._goodbye:
            return now > self._goodbye
        request = self.request
        if request is None or self.requests:
            return False
        allowed: float = self.server.grace + request.body_bytes_received / MIN_RATE
        return now > self._begun + allowed

    def handle_write(self) -> None:
        """Send what is to be sent; the end of a refusal is a goodbye."""
        if not self.is_refused or not self.close_when_flushed or self.will_close:
            super().handle_write()
            return
        self._flush_exception(self._flush_some)
        if self.total_outbufs_len or self.will_close or not self.connected:
            return
        self.close_when_flushed = False
        self._goodbye = time.time() + GOODBYE_SECONDS
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def handle_read(self) -> None:
        """Read, or throw away what comes after a refusal."""
        if not self._goodbye:
            super().handle_read()
            return
        try:
            self.retry -= len(self.recv(4 * _CHUNK))  # the end of it closes the channel
        except OSError:
            self.retry = 0
        if self.retry <= 0:
            self.handle_close()


class _Listener(UnixWSGIServer):  # type: ignore[misc]  # waitress has no types
    """One listening socket, its connections, and what is too much of them."""

    channel_class = _Channel

    def __init__(self, app: App, sock: socket.socket, gate: Gate, threads: int, grace: float) -> None:
        self.gate = gate
        self.grace = grace
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.set_thread_count(threads)
        adjustments = Adjustments(
            sockets=[sock],
            ident="",
            clear_untrusted_proxy_headers=True,
            max_request_body_size=1 << 40,  # the gate's to say
            max_request_header_size=16 << 10,
            recv_bytes=_CHUNK,
            channel_timeout=IDLE_SECONDS,
            cleanup_interval=1,
            connection_limit=MAX_CONNECTIONS + BACKLOG,
            asyncore_use_poll=True,
        )
        known = (sock.family, sock.type, sock.proto, sock.getsockname())
        super().__init__(app, {}, True, sock, dispatcher=dispatcher, adj=adjustments, sockinfo=known, bind_socket=False)

    def held(self) -> int:
        """Bytes of bodies that are not answered yet, over all connections."""
        return sum(channel.held() for channel in list(self.active_channels.values()))

    def readable(self) -> bool:
        """Whether another connection is accepted."""
        looked = bool(super().readable())
        return (
            looked and not self.gate.is_closed and (len(self.active_channels) < MAX_CONNECTIONS or bool(self._idle()))
        )

    def handle_accept(self) -> None:
        """Accept a connection; the one that has been idle longest is evicted."""
        idle = self._idle()
        if len(self.active_channels) >= MAX_CONNECTIONS and idle:
            min(idle, key=lambda channel: channel.last_activity).handle_close()
        super().handle_accept()

    def maintenance(self, now: float) -> None:
        """Close what is idle or late."""
        super().maintenance(now)
        for channel in list(self.active_channels.values()):
            if channel.is_late(now):
                channel.will_close = True

    def end(self) -> None:
        """Close every connection and watch nothing any more, which ends waitress' loop; for the thread of the loop only.

        The trigger stays open: threads that have not ended write to its file descriptor, which may be another's by then.
        """
        self.trigger.del_channel()
        wasyncore.close_all(self._map, ignore_all=True)

    def _idle(self) -> list[_Channel]:
        channels = self.active_channels.values()
        return [channel for channel in channels if not channel.requests and not channel.total_outbufs_len]


class Server:
    """One application on one socket, served by threads of this process."""

    def __init__(
        self, app: App, sock: socket.socket, gate: Gate, *, threads: int = 8, grace: float = GRACE_SECONDS
    ) -> None:
        """A request may take `grace` seconds to arrive, and longer only as fast as `MIN_RATE`."""
        self._server = _Listener(app, sock, gate, threads, grace)
        self._thread = threading.Thread(target=self._server.run, name="serve", daemon=True)

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is being answered, then close every connection."""
        self._server.task_dispatcher.shutdown(timeout=5)
        self._server.trigger.pull_trigger(self._server.end)
        self._thread.join(timeout=10)
        if not self._server.task_dispatcher.threads:
            self._server.trigger.close()
