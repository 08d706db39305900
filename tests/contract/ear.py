"""A receiver of deliveries on loopback: keeps them as they came, and waits for those that are still on their way."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Arrival:
    """One delivery as it came."""

    hook: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        """What it says."""
        return json.loads(self.raw)

    @property
    def event(self) -> str:
        """Its kind and action."""
        lower = {key.lower(): value for key, value in self.headers.items()}
        kind = lower.get("x-forgejo-event-type") or lower["x-gitea-event-type"]
        action = self.body.get("action")
        return f"{kind}.{action}" if action else kind


@dataclass
class Ear:
    """What was heard; the hook of an arrival is the path that it came to."""

    url: str
    heard: list[Arrival] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    def mark(self) -> int:
        """Where the next arrival will be."""
        with self.came:
            return len(self.heard)

    def take(self, arrival: Arrival) -> None:
        """Keep an arrival."""
        with self.came:
            self.heard.append(arrival)
            self.came.notify_all()

    def wait(self, event: str, mark: int, nth: int, seconds: float, *, hook: str = "org") -> Arrival | None:
        """The nth arrival of an event after a mark; None if it does not come in time."""

        def found() -> list[Arrival]:
            return [one for one in self.heard[mark:] if one.hook == hook and one.event == event]

        with self.came:
            self.came.wait_for(lambda: len(found()) > nth, timeout=seconds)
            return found()[nth] if len(found()) > nth else None


@contextmanager
def listening(host: str) -> Iterator[Ear]:
    """An ear on a free port; `host` is how the forge finds this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            # Kept before it is answered: the next one is sent as soon as that is done.
            ear.take(Arrival(self.path.strip("/"), dict(self.headers), raw))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((host, 0), Handler) as server:
        ear = Ear(f"http://{host}:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield ear
        finally:
            server.shutdown()
            thread.join()
