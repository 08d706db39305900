"""The head of a request as RFC 9112 has it; what is ambiguous there is refused. Reads no socket.

The grammar is llhttp's. What it lets pass and a receiver must not is checked here: versions before
1.0 and after 1.1, targets that are no path, a missing or second `Host`, a second space in the first
line (httptools 0.9).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
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
    """Takes what the parser finds: the first value of each name, without a call of Python for each header."""

    def __init__(self) -> None:
        self.path = b""
        self.hosts = 0
        self.found: dict[bytes, bytes] = {}
        self.on_header: Callable[[bytes, bytes], object] = self.found.setdefault

    def on_url(self, path: bytes) -> None:
        self.path += path

    def headers(self) -> dict[str, str]:
        """Values by the names in small letters."""
        return {
            name.decode("ascii").lower(): value.decode("latin-1").strip(" \t") for name, value in self.found.items()
        }


class _Joiner(_Reader):
    """Takes every value, and joins those of one name by commas."""

    def __init__(self) -> None:
        super().__init__()
        self.on_header = self._join

    def _join(self, name: bytes, value: bytes) -> None:
        key, known = name.lower(), self.found.get(name.lower())
        if key == b"host":
            self.hosts += 1
        self.found[key] = value if known is None else known.rstrip(b" \t") + b", " + value


def read(data: bytes) -> Head:
    """Read a head, with the empty line at its end; raises BadHead."""
    if not _FIRST.fullmatch(data[: data.find(b"\r\n")]):
        raise BadHead("no HTTP request")
    reader = _Reader()
    parser, headers = _parsed(reader, data)
    if len(headers) + 2 != data.count(b"\n"):  # a header has no name
        reader = _Joiner()
        parser, headers = _parsed(reader, data)
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


def _parsed(reader: _Reader, data: bytes) -> tuple[httptools.HttpRequestParser, dict[str, str]]:
    parser = httptools.HttpRequestParser(reader)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass  # the offer of another protocol need not be taken up: RFC 9110, 7.8
    except httptools.HttpParserError as error:
        raise BadHead(f"no HTTP request: {error}") from error
    return parser, reader.headers()
