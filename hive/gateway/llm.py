"""The model: the only place that knows the SDK, and the only one that holds the key.

The SDK is imported by who asks, not by who imports this: it takes more than a second and 70 MB.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forge.tls import bundle, context, is_untrusted, untrusted
from hive.gateway.meter import OBJECT, STREAM
from hive.gateway.model_errors import ModelFailed, error_body, unreachable

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

NO_API = frozenset({301, 302, 303, 307, 308, 404, 405})
"""Statuses that are not about a request unless the body has the API's form: something else is at that address."""

ANSWERED = ("retry-after", "x-should-retry")
"""Headers of a refusal by which a client knows whether and when to try again."""


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
                content = error.body if isinstance(error.body, dict) else error_body("api_error", str(error)[:500])
                said = {name: error.response.headers[name] for name in ANSWERED if name in error.response.headers}
                raise ModelFailed(error.status_code, content, said) from error
            except (anthropic.APIConnectionError, httpx2.HTTPError) as error:
                why = str(error.__cause__ or error)
                raise unreachable(untrusted(self._url or API, why) if is_untrusted(why) else why) from error
            except (TypeError, ValueError, RecursionError) as error:
                # What cannot be written down was never sent: no trouble of the model's.
                words = f"the request cannot be sent: {type(error).__name__}"
                raise ModelFailed(400, error_body("invalid_request_error", words)) from error
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


def _until_cut(chunks: Iterator[bytes], cut: type[Exception]) -> Iterator[bytes]:
    """A stream that breaks off simply ends: its reader knows by the missing `message_stop`."""
    try:
        yield from chunks
    except cut as error:
        log.warning("model_stream_cut error=%r", str(error)[:200])
