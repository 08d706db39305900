"""HTTP/1.1 over a unix socket, and the patience to ask again. Knows no call by name."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, TypeVar

from hive.agent.errors import HostUnavailable
from hive.agent.text import repaired

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to ask again and how long to wait in between, in seconds, doubling each time."""

    tries: int = 8
    first: float = 0.5
    longest: float = 30.0
    sleep: Callable[[float], None] = time.sleep

    def call(self, ask: Callable[[], T]) -> T:
        """Ask until there is an answer; the last Unavailable is raised."""
        for attempt in range(self.tries - 1):
            try:
                return ask()
            except HostUnavailable as error:
                pause = self.first * 2 ** min(attempt, 10)
                self.sleep(min(self.longest, max(pause, error.retry_after)))
        return ask()


DEFAULT_RETRY = RetryPolicy()
"""The default policy of a turn: about two minutes."""


class _UnixConnection(HTTPConnection):
    """An HTTP connection whose way to the server is a file."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass(frozen=True, slots=True)
class UnixHTTPClient:
    """A client for HTTP over one unix socket; each request has its own connection.

    `timeout` is the longest silence in seconds.
    """

    path: Path
    timeout: float = 120.0

    @contextmanager
    def post(self, target: str, body: object, *, token: str = "") -> Iterator[HTTPResponse]:
        """Send JSON and yield the response; every connection error is HostUnavailable."""
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = json.dumps(repaired(body), ensure_ascii=False).encode()
        with self.request("POST", target, data, headers) as response:
            yield response

    @contextmanager
    def request(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Iterator[HTTPResponse]:
        """Send bytes and yield the response; every connection error is HostUnavailable."""
        connection = _UnixConnection(self.path, self.timeout)
        try:
            connection.request(method, target, body, dict(headers))
            yield connection.getresponse()
        except (OSError, HTTPException) as error:
            raise HostUnavailable(f"{self.path.name}: {error or type(error).__name__}") from error
        finally:
            connection.close()


def read_json(response: HTTPResponse) -> dict[str, Any]:
    """The object in a response's body; empty where there is none, or something that is no JSON object."""
    try:
        data = json.loads(response.read())
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def retry_after(headers: Message) -> float:
    """The seconds of a Retry-After header; 0.0 without one, or for a date."""
    try:
        return max(0.0, float(headers.get("retry-after", "0")))
    except ValueError:
        return 0.0
