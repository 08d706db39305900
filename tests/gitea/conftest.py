"""A server that says what a test tells it to: every fault that a forge, or what stands before it, can have."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from forge.gitea.admin import GiteaAdmin
from forge.gitea.client import Client
from forge.gitea.operator import GiteaOperator
from forge.gitea.reader import GiteaReader
from forge.gitea.writer import GiteaForge
from forge.models import User

TOKEN = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True)
class Answer:
    """One answer: `cut` bytes are promised and never sent, `silent` is none at all."""

    status: int
    body: bytes
    headers: dict[str, str]
    cut: int = 0
    silent: bool = False


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    port: int

    def __str__(self) -> str:
        return f"{self.method} {self.path.removeprefix('/api/v1')}"


@dataclass
class Wire:
    """Says one answer for each request, the last one for ever, and keeps what it was asked."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def say(
        self, body: object = None, status: int = 200, *, kind: str = "application/json", cut: int = 0, **headers: str
    ) -> Wire:
        """Add an answer; a body that is no bytes is sent as JSON, headers are given with underscores."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append(Answer(status, data, {"Content-Type": kind, **more}, cut))
        return self

    def say_nothing(self) -> Wire:
        """Let a request wait until the test is over."""
        self.answers.append(Answer(0, b"", {}, silent=True))
        return self

    def anew(self) -> Wire:
        """Forget everything."""
        self.answers.clear()
        self.asked.clear()
        return self

    def heard(self) -> list[str]:
        """The requests so far, in words."""
        return [str(asked) for asked in self.asked]

    def bodies(self, words: str) -> list[Any]:
        """What was sent with the requests of this method and path."""
        return [asked.body for asked in self.asked if str(asked) == words]


class Handler(BaseHTTPRequestHandler):
    """Hands a request to the wire and its answer back."""

    protocol_version = "HTTP/1.1"
    timeout = 20
    wbufsize = -1  # head and body in one packet
    server: Server

    def answer(self) -> None:
        wire, url = self.server.wire, urlsplit(self.path)
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        place = len(wire.asked)
        body = json.loads(sent) if sent else None
        wire.asked.append(Asked(self.command, url.path, query, dict(self.headers), body, self.client_address[1]))
        answer = wire.answers[min(place, len(wire.answers) - 1)]
        if answer.silent:
            wire.over.wait(self.timeout)
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body) + answer.cut))
        self.end_headers()
        self.wfile.write(b"" if answer.status == 204 else answer.body)
        self.close_connection = self.close_connection or bool(answer.cut)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


for verb in ("GET", "POST", "PUT", "PATCH", "DELETE"):
    setattr(Handler, f"do_{verb}", Handler.answer)


class Server(ThreadingHTTPServer):
    """One wire on loopback."""

    daemon_threads = True

    def __init__(self, wire: Wire) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.wire = wire


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    with Server(wire) as server:
        wire.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield wire
        wire.over.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def client(wire: Wire) -> Iterator[Client]:
    """The transport alone."""
    client = Client(wire.url, token=TOKEN, seconds=5)
    yield client
    client.close()


@pytest.fixture
def reader(wire: Wire) -> Iterator[GiteaReader]:
    with GiteaReader(name="work", url=wire.url, token=TOKEN, seconds=5) as reader:
        yield reader


@pytest.fixture
def forge(wire: Wire) -> Iterator[GiteaForge]:
    """The deeds of the account 7, iris."""
    with GiteaForge(name="work", url=wire.url, token=TOKEN, me=User(7, "iris"), seconds=5) as forge:
        yield forge


@pytest.fixture
def operator(wire: Wire) -> Iterator[GiteaOperator]:
    with GiteaOperator(name="work", url=wire.url, token=TOKEN, seconds=5) as operator:
        yield operator


@pytest.fixture
def admin(wire: Wire) -> Iterator[GiteaAdmin]:
    with GiteaAdmin(name="work", url=wire.url, login="root", password="pass wörd", seconds=5) as admin:
        yield admin
