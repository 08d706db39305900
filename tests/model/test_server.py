"""The scripted model's server, heard through the real SDK and through plain HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from http.client import HTTPConnection, IncompleteRead
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anthropic
import pytest
from anthropic.types import MessageParam, ToolParam

from hive.demo.model import ModelReply, ModelServer, ToolCall
from hive.demo.model.faults import ApiError, BreaksOff, Cut, Stall, Unfinished

if TYPE_CHECKING:
    from tests.model.conftest import Parrot

HELLO: list[MessageParam] = [{"role": "user", "content": "hi"}]
RUN: ToolParam = {"name": "run", "input_schema": {"type": "object"}}
LOOK = ModelReply(
    "I look.", (ToolCall("run", {"command": "ls -a 'ü'"}), ToolCall("run", {"command": ""})), thinking="Hm, look."
)


def post(url: str, body: object, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """One plain request; headers are given with underscores."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", "/v1/messages?beta=true", json.dumps(body), sent)
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    finally:
        connection.close()


def ask(**more: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 10, "messages": HELLO, **more}


def test_whole(client: anthropic.Anthropic, parrot: Parrot) -> None:
    """The SDK reads a whole reply: thinking, words, calls, usage."""
    parrot.replies = [LOOK]
    message = client.messages.create(model="claude-x", max_tokens=100, messages=HELLO, tools=[RUN])
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert message.stop_reason == "tool_use"
    assert message.model == "claude-x"
    assert message.usage.input_tokens > 0
    assert parrot.heard[0].tools == ("run",)


def test_stream_is_the_same(client: anthropic.Anthropic, parrot: Parrot) -> None:
    """A streamed reply is the whole one in pieces, and the same conversation is answered the same."""
    parrot.replies = [LOOK]
    whole = client.messages.create(model="m", max_tokens=100, messages=HELLO)
    with client.messages.stream(model="m", max_tokens=100, messages=HELLO) as stream:
        pieces = [event.type for event in stream]
        streamed = stream.get_final_message()
    assert streamed.to_dict() == whole.to_dict()
    assert pieces.count("content_block_start") == 4
    assert pieces[-1] == "message_stop"


def test_conversation_goes_on(client: anthropic.Anthropic, parrot: Parrot) -> None:
    """A reply can be sent back as it came, with the results of its calls, and the next one follows."""
    parrot.replies = [LOOK, ModelReply("done")]
    first = client.messages.create(model="m", max_tokens=100, messages=HELLO, system="Be iris.")
    results: Any = [
        {"type": "tool_result", "tool_use_id": block.id, "content": [{"type": "text", "text": "a b"}]}
        for block in first.content
        if block.type == "tool_use"
    ]
    answer: list[MessageParam] = [
        *HELLO,
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": results},
    ]
    second = client.messages.create(model="m", max_tokens=100, messages=answer, system="Be iris.")
    assert second.stop_reason == "end_turn"
    heard = parrot.heard[1]
    assert [result.text for _, result in heard.made] == ["a b", "a b"]
    assert (heard.news, heard.round, heard.system) == ("hi", 1, "Be iris.")
    with pytest.raises(anthropic.BadRequestError, match="Invalid `signature`"):
        client.messages.create(model="m", max_tokens=100, messages=answer, system="Be argus.")


def test_count(client: anthropic.Anthropic) -> None:
    """Tokens can be counted without a reply, and a longer text has more."""
    short = client.messages.count_tokens(model="m", messages=HELLO).input_tokens
    long: list[MessageParam] = [{"role": "user", "content": "hi " * 100}]
    assert client.messages.count_tokens(model="m", messages=long).input_tokens > short > 0


@pytest.mark.parametrize("headers", [{"x_api_key": "k"}, {"authorization": "Bearer k"}])
def test_both_keys(model: ModelServer, headers: dict[str, str]) -> None:
    """Either header lets in; a query does not change the path."""
    status, _, body = post(model.url, ask(), **headers)
    assert status == 200
    assert json.loads(body)["content"] == [{"type": "text", "text": "hello"}]


def test_no_key(model: ModelServer) -> None:
    """Without a key there is no reply."""
    status, _, body = post(model.url, ask())
    assert status == 401
    assert json.loads(body)["error"]["type"] == "authentication_error"


def test_stream_on_the_wire(model: ModelServer) -> None:
    """A stream is chunked server-sent events, each named by its type."""
    status, headers, body = post(model.url, ask(stream=True), x_api_key="k")
    assert (status, headers["transfer-encoding"]) == (200, "chunked")
    assert headers["content-type"].startswith("text/event-stream")
    for event in body.decode().strip().split("\n\n"):
        name, data = event.split("\n")
        assert name == f"event: {json.loads(data.removeprefix('data: '))['type']}"


THOUGHT = {"type": "thinking", "thinking": "x", "signature": "forged"}
OPEN_CALL = {"type": "tool_use", "id": "t1", "name": "run", "input": {}}
STRAY = {"type": "tool_result", "tool_use_id": "t9", "content": "?"}


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], "at least one message"),
        ("hi", "at least one message"),
        (["hi"], "must be an object"),
        ([{"role": "assistant", "content": "hi"}], "first message"),
        ([*HELLO, {"role": "assistant", "content": "hi"}], "end with a user message"),
        ([{"role": "user", "content": []}], "non-empty content"),
        ([{"role": "user", "content": ""}], "text content blocks must be non-empty"),
        ([*HELLO, {"role": "assistant", "content": [THOUGHT]}, *HELLO], "Invalid `signature`"),
        ([*HELLO, {"role": "assistant", "content": [OPEN_CALL]}, *HELLO], "without `tool_result`"),
        ([{"role": "user", "content": [STRAY]}], "unexpected `tool_use_id`"),
        ([*HELLO, {"role": "robot", "content": "hi"}, *HELLO], "messages.1.role"),
        ([*HELLO, {"role": "assistant", "content": [{**OPEN_CALL, "input": "x"}]}, *HELLO], "valid dictionary"),
    ],
)
def test_refuses_what_the_api_refuses(model: ModelServer, messages: object, said: str) -> None:
    """A conversation that was kept wrongly is found out."""
    status, _, body = post(model.url, ask(messages=messages), x_api_key="k")
    assert status == 400
    assert said in json.loads(body)["error"]["message"]


@pytest.mark.parametrize("lacking", ["model", "max_tokens"])
def test_refuses_half_a_request(model: ModelServer, lacking: str) -> None:
    """What the API requires is required."""
    assert post(model.url, [], x_api_key="k")[0] == 400
    body = {key: value for key, value in ask().items() if key != lacking}
    assert post(model.url, body, x_api_key="k")[0] == 400


def test_refusals(client: anthropic.Anthropic, parrot: Parrot, model: ModelServer) -> None:
    """Scripted refusals are the API's: status, type, headers."""
    parrot.replies = [
        ModelReply(fault=ApiError(429, "rate_limit_error", retry_after="7")),
        ModelReply(fault=ApiError(429, "billing_error", should_retry="false")),
        ModelReply(fault=ApiError(529, "overloaded_error")),
    ]
    with pytest.raises(anthropic.RateLimitError) as limited:
        client.messages.create(model="m", max_tokens=1, messages=HELLO)
    assert limited.value.response.headers["retry-after"] == "7"
    assert post(model.url, ask(), x_api_key="k")[1]["x-should-retry"] == "false"
    with pytest.raises(anthropic.InternalServerError) as overloaded:
        client.messages.create(model="m", max_tokens=1, messages=HELLO)
    assert overloaded.value.status_code == 529


def test_breaks_off(client: anthropic.Anthropic, parrot: Parrot) -> None:
    """A stream that breaks off raises the SDK's error of that type, under a status of 200."""
    parrot.replies = [ModelReply("a", fault=BreaksOff())]
    with (
        pytest.raises(anthropic.APIStatusError, match="overloaded") as broken,
        client.messages.stream(model="m", max_tokens=1, messages=HELLO) as stream,
    ):
        stream.until_done()
    assert broken.value.status_code == 200


def test_unfinished(model: ModelServer, parrot: Parrot) -> None:
    """An unfinished stream ends in good order and lacks its last events."""
    parrot.replies = [ModelReply("a", fault=Unfinished())]
    _, _, body = post(model.url, ask(stream=True), x_api_key="k")
    assert b"content_block_delta" in body
    assert b"message_stop" not in body


def test_cut(model: ModelServer, parrot: Parrot) -> None:
    """A cut stream ends in the middle of its chunks."""
    parrot.replies = [ModelReply("a", fault=Cut())]
    with pytest.raises(IncompleteRead):
        post(model.url, ask(stream=True), x_api_key="k")


def test_stall_ends_with_the_server(parrot: Parrot) -> None:
    """A stalled stream lasts until the server is stopped."""
    parrot.replies = [ModelReply("a", fault=Stall())]
    server = ModelServer(parrot)
    server.start()
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    connection.request("POST", "/v1/messages", json.dumps(ask(stream=True)), {"x-api-key": "k"})
    response = connection.getresponse()
    assert b"message_start" in response.readline()
    server.stop()
    with pytest.raises(IncompleteRead):
        response.read()
    connection.close()


def test_unknown_path(client: anthropic.Anthropic) -> None:
    """Only the Messages API is spoken."""
    with pytest.raises(anthropic.NotFoundError):
        client.models.list()
    with pytest.raises(anthropic.NotFoundError):
        client.post("/v1/complete", cast_to=object, body={})


def test_serve() -> None:
    """A process can be nothing but a model, on a port that it tells."""
    code = "from hive.demo.model import *; serve(DiffResponder(), '127.0.0.1', 0, lambda port: print(port, flush=True))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = f"http://127.0.0.1:{int(process.stdout.readline())}"
            assert b"scripted model" in post(url, ask(), x_api_key="k")[2]
        finally:
            process.kill()
