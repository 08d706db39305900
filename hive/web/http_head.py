"""The head of a request as RFC 9112 has it; what is ambiguous there is refused. Reads no socket.

The grammar is llhttp's. What it lets pass and a receiver must not is checked here: versions before
1.0 and after 1.1, targets that are no path, a missing or second `Host`, a second space in the first
line (httptools 0.9).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import httptools

_FIRST = re.compile(rb"[A-Z-]+ /[^ #]* HTTP/1\.[01]")


@dataclass(frozen=True, slots=True)
class Head:
    """What stands before a body of `length` bytes; names of headers are in small letters, what came twice is joined by commas."""

    method: str
    path: str
    headers: Mapping[str, str]
    length: int
    closes: bool
    """Whether the connection ends with the answer."""


class BadHead(Exception):
    """Bytes that are no request, or one that two readers might read in two ways."""


class _Reader:
    """Takes what the parser finds."""

    def __init__(self) -> None:
        self.path = b""
        self.headers: dict[str, str] = {}
        self.hosts = 0

    def on_url(self, path: bytes) -> None:
        self.path += path

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("ascii").lower(), value.decode("latin-1").strip(" \t")
        self.hosts += key == "host"
        known = self.headers.get(key)
        self.headers[key] = text if known is None else f"{known}, {text}"


def read(data: bytes) -> Head:
    """Read a head, with the empty line at its end; raises BadHead."""
    if not _FIRST.fullmatch(data[: data.find(b"\r\n")]):
        raise BadHead("no HTTP request")
    reader = _Reader()
    parser = httptools.HttpRequestParser(reader)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass  # the offer of another protocol need not be taken up: RFC 9110, 7.8
    except httptools.HttpParserError as error:
        raise BadHead(f"no HTTP request: {error}") from error
    headers = reader.headers
    if reader.hosts > 1 or (not headers.get("host") and parser.get_http_version() == "1.1"):
        raise BadHead("a request should name one host")
    if "transfer-encoding" in headers:
        raise BadHead("a body has to say its length")
    asked = {word.strip().lower() for word in headers.get("connection", "").split(",")}
    closes = "close" in asked or parser.get_http_version() == "1.0"
    return Head(
        parser.get_method().decode("ascii"),
        reader.path.decode("ascii"),
        headers,
        int(headers.get("content-length", "0")),
        closes,
    )
