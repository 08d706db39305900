"""What a model may do instead of answering, and what becomes of the turn."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from hive.agent import context_window
from hive.agent.context_window import FULL as WINDOW
from hive.agent.engines.native import TOOLS
from hive.agent.errors import ContextOverflow, HostUnavailable, TurnEnded
from hive.agent.loop import STOPPED
from hive.agent.stream import assemble, events, failure, whole
from hive.agent.tool_declarations import offered
from hive.demo.model import ModelConversation, ModelReply, Scene, Script, ToolCall
from hive.demo.model.faults import ApiError, BreaksOff, Cut, Fault, Stall, Unfinished

if TYPE_CHECKING:
    from tests.agent.conftest import World

LOOK = ModelReply("I look.", (ToolCall("run", {"command": "echo ü"}),), thinking="Let me see what is there.")


class Moody:
    """A brain that plays faults first, then looks around once, and answers."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = list(faults)
        self.heard: list[ModelConversation] = []

    def reply(self, conversation: ModelConversation) -> ModelReply:
        self.heard.append(conversation)
        if self.faults:
            return ModelReply("Half a", fault=self.faults.pop(0))
        return ModelReply("It is 42.") if conversation.round else LOOK


PASSING = [
    ApiError(429, "rate_limit_error", retry_after="0.02"),
    ApiError(429, "rate_limit_error", retry_after="Wed, 21 Oct 2026 07:28:00 GMT"),
    ApiError(408, "timeout_error"),
    ApiError(500, "api_error"),
    ApiError(503, "anything"),
    ApiError(529, "overloaded_error"),
    BreaksOff("overloaded_error"),
    BreaksOff("api_error"),
    Cut(),
    Unfinished(),
    Stall(),
]


@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_passing_fault(world: World, fault: Fault) -> None:
    """What passes is waited for: the reply is asked for again as a whole, and nothing of the half is kept."""
    responder = Moody(fault, fault)
    world.responder = responder
    end = world.hold(silence=0.2)
    assert (end["outcome"], end["steps"]) == ("answered", 2)
    assert len(responder.heard) == 4
    assert responder.heard[0] == responder.heard[2]
    assert "Half a" not in json.dumps(world.transcript())


@pytest.mark.parametrize("fault", [ApiError(529, "overloaded_error", "busy"), Unfinished()], ids=repr)
def test_lasting_fault(world: World, fault: Fault) -> None:
    """What does not pass in time lets the turn rest: it is put down, not ended, and nothing is said; later it goes on."""
    world.responder = Moody(*[fault] * 3)
    world.give()
    world.resume()
    assert (world.rested, world.ends, world.comments) == (1, [], {})
    world.resume()
    assert world.ends[0]["outcome"] == "answered"


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (ApiError(429, "billing_error", "the budget is spent", should_retry="false"), "blocked"),
        (ApiError(429, "rate_limit_error", "limit reached", should_retry="false"), "blocked"),
        (ApiError(429, "billing_error", "the budget is spent"), "blocked"),
        (ApiError(400, "invalid_request_error", "no such model"), "failed"),
        (ApiError(401, "authentication_error", "bad key"), "failed"),
        (BreaksOff("invalid_request_error"), "failed"),
    ],
    ids=repr,
)
def test_final_fault(world: World, fault: ApiError | BreaksOff, outcome: str) -> None:
    """What asking again would not mend is not asked again."""
    responder = Moody(fault)
    world.responder = responder
    end = world.hold()
    assert end["outcome"] == outcome
    assert (fault.message if isinstance(fault, ApiError) else "scripted") in end["message"]
    assert len(responder.heard) == 1


def test_page_instead_of_an_answer(world: World) -> None:
    """An answer that is no JSON counts by its status."""
    world.responder = Moody()
    world.answers["messages"] = [502, 404]
    end = world.hold()
    assert (end["outcome"], end["message"]) == ("failed", "The model answered with an error: no reason given")
    assert not world.answers["messages"]


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        ("refusal", "declined"),
        ("max_tokens", "longer than one reply"),
        ("model_context_window_exceeded", "grown longer"),
        ("something_new", "something_new"),
    ],
)
def test_other_stops(world: World, stop: str, words: str) -> None:
    """A reply that stopped before it was whole is not acted on: the turn is blocked, and the run can go on."""
    broken = ModelReply("Half a", (ToolCall("run", {"command": "touch acted"}),), stop=stop)
    world.responder = Script([Scene("", (broken,))], otherwise=Moody())
    end = world.hold()
    assert end["outcome"] == "blocked"
    assert words in end["message"]
    assert end["tokens_out"] > 0
    assert not (world.place.state / "runs/7/work/acted").exists()
    world.responder = Moody()
    assert world.hold()["outcome"] == "answered"


def test_blocks_are_kept_as_they_came(world: World) -> None:
    """Thinking goes back with its signature, calls with their input: the server checks both."""
    world.responder = Moody()
    assert world.hold()["outcome"] == "answered"
    reply = world.transcript()[2]
    assert [block["type"] for block in reply["content"]] == ["thinking", "text", "tool_use"]
    assert reply["content"][0]["thinking"] == LOOK.thinking
    assert reply["content"][2]["input"] == {"command": "echo ü"}
    assert world.results() == ["ü\n[exit status 0]"]


@pytest.mark.parametrize("change", [{"system": "You are iris, the second."}, {"model": "claude-y"}])
def test_other_mind(world: World, change: Any) -> None:
    """A run goes on when its instructions or its model have changed, between turns or within one."""
    world.responder = Moody()
    assert world.hold()["outcome"] == "answered"
    assert world.hold(**change)["outcome"] == "answered"
    world.ends.pop()
    del world.lines[7][-2:]
    world.turns[-1] |= {"system": "You are iris, the third."}
    world.resume()
    assert world.ends[-1]["outcome"] == "answered"


def test_instructions_and_tools(world: World) -> None:
    """The model is given the turn's instructions, its message, and the tools that the agent's capabilities allow."""
    responder = Moody()
    world.responder = responder
    world.hold("Hello.", model="claude-x", capabilities=["comment"])
    heard = responder.heard[0]
    assert (heard.model, heard.system, heard.news) == ("claude-x", "You are iris.", "Hello.")
    assert heard.tools == tuple(tool.name for tool in offered(TOOLS, ["comment"]))
    assert "comment" in heard.tools
    assert "submit" not in heard.tools


def stream(*blocks: list[dict[str, Any]], stop: str = "tool_use") -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": {"usage": {"input_tokens": 3, "output_tokens": 1}}}
    for index, (start, *deltas) in enumerate(blocks):
        yield {"type": "content_block_start", "index": index, "content_block": start}
        yield from ({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas)
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 9}}
    yield {"type": "message_stop"}


CALL = {"type": "tool_use", "id": "t", "name": "run", "input": {}}


def piece(text: str) -> dict[str, str]:
    return {"type": "input_json_delta", "partial_json": text}


class TestAssemble:
    """assemble: events into one message."""

    def test_input_in_pieces(self) -> None:
        """A call's input is read when all of it is there; no piece at all is no input."""
        message = assemble(stream([CALL, piece('{"a"'), piece(": 1}")], [CALL], [CALL, piece("")]))
        assert [block["input"] for block in message["content"]] == [{"a": 1}, {}, {}]
        assert message["usage"] == {"input_tokens": 3, "output_tokens": 9}

    def test_unknown_blocks_are_kept(self) -> None:
        """A block of a kind that is not known goes back as it came; so does a delta's silence."""
        hidden = {"type": "redacted_thinking", "data": "abc"}
        message = assemble(stream([hidden], [{"type": "text", "text": "a"}, {"type": "new_delta", "x": 1}]))
        assert message["content"] == [hidden, {"type": "text", "text": "a"}]

    def test_empty_text_is_dropped(self) -> None:
        """An empty text block cannot be sent back, so it is not kept."""
        assert assemble(stream([{"type": "text", "text": ""}], stop="end_turn"))["content"] == []

    @pytest.mark.parametrize(
        "broken",
        [
            stream([CALL, piece('{"a": ')]),
            stream([CALL, piece("[1]")]),
            iter([{"type": "content_block_delta", "index": 0, "delta": piece("")}]),
            iter([{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}]),
            iter([]),
        ],
    )
    def test_garbled(self, broken: Iterator[dict[str, Any]]) -> None:
        """What cannot be put together is asked for again."""
        with pytest.raises(HostUnavailable):
            assemble(broken)

    def test_half_an_input_of_a_stopped_reply(self) -> None:
        """An input that was cut by the limit is no fault of the stream."""
        assert assemble(stream([CALL, piece('{"a": ')], stop="max_tokens"))["stop_reason"] == "max_tokens"

    @pytest.mark.parametrize("null", ["message", "usage", "delta", "text", "thinking", "partial_json", "input"])
    def test_null_is_nothing(self, null: str) -> None:
        """Servers write null where the API has an object or a text: that is one which is empty."""
        thought = [{"type": "thinking", "thinking": "t"}, {"type": "thinking_delta", "thinking": "h"}]
        said = [{"type": "text", "text": "a"}, {"type": "text_delta", "text": "b"}]
        given = json.dumps([*stream(thought, said, [CALL, piece("")])])
        nulled = json.loads(given, object_hook=lambda found: found | dict.fromkeys(found.keys() & {null}))
        if null == "delta":  # the one of the end says why it is one
            nulled[-2]["delta"] = {"stop_reason": "tool_use"}
        message = assemble(nulled)
        assert [block["type"] for block in message["content"]][-1] == "tool_use"
        assert message["content"][-1]["input"] == {}

    def test_error_without_a_form(self) -> None:
        """An error that says nothing is still an end with words."""
        with pytest.raises(TurnEnded, match="no reason given"):
            assemble(iter([{"type": "error"}]))


class TestWhole:
    """whole: an answer in one object."""

    def test_it_is_the_same_message(self) -> None:
        """As the one that is streamed; null is nothing, and a text is a block of text."""
        answer = {"type": "message", "content": [CALL | {"input": None}], "stop_reason": "tool_use", "usage": None}
        assert whole(answer) == {"role": "assistant", "content": [CALL], "stop_reason": "tool_use", "usage": {}}
        said = {"type": "message", "content": "hi", "stop_reason": "end_turn"}
        assert whole(said)["content"] == [{"type": "text", "text": "hi"}]
        assert whole(said | {"content": None})["content"] == []

    @pytest.mark.parametrize(
        "broken",
        [
            {},
            {"type": "message", "content": [], "stop_reason": None},
            {"type": "message", "content": {"a": 1}, "stop_reason": "end_turn"},
            {"type": "message", "content": [None], "stop_reason": "end_turn"},
            {"type": "message", "content": [{"type": "tool_use", "name": "run"}], "stop_reason": "tool_use"},
            {"type": "message", "content": [{"type": "text", "text": 5}], "stop_reason": "end_turn"},
            {"type": "error", "error": {"type": "overloaded_error"}},
        ],
        ids=str,
    )
    def test_garbled(self, broken: dict[str, Any]) -> None:
        """What is no message is asked for again."""
        with pytest.raises(HostUnavailable):
            whole(broken)


@pytest.mark.parametrize(
    "words",
    [
        "prompt is too long: 215000 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 174167 + 64000 > 200000",
        "request (33056 tokens) exceeds the available context size (32768 tokens), try increasing it",
        "litellm.ContextWindowExceededError: the prompt is longer than the model reads",
        "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens",
        "Input is too long for requested model.",
        "Trying to keep the first 15857 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens",
        "input exceeds context length",
    ],
)
def test_too_long_in_the_words_of_each_server(words: str) -> None:
    """The API, llama.cpp, LiteLLM, vLLM, Bedrock, LM Studio and Ollama say it in words of their own."""
    assert isinstance(failure({"error": {"type": "api_error", "message": words}}), ContextOverflow)
    assert not isinstance(failure({"error": {"type": "rate_limit_error", "message": words}}), ContextOverflow)


@pytest.mark.parametrize(
    "words",
    ["context_management: unknown edit", "max_tokens: 64000 > 32000, which is the maximum", "too many requests"],
)
def test_other_words_are_other_errors(words: str) -> None:
    """A conversation is not made shorter for them."""
    assert isinstance(failure({"error": {"type": "invalid_request_error", "message": words}}), TurnEnded)


def test_a_pause_is_no_end(world: World) -> None:
    """A reply that the model paused in is sent back as it is, and the model goes on; a process that was killed meanwhile sends it too."""

    class Searching:
        def reply(self, conversation: ModelConversation) -> ModelReply:
            if conversation.messages[-1].role == "assistant":
                return ModelReply("It is 42.")
            return ModelReply("I search.", server_tool="web_search", stop="pause_turn")

    world.responder = Searching()
    end = world.hold()
    assert (end["outcome"], end["message"], end["steps"]) == ("answered", "It is 42.", 2)
    world.ends.pop()
    del world.lines[7][-2:]
    world.resume()
    assert world.ends[0]["message"] == "It is 42."


def test_a_cut_reply_is_no_answer(world: World) -> None:
    """A server may call the end of the last allowed token an end of the turn: nothing of such a reply is posted."""

    class Endless:
        def reply(self, conversation: ModelConversation) -> ModelReply:
            return ModelReply("la " * 25_000)

    world.responder = Endless()
    end = world.hold()
    assert (end["outcome"], end["message"]) == ("blocked", STOPPED["max_tokens"])


class TestEvents:
    """events: lines into data."""

    def test_forms(self) -> None:
        """Data may be split over lines and ended by either line end; comments and names are skipped."""
        lines = [
            b": hi\r\n",
            b"event: x\r\n",
            b'data: {"type":\r\n',
            b'data: "x"}\r\n',
            b"\r\n",
            b"\n",
            b"data: {}\n",
            b"\n",
        ]
        assert list(events(lines)) == [{"type": "x"}, {}]

    @pytest.mark.parametrize("data", [b"data: {\n", b"data: 1\n", b"data: \xff\n"])
    def test_garbled(self, data: bytes) -> None:
        """Data that is no object is a broken stream."""
        with pytest.raises(HostUnavailable):
            list(events([data, b"\n"]))


TOO_LONG = ApiError(400, "invalid_request_error", "prompt is too long: 215000 tokens > 200000 maximum")


@pytest.mark.parametrize("fault", [TOO_LONG, ApiError(413, "request_too_large", "too large")], ids=repr)
def test_a_conversation_that_is_too_long_is_made_shorter_once(world: World, fault: ApiError) -> None:
    """The same step is made again with the gist of what was, and the turn goes on."""
    responder = Moody(fault)
    world.responder = responder
    end = world.hold()
    assert (end["outcome"], end["steps"]) == ("answered", 2)
    assert [line for line in world.transcript() if "shortened" in line] == [{"shortened": True}]


def test_what_is_too_long_twice_is_an_end(world: World) -> None:
    """It is not made shorter for ever."""
    world.responder = Moody(TOO_LONG, TOO_LONG)
    end = world.hold()
    assert (end["outcome"], end["message"]) == ("blocked", context_window.TOO_LONG)


def test_a_full_window_is_too_long(world: World) -> None:
    """The model may also say so by the reason for which it stopped."""

    class Full:
        def reply(self, conversation: ModelConversation) -> ModelReply:
            return LOOK if not conversation.since else ModelReply("It is", stop=WINDOW)

    world.responder = Full()
    end = world.hold()
    assert (end["outcome"], end["message"]) == ("blocked", context_window.TOO_LONG)
    assert len([line for line in world.transcript() if "shortened" in line]) == 1


def test_a_full_window_is_made_room_in(world: World) -> None:
    """What the model began to say when its window was full is left out, and it goes on with the gist."""
    heard: list[ModelConversation] = []

    class Full:
        def reply(self, conversation: ModelConversation) -> ModelReply:
            heard.append(conversation)
            told = len(conversation.messages)
            if "left out" in conversation.messages[0].text:
                return ModelReply("I know enough.")
            look = ModelReply(calls=(ToolCall("run", {"command": f"echo {told}"}),))
            return ModelReply("It is", stop=WINDOW) if told > 12 else look

    world.responder = Full()
    end = world.hold()
    assert (end["outcome"], end["message"]) == ("answered", "I know enough.")
    assert len(heard[-1].messages) < len(heard[-2].messages)
    assert all("It is" not in message.text for message in heard[-1].messages)


def test_who_is_told_to_rest_puts_the_turn_down(world: World) -> None:
    """Between two steps, with the transcript kept: when the turn comes again it goes on where it was."""
    responder = Moody()
    world.responder = responder
    world.rest = True
    world.give(lease=0.03)
    world.watch = lambda word: time.sleep(0.1) if word == "messages" else None
    world.resume()
    assert (world.rested, world.ends) == (1, [])
    world.rest = False
    world.resume()
    assert world.ends[0]["outcome"] == "answered"
    assert len(responder.heard) == 2, "no step is made twice"


@pytest.mark.parametrize(("memory", "kept"), [("", 5), ("compact", 5), ("new", 1)])
def test_how_much_is_recalled(world: World, memory: str, kept: int) -> None:
    """A turn begins with all of the transcript, with the gist of it, or with nothing of it."""
    responder = Moody()
    world.responder = responder
    world.hold("First.")
    world.hold("Second.", memory=memory)
    begun = next(heard for heard in responder.heard if heard.news.startswith("Second") or "Second." in heard.news)
    assert len(begun.messages) == kept
    assert ("First." in begun.task) == (memory != "new")
