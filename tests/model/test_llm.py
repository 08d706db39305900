"""The hive's own client of the model, against the scripted server: what is passed on, and what a refusal becomes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from hive.demo.model import ModelReply, ModelServer, ToolCall
from hive.demo.model.faults import ApiError, Cut, Fault, Stall, Unfinished
from hive.gateway.llm import Model, ModelRequest
from hive.gateway.meter import Meter
from hive.gateway.model_errors import ModelFailed

if TYPE_CHECKING:
    from tests.model.conftest import Parrot

KEY = "sk-of-the-host"
REQUEST: dict[str, Any] = {
    "model": "claude-of-the-operator",
    "max_tokens": 100,
    "stream": True,
    "messages": [{"role": "user", "content": "hi"}],
}


@pytest.fixture
def upstream(model: ModelServer) -> Iterator[Model]:
    """The client of the hive."""
    made = Model(url=model.url)
    made.warm()
    yield made
    made.close()


def read(model: Model, **more: object) -> bytes:
    """The whole of an answer."""
    with model.ask(ModelRequest({**REQUEST, **more}), KEY) as reply:
        return b"".join(reply.chunks)


def test_a_stream_passes_as_it_is(upstream: Model, parrot: Parrot) -> None:
    """Events arrive in the API's own form, and the meter reads the use from them, however they are cut."""
    parrot.replies = [ModelReply("I look.", (ToolCall("run", {"command": "ls"}),))]
    with upstream.ask(ModelRequest(REQUEST), KEY) as reply:
        assert reply.content_type.startswith("text/event-stream")
        stream = b"".join(reply.chunks)
    assert stream.startswith(b"event: message_start")
    assert b"event: message_stop" in stream
    whole, bit_by_bit = Meter(), Meter()
    whole.see(stream)
    for number in range(len(stream)):
        bit_by_bit.see(stream[number : number + 1])
    assert whole.usage.tokens_in > 0
    assert whole.usage.output > 0
    assert (whole.usage.tokens_in, whole.usage.output) == (bit_by_bit.usage.tokens_in, bit_by_bit.usage.output)


def test_an_answer_in_one_object_is_metered(upstream: Model, parrot: Parrot) -> None:
    """A request that asks for no stream gets one object, whose use counts as that of a stream does."""
    with upstream.ask(ModelRequest({**REQUEST, "stream": False}), KEY) as reply:
        assert reply.content_type.startswith("application/json")
        meter = Meter(reply.content_type)
        for chunk in reply.chunks:
            meter.see(chunk)
        meter.end()
    streamed = Meter()
    streamed.see(read(upstream))
    assert (meter.usage.tokens_in, meter.usage.output) == (streamed.usage.tokens_in, streamed.usage.output) != (0, 0)
    assert (meter.is_whole, meter.usage.is_estimate) == (True, False)


def test_silence_is_an_end(model: ModelServer, parrot: Parrot) -> None:
    """A stream that says nothing more is cut here, before whoever reads it gives it up for unknown reasons."""
    parrot.replies = [ModelReply("half of it", fault=Stall())]
    upstream = Model(url=model.url, silence=0.3)
    assert b"message_stop" not in read(upstream)
    upstream.close()


def test_a_model_that_takes_a_request_and_says_nothing_is_unreachable() -> None:
    """Whoever listens and never answers is as far away as whoever does not listen."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        upstream = Model(url=f"http://127.0.0.1:{mute.getsockname()[1]}", silence=0.3)
        with pytest.raises(ModelFailed) as caught:
            read(upstream)
        upstream.close()
    assert "timed out" in caught.value.unreachable


@pytest.mark.parametrize("status", [200, 204, 302, 404, 405])
def test_an_address_that_is_no_model_is_unreachable(status: int) -> None:
    """A page of some proxy is no answer, whatever its status: nothing of it is passed on."""

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", "0" if status == 204 else "2")
            self.end_headers()
            self.wfile.write(b"" if status == 204 else b"hi")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        upstream = Model(url=f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(ModelFailed) as caught:
            read(upstream)
        upstream.close()
        server.shutdown()
    assert "as no model does" in caught.value.unreachable


@pytest.mark.parametrize(
    ("fault", "headers"),
    [
        (ApiError(429, "rate_limit_error", retry_after="7"), {"retry-after": "7"}),
        (ApiError(529, "overloaded_error", should_retry="true"), {"x-should-retry": "true"}),
        (ApiError(400, "invalid_request_error"), {}),
        (ApiError(401, "authentication_error"), {}),
    ],
)
def test_a_refusal_keeps_its_form(upstream: Model, parrot: Parrot, fault: ApiError, headers: dict[str, str]) -> None:
    """Status, body and the headers that say when to come again; and nothing is tried twice here."""
    parrot.replies = [ModelReply(fault=fault), ModelReply("again")]
    with pytest.raises(ModelFailed) as caught:
        read(upstream)
    assert len(parrot.heard) == 1
    assert b"message_stop" in read(upstream)
    assert (caught.value.status, caught.value.body["error"]["type"]) == (fault.status, fault.kind)
    assert dict(caught.value.headers) == headers
    assert "sk-of-the-host" not in str(caught.value)


@pytest.mark.parametrize("fault", [Cut(), Unfinished()])
def test_a_cut_stream_ends(upstream: Model, parrot: Parrot, fault: Fault) -> None:
    """Whoever reads it knows by the missing end, as with the real API."""
    parrot.replies = [ModelReply("half of it", fault=fault)]
    assert b"message_stop" not in read(upstream)


def unheard(url: str) -> ModelFailed:
    """What comes of asking there."""
    upstream = Model(url=url)
    with pytest.raises(ModelFailed) as caught:
        read(upstream)
    upstream.close()
    return caught.value


def test_nobody_there(model: ModelServer) -> None:
    """A model that cannot be reached is an error in the API's form: no connection, no such name, no TLS."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        refused = unheard(f"http://127.0.0.1:{closed.getsockname()[1]}")
    nameless, plain = unheard("http://model.invalid"), unheard(model.url.replace("http:", "https:"))
    for failed in (refused, nameless, plain):
        assert (failed.status, failed.body["error"]["type"]) == (503, "api_error")
        assert failed.unreachable
    assert "refused" in refused.unreachable
