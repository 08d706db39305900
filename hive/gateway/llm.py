"""The model: the only place that talks to a model's server. Repeats no request, and looks into no answer.

The HTTP library is imported by who asks, not by who imports this: `hive work` needs it only where a model reviews.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from forge.tls import bundle, context, is_untrusted, untrusted
from hive.gateway.meter import OBJECT, STREAM
from hive.gateway.model_errors import ModelFailed, error_body, refusal, unreachable

if TYPE_CHECKING:
    import httpx2

log = logging.getLogger("hive.gateway.llm")

API = "https://api.anthropic.com"
TIMEOUT_SECONDS = 600.0
"""How long one whole answer may take to come, for a request that asks for no stream."""

SILENCE_SECONDS = 100.0
"""The longest silence in a stream, whose pings come all the time: less than the harness waits, so that it learns why."""

CONNECT_SECONDS = 10.0
IDLE_CONNECTIONS = 20
"""Connections that are kept for the next request, where connecting takes several round trips."""

MESSAGES, COUNT, MODELS = "/v1/messages", "/v1/messages/count_tokens", "/v1/models"
MAX_REFUSAL = 1 << 20
"""Bytes that are read of a refusal."""

SUBSCRIPTION_KEY, SUBSCRIPTION_BETA = "sk-ant-oat", "oauth-2025-04-20"
"""How the token of `claude setup-token` begins, and the beta by which the API takes it."""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A request as the server gets it, apart from the key. `query` is what stood behind the path."""

    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    path: str = MESSAGES
    query: str = ""

    @property
    def is_stream(self) -> bool:
        """Whether the answer is wanted as a stream of events."""
        return self.body.get("stream") is True

    @property
    def digest(self) -> str:
        """What tells this conversation from another one; a client's instructions may differ from one try to the next."""
        return sha256(json.dumps(self.body["messages"], sort_keys=True).encode()).hexdigest()


PROBE = ModelRequest(
    {"max_tokens": 16, "messages": [{"role": "user", "content": "Say OK."}], "stream": True},
    {"anthropic-version": "2023-06-01"},
)
"""A request that every server answers which answers any."""


@dataclass(frozen=True, slots=True)
class StreamedReply:
    """An answer as it arrives: bytes in the API's form, a stream of events or one object."""

    content_type: str
    chunks: Iterator[bytes]


class Model:
    """One server that speaks the Messages API: the real one, or a compatible one."""

    def __init__(self, *, url: str = "", header: str = "auto", silence: float = SILENCE_SECONDS) -> None:
        """`url` is empty for the real API; `silence` is how many seconds a stream may be silent.

        `header` is where the key goes: `x-api-key`, `bearer`, or `auto` for what is usual at this address.
        """
        self._url = (url or API).rstrip("/").removesuffix("/v1")
        usual = "both" if url else "x-api-key"
        self._header = usual if header == "auto" else header
        self._silence = silence
        self._client: httpx2.Client | None = None
        self._guard = threading.Lock()

    def warm(self) -> None:
        """Make the client before the first request needs it."""
        self._connect()

    def ask(self, request: ModelRequest, key: str) -> AbstractContextManager[StreamedReply]:
        """Pass a request on.

        Entering raises ModelFailed with the API's answer, 503 when it is unreachable, 400 for what cannot be sent.
        Nothing is retried here: each attempt is the caller's to count.
        """
        return self._ask(request, key)

    @contextmanager
    def _ask(self, request: ModelRequest, key: str) -> Iterator[StreamedReply]:
        import httpx2  # noqa: PLC0415  see the module's docstring

        read = self._silence if request.is_stream else TIMEOUT_SECONDS
        wait = httpx2.Timeout(read, connect=CONNECT_SECONDS)
        with ExitStack() as stack:
            try:
                content = json.dumps(request.body, ensure_ascii=False, allow_nan=False).encode()
                headers = {**request.headers, "content-type": OBJECT, "accept-encoding": "identity"}
                passing = self._connect().stream(
                    "POST",
                    f"{self._url}{request.path}{'?' if request.query else ''}{request.query}",
                    content=content,
                    headers=self._with_key(headers, key),
                    timeout=wait,
                )
                response = stack.enter_context(passing)
                if response.status_code != 200:
                    raise self._refusal(response)
            except httpx2.HTTPError as error:
                why = str(error.__cause__ or error) or type(error).__name__
                words = untrusted(self._url, why) if is_untrusted(why) else why
                unsent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
                raise unreachable(words, was_sent=not unsent) from error
            except (TypeError, ValueError, RecursionError) as error:
                # What cannot be written down was never sent: no trouble of the model's.
                words = f"the request cannot be sent: {type(error).__name__}"
                raise ModelFailed(400, error_body("invalid_request_error", words)) from error
            content_type = response.headers.get("content-type", "").lower()
            if not content_type.startswith((STREAM, OBJECT)):
                raise unreachable(f"its address answers with {content_type or 'no content type'}, as no model does")
            yield StreamedReply(content_type, _until_cut(response.iter_bytes(), httpx2.HTTPError))

    def _with_key(self, headers: dict[str, str], key: str) -> dict[str, str]:
        """The headers of a request with the key in them; without a key there is none."""
        if not key:
            return headers
        if key.startswith(SUBSCRIPTION_KEY):
            betas = [beta for beta in (headers.get("anthropic-beta", ""), SUBSCRIPTION_BETA) if beta]
            return {**headers, "anthropic-beta": ",".join(betas), "authorization": f"Bearer {key}"}
        if self._header != "bearer":
            headers["x-api-key"] = key
        if self._header != "x-api-key":
            headers["authorization"] = f"Bearer {key}"
        return headers

    @staticmethod
    def _refusal(response: httpx2.Response) -> ModelFailed:
        told = bytearray()
        for chunk in response.iter_bytes():
            told += chunk
            if len(told) > MAX_REFUSAL:
                break
        return refusal(response.status_code, bytes(told), response.headers)

    def _connect(self) -> httpx2.Client:
        import httpx2  # noqa: PLC0415

        with self._guard:
            if self._client is None:
                # llama-server (cpp-httplib) closes a kept connection when it likes, and a request is lost that is on its way.
                kept = IDLE_CONNECTIONS if self._url.startswith("https:") else 0
                limits = httpx2.Limits(max_connections=None, max_keepalive_connections=kept)
                self._client = httpx2.Client(
                    verify=context() if bundle() else True, headers={"user-agent": "forgehive"}, limits=limits
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
