"""A proxy on loopback before a forge: passes everything on as it is, and keeps what was asked."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_PREFIX = "/api/v1"
_OF_THE_ROAD = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive"})


@dataclass(frozen=True)
class Asked:
    """One request; the path is escaped and without the beginning that all have."""

    method: str
    path: str
    query: tuple[str, ...]
    body: Any


@dataclass
class Gate:
    """Where the gate is, and what came through."""

    url: str
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def before(url: str) -> Iterator[Gate]:
    """A gate before the forge at `url`."""
    there = urlsplit(url)
    kind = http.client.HTTPSConnection if there.scheme == "https" else http.client.HTTPConnection

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            self.forge = kind(there.netloc, timeout=60)

        def finish(self) -> None:
            self.forge.close()
            super().finish()

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path.startswith(_PREFIX):
                gate.asked.append(_read(self.command, self.path, body))
            headers = dict(self.headers.items()) | {"Host": there.netloc}
            self.forge.request(self.command, there.path + self.path, body or None, headers)
            with self.forge.getresponse() as answer:
                text = answer.read()
                self.send_response(answer.status, answer.reason)
                for name, value in answer.getheaders():
                    if name.lower() not in _OF_THE_ROAD:
                        self.send_header(name, value)
            if answer.status != 204:
                self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass  # noqa: N815  # http.server has these names

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with _Server(("127.0.0.1", 0), Handler) as server:
        gate = Gate(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield gate
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    # Clients keep their connections for the next question: nobody waits for them to let go.
    daemon_threads = True
    block_on_close = False


def _read(method: str, target: str, body: bytes) -> Asked:
    parts = urlsplit(target)
    query = tuple(sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}))
    return Asked(method, parts.path.removeprefix(_PREFIX), query, json.loads(body) if body else None)
