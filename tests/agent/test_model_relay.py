"""The way of a program to its model: whole answers, honest refusals, and no token for anybody."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from hive.agent.errors import HostUnavailable, TurnEnded
from hive.agent.model_answer import MAX_EVENT, AnswerReader
from hive.agent.model_relay import ModelRelay, model_relay
from hive.agent.unix_http import UnixHTTPClient
from hive.demo.model import DiffResponder, ModelReply, Scene, Script
from hive.demo.model.faults import ApiError, Cut, Fault

if TYPE_CHECKING:
    from tests.agent.conftest import World

BODY = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello."}]}


@contextmanager
def relayed(world: World, *replies: ModelReply) -> Iterator[ModelRelay]:
    world.responder = Script([Scene("", replies)], otherwise=DiffResponder())
    world.token = "the run's"
    with model_relay(UnixHTTPClient(world.place.model, 10), world.token) as relay:
        yield relay


def post(relay: ModelRelay, body: object, *, key: str | None = None, header: str = "x-api-key") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", relay.port, timeout=30)
    try:
        headers = {header: relay.key if key is None else key, "content-type": "application/json"}
        connection.request("POST", "/v1/messages?beta=true", json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
def test_answers_pass_through(world: World, header: str, *, stream: bool) -> None:
    """An answer comes as the model gave it, and what it used is known."""
    with relayed(world, ModelReply("It is 42.")) as relay:
        key = f"Bearer {relay.key}" if header == "authorization" else relay.key
        status, data = post(relay, BODY | {"stream": stream}, key=key, header=header)
        assert (status, relay.answered, relay.refusal) == (200, 1, None)
        assert b"42" in data
        answer = relay.take()
        assert answer is not None
        assert (answer.stop_reason, answer.blocks) == ("end_turn", 1)
        assert answer.usage["input_tokens"] > 0
        assert answer.usage["output_tokens"] > 0
        assert answer.id.encode() in data


@pytest.mark.parametrize("key", ["", "wrong", "the run's", "ü"])
def test_keys(world: World, key: str) -> None:
    """Only the turn's own key opens the way; the run's token does not."""
    with relayed(world, ModelReply("It is 42.")) as relay:
        assert post(relay, BODY, key=key.encode().decode("latin-1"))[0] == 401
        assert relay.answered == 0
        relay.is_over = True
        assert post(relay, BODY)[0] == 403


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        (ApiError(529, "overloaded_error"), 529, HostUnavailable),
        (ApiError(429, "billing_error", should_retry="false"), 429, TurnEnded),
        (ApiError(400, "invalid_request_error"), 400, TurnEnded),
    ],
)
def test_refusals_are_known(world: World, fault: Fault, status: int, kind: type[Exception]) -> None:
    """A refusal reaches the program, and what it means for the turn is known until a reply comes."""
    with relayed(world, ModelReply(fault=fault)) as relay:
        assert post(relay, BODY)[0] == status
        assert isinstance(relay.refusal, kind)
        world.responder = Script([Scene("", (ModelReply("Ah."),))], otherwise=DiffResponder())
        assert post(relay, BODY)[0] == 200
        assert relay.refusal is None


def test_steps_are_bounded(world: World) -> None:
    """A program that has had its steps gets no further reply, and that it wanted one is known."""
    with relayed(world, ModelReply("It is 42.")) as relay:
        relay.most = 2
        assert [post(relay, BODY)[0] for _ in range(2)] == [200, 200]
        assert not relay.is_spent
        assert post(relay, BODY)[0] == 403
        assert relay.is_spent


def test_cut_answers(world: World) -> None:
    """An answer that breaks off breaks off for the program too, and counts as none."""
    with relayed(world, ModelReply("It is 42.", fault=Cut())) as relay:
        with pytest.raises(http.client.IncompleteRead):
            post(relay, BODY | {"stream": True})
        assert isinstance(relay.refusal, HostUnavailable)
        assert relay.take() is None


def test_no_gateway(world: World) -> None:
    """Without a gateway the program gets an error of the API's form, and nothing else happens."""
    with model_relay(UnixHTTPClient(world.folder / "none.sock", 10), "x") as relay:
        status, data = post(relay, BODY)
        assert (status, json.loads(data)["error"]["type"]) == (502, "api_error")
        assert isinstance(relay.refusal, HostUnavailable)


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_answers_are_read_in_any_pieces(size: int) -> None:
    """However an answer is cut into pieces, it is read the same; garbage in it is passed by."""
    events: list[Any] = [
        {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 3, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "delta": {"text": '"message_stop"'}},
        {"type": "message_delta", "delta": None, "usage": {"output_tokens": True, "service_tier": "x"}},
        ["message_delta"],
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ]
    data = b'data: {"message_start\n\n' + b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    reader = AnswerReader("text/event-stream; charset=utf-8")
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    (answer,) = [answer for piece in pieces if (answer := reader.read(piece)) is not None]
    assert (answer.id, answer.stop_reason, answer.blocks) == ("msg_1", "end_turn", 1)
    assert answer.usage == {"input_tokens": 3, "output_tokens": 5}
    assert reader.end() is None


def test_answers_of_any_length_are_read() -> None:
    """An event that is longer than anything with a usage in it is not kept."""
    reader = AnswerReader("text/event-stream")
    for _ in range(40):
        assert reader.read(b"data: " + b"x" * (MAX_EVENT // 10)) is None
    answer = reader.read(b'\ndata: {"type": "message_stop"}\n\n')
    assert answer is not None
    assert answer.id == ""
