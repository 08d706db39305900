"""Git for a container: proxies smart HTTP to the forge with the agent's token, and checks pushes.

A container may read the repositories of its run and push branches with its own prefix; it may delete
nothing and push no other reference. The forge's own protection stands behind this.
"""

from __future__ import annotations

import base64
import http.client
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import urlsplit

from forge.tls import context, is_untrusted, untrusted
from hive.git_mirror.mirror import Login

FETCH, PUSH = "git-upload-pack", "git-receive-pack"
PATHS = ("info/refs", FETCH, PUSH)
QUERIES = ("", f"service={FETCH}", f"service={PUSH}")
ZERO = "0" * 40
TIMEOUT_SECONDS = 120
CHUNK = 1 << 16
MAX_COMMANDS = 1 << 16
_LENGTH = re.compile(rb"[0-9a-fA-F]{4}")
_SHALLOW = re.compile(rb"shallow [0-9a-f]{40}\n?")
_COMMAND = re.compile(rb"([0-9a-f]{40}) ([0-9a-f]{40}) ([^\x00\n]+)(?:\x00(.*))?\n?", re.DOTALL)


class NotAllowed(Exception):
    """A container asked git for something that it was not granted."""


@dataclass(frozen=True, slots=True)
class GitResponse:
    """The forge's answer; `chunks` has to be read to its end or closed, and raises OSError if the forge breaks off."""

    status: int
    headers: list[tuple[str, str]]
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class GitRequest:
    """One request of a git client. `length` is None for a body in chunks."""

    method: str
    repo: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: BinaryIO
    length: int | None


def proxy(forge_url: str, login: Login, asked: GitRequest, branch_prefix: str) -> GitResponse:
    """Proxy a request; raises NotAllowed before anything reaches the forge, OSError if the forge is unavailable."""
    if asked.path not in PATHS or asked.query not in QUERIES:
        raise NotAllowed("no such part of git's protocol")
    start = b""
    if asked.path == PUSH:
        if asked.headers.get("Content-Encoding", "identity") != "identity":
            raise NotAllowed("a push has to come uncompressed")
        start = commands(asked.body, branch_prefix)
    parts = urlsplit(forge_url)
    connection = _connection(forge_url)
    target = f"{parts.path}/{asked.repo}.git/{asked.path}" + (f"?{asked.query}" if asked.query else "")
    secret = base64.b64encode(f"{login.name}:{login.token}".encode()).decode()
    headers = {"Authorization": f"Basic {secret}", "Host": parts.netloc}
    for name in ("Content-Type", "Content-Encoding", "Accept", "Git-Protocol", "User-Agent"):
        if asked.headers.get(name):
            headers[name] = asked.headers[name]
    if asked.length is not None:
        headers["Content-Length"] = str(asked.length)
    body = _body(start, asked.body) if asked.method == "POST" else None
    try:
        connection.request(
            asked.method, target, body=body, headers=headers, encode_chunked=body is not None and asked.length is None
        )
        response = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        why = untrusted(forge_url, error) if is_untrusted(error) else error
        raise OSError(f"the forge does not answer: {why}") from error
    kept = [(name, value) for name, value in response.getheaders() if name.lower() in ("content-type", "cache-control")]
    return GitResponse(response.status, kept, _chunks(connection, response))


def _connection(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme != "https":
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS, context=context())


def commands(body: BinaryIO, branch_prefix: str) -> bytes:
    """Read the commands of a push up to their end and check each; returns the bytes that were read."""
    seen = b""
    while True:
        head = body.read(4)
        seen += head
        if head in (b"", b"0000"):
            return seen
        size = int(head, 16) if _LENGTH.fullmatch(head) else 0
        if size <= len(head):  # a length below 4 belongs to other parts of the protocol, and would truncate the check
            raise NotAllowed("not a push")
        line = body.read(size - len(head))
        seen += line
        if len(seen) > MAX_COMMANDS:
            raise NotAllowed("too many references in one push")
        if not _SHALLOW.fullmatch(line):
            check(line, branch_prefix)


def check(line: bytes, branch_prefix: str) -> None:
    """One command of a push; raises NotAllowed with a sentence for the agent."""
    match = _COMMAND.fullmatch(line)
    if match is None:
        raise NotAllowed("not a push")
    if b"push-options" in (match[4] or b"").split():
        raise NotAllowed(
            "options of a push are not passed on: a forge may be told to change more than a branch by them"
        )
    new, ref = match[2].decode(), match[3].decode("utf-8", "replace")
    if not ref.startswith(f"refs/heads/{branch_prefix}"):
        raise NotAllowed(f"only branches below {branch_prefix} may be pushed")
    if new == ZERO:
        raise NotAllowed("branches are not deleted from a container")


def _body(start: bytes, rest: BinaryIO) -> Iterator[bytes]:
    if start:
        yield start
    while chunk := rest.read(CHUNK):
        yield chunk


def _chunks(connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body as it arrives; raises OSError if it is cut: git waits forever for the rest of an answer that looks complete."""
    try:
        while chunk := response.read1(CHUNK):
            yield chunk
        if response.length:  # http.client's read1 does not report missing bytes (CPython 3.11 to 3.14)
            raise OSError(f"the forge broke off {response.length} bytes before the end")
    except http.client.HTTPException as error:
        raise OSError(f"the forge broke off: {error!r}") from error
    finally:
        response.close()
        connection.close()
