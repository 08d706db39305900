"""What passes between the loop and those who answer: requests, answers, and the connections that they belong to."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class Request:
    """One request; header names are in lower case. `fault` is why its body was not read."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    peer: str
    fault: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """The response to a request; `body` is JSON unless `kind` says otherwise."""

    status: int
    body: bytes = b""
    kind: str = "application/json"

    def encode(self, *, close: bool) -> bytes:
        """The bytes on the wire."""
        return _encoded(self, close)


@lru_cache(maxsize=16)  # nearly all are one answer
def _encoded(answer: Response, close: bool) -> bytes:
    head = (
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\nContent-Type: {answer.kind}\r\n"
        f"Content-Length: {len(answer.body)}\r\n{'Connection: close' + chr(13) + chr(10) if close else ''}\r\n"
    )
    return head.encode() + answer.body


@dataclass(slots=True, eq=False)
class Connection:
    """One client. It is read until a request is whole, then it waits for the answer."""

    sock: socket.socket
    peer: str
    since: float
    """Since when it keeps us waiting: it was accepted, its last response was sent, or a request started to arrive."""
    deadline: float
    proven: bool = False
    """Whether it has brought something that was accepted."""
    data: bytearray = field(default_factory=bytearray)
    out: bytes = b""
    need: int = 0
    waits: bool = False
    last: bool = False
    """The next answer is the last one."""
    deaf: bool = False
    """What still comes is not read as a request."""
    watched: int = selectors.EVENT_READ
    """What the loop waits for on its socket."""


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A request that waits for its answer."""

    request: Request
    connection: Connection
