"""The model: the only place that knows the SDK, and the only one that holds the key.

The SDK is imported by who asks, not by who imports this: it takes more than a second and 70 MB.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forge.tls import bundle, context, is_untrusted, untrusted

if TYPE_CHECKING:
    import anthropic

log = logging.getLogger("hive.gateway.llm")

API = "https://api.anthropic.com"
TIMEOUT_SECONDS = 600.0
"""How long one whole answer may take to come, for a request that asks for no stream."""

SILENCE_SECONDS = 100.0
"""The longest silence in a stream, whose pings come all the time: less than the harness waits, so that it learns why."""

CONNECT_SECONDS = 10.0
PASSED_ON = frozenset(
    {
        *("cache_control", "max_tokens", "messages", "metadata", "output_config"),
        *("stop_sequences", "stream", "system", "thinking", "tools"),
    }
)
"""Keys of a request that a container decides; the model it asks for is not among them."""

STREAM, OBJECT = "text/event-stream", "application/json"
USED_IN = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
MAX_TOKENS = 100_000_000
"""What no single request can use."""

MAX_KEPT = 32 << 20
BYTES_OF_A_TOKEN = 4
"""For estimates: English text and source have three to four."""

STATUSES = {"overloaded_error": 529, "rate_limit_error": 429, "api_error": 500, "timeout_error": 504}
"""With which status an error in the middle of a stream would have come at its beginning."""

NO_API = frozenset({301, 302, 303, 307, 308, 404, 405})
"""Statuses that are not about a request unless the body has the API's form: something else is at that address."""

ANSWERED = ("retry-after", "x-should-retry")
"""Headers of a refusal by which a client knows whether and when to try again."""


class ModelFailed(Exception):
    """The model did not answer: `status` and `body` are the API's answer, in its own form.

    `unreachable` is why there was no answer at all, and empty otherwise.
    """

    def __init__(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None, *, unreachable: str = ""
    ) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body
        self.headers = headers or {}
        self.unreachable = unreachable


_NUMBER = re.compile(r"\[Errno -?\d+\] ")
"""The prefix of Python's system errors, which is left out."""


def unreachable(why: str) -> ModelFailed:
    """The failure of an unreachable model, in the API's form."""
    plain = "".join(c if c.isprintable() else " " for c in _NUMBER.sub("", why))
    words = " ".join(plain.split())[:200] or "no reason given"
    return ModelFailed(503, _error("api_error", f"the model is unreachable: {words}"), unreachable=words)


@dataclass(frozen=True, slots=True)
class StreamedReply:
    """An answer as it arrives: bytes in the API's form, a stream of events or one object."""

    content_type: str
    chunks: Iterator[bytes]


class Model:
    """One upstream: the real API, or a compatible server."""

    def __init__(self, *, url: str, key: str, silence: float = SILENCE_SECONDS) -> None:
        """`url` is empty for the real API; `silence` is how many seconds a stream may be silent."""
        self._url = url
        self._key = key
        self._silence = silence
        self._client: anthropic.Anthropic | None = None
        self._guard = threading.Lock()

    def warm(self) -> None:
        """Make the client before the first request needs it."""
        self._connect()

    def ask(self, model: str, request: Mapping[str, Any]) -> AbstractContextManager[StreamedReply]:
        """Pass a Messages request on, with the model's name replaced by `model`.

        Entering raises ModelFailed with the API's answer, 503 when it is unreachable, 400 for what cannot be sent.
        Nothing is retried here: each attempt is the caller's to count.
        """
        known = {key: value for key, value in request.items() if key in PASSED_ON}
        return self._ask({**known, "model": model})

    @contextmanager
    def _ask(self, body: dict[str, Any]) -> Iterator[StreamedReply]:
        import anthropic  # noqa: PLC0415  see the module's docstring
        import httpx2  # noqa: PLC0415

        read = self._silence if body.get("stream") else TIMEOUT_SECONDS
        retry = anthropic.Timeout(read, connect=CONNECT_SECONDS)
        with ExitStack() as stack:
            try:
                passing = self._connect().messages.with_streaming_response.create(**body, timeout=retry)
                response = stack.enter_context(passing)
            except anthropic.APIStatusError as error:
                if not isinstance(error.body, dict) and error.status_code in NO_API:
                    raise unreachable(f"its address answers {error.status_code}, as no model does") from error
                content = error.body if isinstance(error.body, dict) else _error("api_error", str(error)[:500])
                said = {name: error.response.headers[name] for name in ANSWERED if name in error.response.headers}
                raise ModelFailed(error.status_code, content, said) from error
            except (anthropic.APIConnectionError, httpx2.HTTPError) as error:
                why = str(error.__cause__ or error)
                raise unreachable(untrusted(self._url or API, why) if is_untrusted(why) else why) from error
            except (TypeError, ValueError, RecursionError) as error:
                # What cannot be written down was never sent: no trouble of the model's.
                words = f"the request cannot be sent: {type(error).__name__}"
                raise ModelFailed(400, _error("invalid_request_error", words)) from error
            content_type = response.headers.get("content-type", "").lower()
            if not content_type.startswith((STREAM, OBJECT)):
                raise unreachable(f"its address answers with {content_type or 'no content type'}, as no model does")
            yield StreamedReply(content_type, _until_cut(response.iter_bytes(), httpx2.HTTPError))

    def _connect(self) -> anthropic.Anthropic:
        import anthropic  # noqa: PLC0415

        with self._guard:
            if self._client is None:
                believing = anthropic.DefaultHttpxClient(verify=context()) if bundle() else None
                self._client = anthropic.Anthropic(
                    api_key=self._key,
                    base_url=self._url or None,
                    max_retries=0,
                    timeout=TIMEOUT_SECONDS,
                    http_client=believing,
                )
            return self._client

    def close(self) -> None:
        """Close connections."""
        if self._client is not None:
            self._client.close()


class Meter:
    """Counts the tokens of an answer while it passes, to its end or to where it is cut.

    What the API does not report is estimated, and marked as such.
    """

    def __init__(self, content_type: str = STREAM, request_bytes: int = 0) -> None:
        self.is_whole = False
        """Whether the answer came to its end: a stream that breaks off has no `message_stop`."""
        self.error: ModelFailed | None = None
        """The error that the API sent in the middle of a stream."""
        self._streams = content_type.startswith(STREAM)
        self._request_bytes = request_bytes
        self._in: int | None = None
        self._out: int | None = None
        self._doubtful = False
        self._written = 0
        self._rest = bytearray()

    @property
    def tokens_in(self) -> int:
        """Tokens that the model read, from the cache or not."""
        return self._request_bytes // BYTES_OF_A_TOKEN if self._in is None else self._in

    @property
    def tokens_out(self) -> int:
        """Tokens that the model wrote: in a cut answer the count comes last and is not there."""
        written = 0 if self.is_whole and self._out is not None else self._written // BYTES_OF_A_TOKEN
        return max(written, self._out or 0)

    @property
    def is_estimate(self) -> bool:
        """Whether the count is an estimate: the API did not report it, or reported nonsense."""
        return not self.is_whole or self._in is None or self._out is None or self._doubtful

    def see(self, chunk: bytes) -> None:
        """Look at the next bytes."""
        if len(self._rest) + len(chunk) > MAX_KEPT:
            self._written += len(chunk)
            return
        self._rest += chunk
        if self._streams:
            *lines, self._rest = self._rest.split(b"\n")
            for line in lines:
                if line.startswith(b"data:"):
                    self._take(_object(line[5:]))

    def end(self) -> None:
        """The answer has ended: a single object is read now."""
        if self._streams:
            return
        message = _object(self._rest)
        self.is_whole = message.get("type") == "message"
        self._written = len(self._rest)
        self._book(message.get("usage"))

    def _take(self, event: dict[str, Any]) -> None:
        match event.get("type"):
            case "message_start":
                message = event.get("message")
                self._book(message.get("usage") if isinstance(message, dict) else None)
            case "message_delta":
                self._book(event.get("usage"))
            case "content_block_delta" | "content_block_start":
                self._written += sum(len(text) for text in _texts(event))
            case "message_stop":
                self.is_whole = True
            case "error":
                told = event.get("error")
                kind = told.get("type") if isinstance(told, dict) else ""
                self.error = ModelFailed(STATUSES.get(str(kind), 500), event)

    def _book(self, usage: object) -> None:
        if not isinstance(usage, dict):
            return
        read = [self._count(usage[key]) for key in USED_IN if usage.get(key) is not None]
        if read:
            self._in = max(self._in or 0, sum(read))
        if usage.get("output_tokens") is not None:
            self._out = max(self._out or 0, self._count(usage["output_tokens"]))

    def _count(self, value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS:
            return value
        self._doubtful = True
        return 0


def _texts(event: Mapping[str, Any]) -> Iterator[str]:
    """The text of an event: text, thinking or a call."""
    for key in ("delta", "content_block"):
        part = event.get(key)
        for value in part.values() if isinstance(part, dict) else ():
            if isinstance(value, str):
                yield value


def _object(data: bytes | bytearray) -> dict[str, Any]:
    """A JSON object; empty for what is none, such as a line that was cut."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _until_cut(chunks: Iterator[bytes], cut: type[Exception]) -> Iterator[bytes]:
    """A stream that breaks off simply ends: its reader knows by the missing `message_stop`."""
    try:
        yield from chunks
    except cut as error:
        log.warning("model_stream_cut error=%r", str(error)[:200])


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}
