"""The model: the only place that knows the SDK, and the only one that holds the key.

The SDK is imported by who asks, not by who imports this: it takes more than a second and 70 MB.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import anthropic

log = logging.getLogger("hive.llm")

TIMEOUT_SECONDS = 600.0
PASSED_ON = frozenset(
    {
        *("cache_control", "max_tokens", "messages", "metadata", "output_config"),
        *("stop_sequences", "stream", "system", "thinking", "tools"),
    }
)
"""Keys of a request that a container decides; the model it asks for is not among them."""

ANSWERED = ("retry-after", "x-should-retry")
"""Headers of a refusal by which a client knows whether and when to try again."""


class ModelFailed(Exception):
    """The model did not answer: `status` and `body` are what its API said, in its own form."""

    def __init__(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body
        self.headers = headers or {}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it arrives: bytes of the API's own form, a stream of events or one object."""

    content_type: str
    chunks: Iterator[bytes]


class Model:
    """One upstream: the real API, or a server that speaks like it."""

    def __init__(self, *, url: str, key: str) -> None:
        """`url` is empty for the real API."""
        self._url = url
        self._key = key
        self._client: anthropic.Anthropic | None = None
        self._guard = threading.Lock()

    def warm(self) -> None:
        """Make the client before the first request needs it."""
        self._connect()

    def ask(self, model: str, request: Mapping[str, Any]) -> AbstractContextManager[Reply]:
        """Pass a Messages request on, under the name of `model`.

        Entering raises ModelFailed with what the API said, or 503 when it cannot be reached.
        Nothing is tried again here: each attempt is the caller's to count.
        """
        known = {key: value for key, value in request.items() if key in PASSED_ON}
        return self._ask({**known, "model": model})

    @contextmanager
    def _ask(self, body: dict[str, Any]) -> Iterator[Reply]:
        import anthropic  # noqa: PLC0415  see the module's docstring
        import httpx2  # noqa: PLC0415

        try:
            with self._connect().messages.with_streaming_response.create(**body) as response:
                yield Reply(
                    response.headers.get("content-type", ""), _until_cut(response.iter_bytes(), httpx2.HTTPError)
                )
        except anthropic.APIStatusError as error:
            content = error.body if isinstance(error.body, dict) else _error("api_error", str(error))
            said = {name: error.response.headers[name] for name in ANSWERED if name in error.response.headers}
            raise ModelFailed(error.status_code, content, said) from error
        except (anthropic.APIConnectionError, httpx2.HTTPError) as error:
            raise ModelFailed(503, _error("overloaded_error", f"the model cannot be reached: {error}")) from error

    def _connect(self) -> anthropic.Anthropic:
        import anthropic  # noqa: PLC0415

        with self._guard:
            if self._client is None:
                self._client = anthropic.Anthropic(
                    api_key=self._key, base_url=self._url or None, max_retries=0, timeout=TIMEOUT_SECONDS
                )
            return self._client

    def close(self) -> None:
        """Close connections."""
        if self._client is not None:
            self._client.close()


class Meter:
    """Counts tokens in an answer while it passes."""

    def __init__(self) -> None:
        self.tokens_in = 0
        self.tokens_out = 0
        self.is_whole = False
        """Whether the answer came to its end: a stream that breaks off has no `message_stop`."""
        self._rest = b""

    def see(self, chunk: bytes) -> None:
        """Look at the next bytes of a stream of events."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self.is_whole |= line.startswith(b"data:") and b'"message_stop"' in line
            if line.startswith(b"data:") and b'"usage"' in line:
                self._book(line[5:])

    def _book(self, data: bytes) -> None:
        try:
            event = json.loads(data)
        except ValueError:  # a line that was cut carries no usage
            return
        usage = event.get("usage") or (event.get("message") or {}).get("usage") or {}
        sums = [usage.get(f"{kind}input_tokens") or 0 for kind in ("", "cache_creation_", "cache_read_")]
        self.tokens_in = max(self.tokens_in, sum(sums))
        self.tokens_out = max(self.tokens_out, usage.get("output_tokens") or 0)


def _until_cut(chunks: Iterator[bytes], cut: type[Exception]) -> Iterator[bytes]:
    """A stream that breaks off simply ends: its reader knows by the missing `message_stop`."""
    try:
        yield from chunks
    except cut as error:
        log.warning("model_stream_cut error=%r", str(error)[:200])


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}
