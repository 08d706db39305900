"""A way for a program of a turn to its model: a port on the loopback whose requests go to `model.sock`.

A program gets a key for this port that dies with the turn, and never the run's token: its commands can read its environment,
and the token would let them do what the harness may do. Each answer passes through as it comes; of it is kept how much it
used, and why the gateway refused.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from hive.agent.errors import ContextOverflow, HostUnavailable, LeaseLost, Paused, TurnEnded
from hive.agent.model_answer import Answer, AnswerReader
from hive.agent.model_client import refusal
from hive.agent.unix_http import UnixHTTPClient

MAX_REQUEST = 8 << 20
MAX_REFUSAL = 64 << 10
OVER = "The turn is over."

_OURS = {
    *("authorization", "x-api-key", "host", "content-length", "accept-encoding"),
    *(
        "connection",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ),
}
"""Headers that are not passed on: what belongs to one connection, and the program's key."""

_PASSED_BACK = ("content-type", "retry-after", "x-should-retry", "request-id", "x-request-id")

Refusal = HostUnavailable | LeaseLost | Paused | TurnEnded | ContextOverflow


class ModelRelay:
    """What the model answered to the program so far. The main thread reads, the threads of requests write."""

    def __init__(self, door: UnixHTTPClient, token: str) -> None:
        self.door = door
        self.token = token
        self.key = secrets.token_urlsafe(32)
        self.port = 0
        self.answered = 0
        """How many requests for a reply got one."""

        self.most: int | None = None
        """How many may get one; `is_spent` is whether the program wanted more."""

        self.is_spent = False

        self.refusal: Refusal | None = None
        """Why the last one got no reply, None if it got one."""

        self.is_over = False
        self._answers: deque[Answer] = deque(maxlen=100)
        self._changed = threading.Condition()

    @property
    def url(self) -> str:
        """The base URL, as a client of the Messages API wants it."""
        return f"http://127.0.0.1:{self.port}"

    def check(self) -> None:
        """Raise LeaseLost or Paused if the gateway said so: asking again is useless then."""
        if isinstance(self.refusal, LeaseLost | Paused):
            raise self.refusal

    def answer(self, number: str, *, wait: float = 0.0) -> Answer | None:
        """The whole answer whose message has this id, None if it is not whole after so many seconds."""

        def found() -> Answer | None:
            return next((answer for answer in self._answers if answer.id == number), None)

        with self._changed:
            return self._changed.wait_for(found, wait)

    def take(self) -> Answer | None:
        """The oldest whole answer that was not taken yet."""
        return self._answers.popleft() if self._answers else None

    def keep(self, answer: Answer) -> None:
        """Remember a whole answer."""
        with self._changed:
            self.refusal = None
            self.answered += 1
            self._answers.append(answer)
            self._changed.notify_all()


@contextmanager
def model_relay(door: UnixHTTPClient, token: str) -> Iterator[ModelRelay]:
    """Listen on a free port of 127.0.0.1 as long as the context lasts; `token` is the run's."""
    relay = ModelRelay(door, token)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(relay)) as server:
        relay.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True, name="model-relay")
        thread.start()
        try:
            yield relay
        finally:
            relay.is_over = True
            server.shutdown()
            thread.join()


def _handler(owner: ModelRelay) -> type[BaseHTTPRequestHandler]:
    class Handler(_RelayHandler):
        relay = owner

    return Handler


class _RelayHandler(BaseHTTPRequestHandler):
    """One connection of the program."""

    protocol_version = "HTTP/1.1"
    relay: ModelRelay
    timeout = 600
    is_answering = False

    def do_HEAD(self) -> None:
        """Somebody listens: Claude Code asks before anything else."""
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self._pass_on(None)

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MAX_REQUEST:
            self.close_connection = True
            self._refuse(413, "request_too_large", f"A request has a length, of {MAX_REQUEST >> 20} MiB at the most.")
            return
        self._pass_on(self.rfile.read(int(length)))

    def _pass_on(self, body: bytes | None) -> None:
        relay = self.relay
        told = (self.headers.get("authorization", "").removeprefix("Bearer "), self.headers.get("x-api-key", ""))
        if not any(secrets.compare_digest(relay.key.encode(), key.encode()) for key in told):
            return self._refuse(401, "authentication_error", "This key is not the turn's.")
        if relay.is_over:
            return self._refuse(403, "permission_error", OVER)
        is_question = body is not None and self.path.partition("?")[0] == "/v1/messages"
        if is_question and relay.most is not None and relay.answered >= relay.most:
            relay.is_spent = True
            return self._refuse(403, "permission_error", OVER)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OURS}
        headers["Authorization"] = f"Bearer {relay.token}"
        try:
            with relay.door.request(self.command, self.path, body, headers) as response:
                self._answer(response, is_question=is_question)
        except HostUnavailable as error:
            if is_question:
                relay.refusal = error
            self._break_off(str(error))
        return None

    def _answer(self, response: HTTPResponse, *, is_question: bool) -> None:
        if response.status != 200:
            data = response.read(MAX_REFUSAL)
            if is_question:
                self.relay.refusal = refusal(response.status, response.headers, _object(data))
            return self._send(response.status, dict(response.headers.items()), data)
        reader = AnswerReader(response.getheader("content-type", "")) if is_question else None
        self.send_response(200)
        self._headers(dict(response.headers.items()))
        self.send_header("transfer-encoding", "chunked")
        self.is_answering = True
        self._finish(b"")
        while (chunk := response.read1(1 << 16)) and not self.close_connection:
            self._note(reader.read(chunk) if reader is not None else None)
            self._write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if not self.close_connection:
            self._note(reader.end() if reader is not None else None)
            self._write(b"0\r\n\r\n")
        self.is_answering = False
        return None

    def _note(self, answer: Answer | None) -> None:
        if answer is not None:
            self.relay.keep(answer)

    def _finish(self, data: bytes) -> None:
        """Send the headers, and what comes first after them."""
        try:
            self.end_headers()
        except OSError:
            self.close_connection = True
        self._write(data)

    def _write(self, data: bytes) -> None:
        """Send on; a program that has gone is left alone."""
        try:
            self.wfile.write(data)
        except OSError:
            self.close_connection = True

    def _break_off(self, sentence: str) -> None:
        """The gateway is away: in the middle of an answer the connection is cut, and the program asks again if it wants."""
        if self.is_answering:
            self.close_connection = True
        else:
            self._refuse(502, "api_error", sentence)

    def _refuse(self, status: int, kind: str, sentence: str) -> None:
        data = json.dumps({"type": "error", "error": {"type": kind, "message": sentence}}).encode()
        self._send(status, {"content-type": "application/json"}, data)

    def _send(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response(status)
        self._headers(headers)
        self.send_header("content-length", str(len(data)))
        self._finish(data)

    def _headers(self, headers: dict[str, str]) -> None:
        for name, value in headers.items():
            if name.lower() in _PASSED_BACK:
                self.send_header(name, value)

    def log_message(self, *_: object) -> None:
        """No access log: the gateway keeps one."""


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
