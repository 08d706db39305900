"""Git for a container: proxies smart HTTP to the forge with the agent's token. What a push holds is checked before this.

The forge's own protection stands behind the checks.
"""

from __future__ import annotations

import base64
import http.client
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import urlsplit

from forge.tls import context, is_untrusted, untrusted
from hive.gateway.push_protocol import NotAllowed
from hive.git_mirror.mirror import Login

FETCH, PUSH = "git-upload-pack", "git-receive-pack"
PATHS = ("info/refs", FETCH, PUSH)
QUERIES = ("", f"service={FETCH}", f"service={PUSH}")
TIMEOUT_SECONDS = 120
CHUNK = 1 << 16


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


def proxy(forge_url: str, login: Login, asked: GitRequest) -> GitResponse:
    """Proxy a request; raises NotAllowed before anything reaches the forge, OSError if the forge is unavailable."""
    if asked.path not in PATHS or asked.query not in QUERIES:
        raise NotAllowed("no such part of git's protocol")
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
    body = _body(asked.body) if asked.method == "POST" else None
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


def _body(body: BinaryIO) -> Iterator[bytes]:
    while chunk := body.read(CHUNK):
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
