"""The HTTP server of a responder: `/v1/messages` and `/v1/messages/count_tokens`. Decides nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from hive.demo.model import speech
from hive.demo.model.conversation import ModelConversation, ModelReply, Responder
from hive.demo.model.faults import ApiError, BreaksOff, Cut, Stall, Unfinished
from hive.demo.model.request import BadRequest, parse, require_max_tokens

HEADERS = ("x-api-key", "authorization")
"""Where a key may be."""

_MIDDLE = 4
"""The number of events after which a faulty stream shows its fault."""

_POLL = 0.05
"""Seconds after which a server that was stopped notices it."""


class ModelServer:
    """A model server on a free port; a context manager.

    It takes any key, or only `key`; `reads` are the headers in which it looks for one. `drops_tools` makes it a server whose
    model's template knows no tools, and `counts` is whether it counts tokens.
    """

    def __init__(
        self,
        responder: Responder,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        key: str = "",
        reads: tuple[str, ...] = HEADERS,
        drops_tools: bool = False,
        counts: bool = True,
    ) -> None:
        self._stopping = threading.Event()
        traits = Traits(key, reads, drops_tools=drops_tools, counts=counts)
        served = handler(responder, self._stopping, traits)
        self._server = ThreadingHTTPServer((host, port), served)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL,), daemon=True, name="model")

    @property
    def url(self) -> str:
        """The base URL, as a client of the API wants it."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        """Begin to serve, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving; stalled streams end."""
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def serve(responder: Responder, host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve until the process is stopped; `ready` gets the port once it listens."""
    with ThreadingHTTPServer((host, port), handler(responder, threading.Event())) as server:
        ready(server.server_port)
        server.serve_forever()


@dataclass(frozen=True, slots=True)
class Traits:
    """What tells one server from another; see ModelServer."""

    key: str = ""
    reads: tuple[str, ...] = HEADERS
    drops_tools: bool = False
    counts: bool = True


ORDINARY = Traits()


def handler(responder: Responder, stopping: threading.Event, server: Traits = ORDINARY) -> type[BaseHTTPRequestHandler]:
    """The class of request handlers of a responder; `stopping` ends a stall."""

    class Handler(_Handler):
        fingerprint = responder
        stop = stopping
        traits = server

    return Handler


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    fingerprint: Responder
    stop: threading.Event
    traits: Traits

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        keys = {key for name in self.traits.reads if (key := self.headers.get(name, "").removeprefix("Bearer "))}
        if not keys:
            return self._error(401, "authentication_error", f"{self.traits.reads[0]} header is required")
        if self.traits.key and self.traits.key not in keys:
            return self._error(401, "authentication_error", "invalid x-api-key")
        try:
            return self._answer(json.loads(raw))
        except (BadRequest, ValueError) as error:
            return self._error(400, "invalid_request_error", str(error))

    def do_GET(self) -> None:
        self._error(404, "not_found_error", "Not found")

    def _answer(self, body: dict[str, Any]) -> None:
        path = self.path.partition("?")[0]
        if self.traits.drops_tools:
            body = {key: value for key, value in body.items() if key != "tools"}
        if path == "/v1/messages/count_tokens" and self.traits.counts:
            return self._json(200, {"input_tokens": speech.count(parse(body))})
        if path != "/v1/messages":
            return self._error(404, "not_found_error", "Not found")
        conversation = parse(body)
        require_max_tokens(body)
        reply = self.fingerprint.reply(conversation)
        if isinstance(reply.fault, ApiError):
            return self._refuse(reply.fault)
        return self._say(conversation, reply, stream=bool(body.get("stream")))

    def _say(self, conversation: ModelConversation, reply: ModelReply, *, stream: bool) -> None:
        whole = speech.message(conversation, reply)
        if not stream:
            return self._json(200, whole)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("cache-control", "no-cache")
        self.send_header("transfer-encoding", "chunked")
        self.send_header("request-id", f"req_{whole['id'][4:]}")
        self.end_headers()
        with suppress(ConnectionError):  # a client may go when it has heard enough
            self._stream(list(speech.events(whole)), reply)
        return None

    def _stream(self, events: list[speech.Event], reply: ModelReply) -> None:
        if reply.fault is None:
            return self._send(events)
        self._send(events[:_MIDDLE], last=False)
        match reply.fault:
            case BreaksOff(kind):
                self._send([speech.error(kind, "scripted")])
            case Unfinished():
                self._send([])
            case Stall():
                self.stop.wait()
                self.close_connection = True
            case Cut():
                self.close_connection = True
        return None

    def _send(self, events: Iterable[speech.Event], *, last: bool = True) -> None:
        for event in events:
            data = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        if last:
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _refuse(self, fault: ApiError) -> None:
        told = {"retry-after": fault.retry_after, "x-should-retry": fault.should_retry}
        headers = {name: value for name, value in told.items() if value}
        self._json(fault.status, speech.error(fault.kind, fault.message), headers)

    def _error(self, status: int, kind: str, text: str) -> None:
        self._json(status, speech.error(kind, text))

    def _json(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """No access log: the gateway in front keeps one."""
