"""A conversation is made shorter before it is too long, and the model writes down what matters first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hive.agent.compaction import MOST_NOTES, NOTED, compacted
from hive.agent.context_window import CHECKPOINT
from hive.agent.transcript_reading import checkpoint_of, messages_of, weight_of, window_of
from hive.demo.model import ModelConversation, ModelReply, ToolCall
from hive.demo.model.faults import ApiError
from tests.agent.test_turn import play

if TYPE_CHECKING:
    from tests.agent.conftest import World

MIND = {"turn": 1, "mind": "a"}
ASKED = {"role": "user", "content": [{"type": "text", "text": CHECKPOINT}], "checkpoint": True}
TOO_LONG = ApiError(400, "invalid_request_error", "prompt is too long: 215000 tokens > 200000 maximum")


def user(text: str) -> dict[str, Any]:
    """A message."""
    return {"role": "user", "content": [{"type": "text", "text": text}]}


def reply(text: str, *, tokens: int = 10, **more: Any) -> dict[str, Any]:
    """A reply."""
    usage = {"input_tokens": tokens, "cache_read_input_tokens": None, "output_tokens": 5}
    content = [{"type": "text", "text": text}]
    return {"role": "assistant", "content": content, "stop_reason": "end_turn", "usage": usage, **more}


class Diligent:
    """A model that makes calls until it has made enough, and writes notes when it is asked to."""

    def __init__(self, calls: int, notes: str = "I counted to {}.", *, fault: bool = False) -> None:
        self.calls, self.notes, self.fault = calls, notes, fault
        self.heard: list[ModelConversation] = []
        self.noted = 0

    def reply(self, conversation: ModelConversation) -> ModelReply:
        self.heard.append(conversation)
        if CHECKPOINT in conversation.messages[-1].text:
            if self.fault:
                return ModelReply(fault=TOO_LONG)
            self.noted += 1
            return ModelReply(self.notes.format(self.calls), (ToolCall("run", {"command": "touch wrong"}),))
        self.calls -= 1
        return (
            ModelReply(calls=(ToolCall("run", {"command": f"echo {self.calls} {'x' * 300}"}),))
            if self.calls
            else ModelReply("Done.")
        )


def test_notes_come_first(world: World) -> None:
    """At the watermark the model writes down what matters, the rest is left out, and its work goes on; its calls then are not made."""
    world.responder = model = Diligent(12)
    end = world.hold("The task.", window=1200)
    assert (end["outcome"], end["message"]) == ("answered", "Done.")
    assert model.noted >= 1
    last = model.heard[-1].messages[0].text
    assert last.startswith("The task.")
    assert "messages stood here" in last
    assert last.count(NOTED + "I counted to ") == 1
    assert not any(CHECKPOINT in message.text for message in model.heard[-1].messages)
    assert not (world.place.state / "runs/7/work/wrong").exists()
    assert world.git("acme/app", "rev-parse", "HEAD")


def test_without_a_known_window(world: World) -> None:
    """A window that nobody knows is not guessed."""
    world.responder = model = Diligent(12)
    assert world.hold("The task.")["message"] == "Done."
    assert model.noted == 0


def test_no_room_for_notes(world: World) -> None:
    """A model that cannot even be asked for notes goes on without."""
    world.responder = model = Diligent(12, fault=True)
    assert world.hold("The task.", window=1200)["message"] == "Done."
    assert NOTED not in model.heard[-1].messages[0].text
    assert "messages stood here" in model.heard[-1].messages[0].text


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_killed_process_goes_on(world: World, lost: int) -> None:
    """Whichever line of it was the last, another process continues with the same conversation."""
    world.responder = Diligent(12)
    world.hold("The task.", window=1200)
    lines = world.lines[7]
    place = next(index for index, line in enumerate(lines) if "shortened" in line)
    kept = [*lines]
    del lines[place + 1 - lost :]
    world.ends.clear()
    world.responder = Diligent(6)
    world.resume()
    assert world.ends[0]["message"] == "Done."
    assert [*map(sorted, world.lines[7][: place + 1])] == [*map(sorted, kept[: place + 1])]


def test_a_checkpoint_that_came_to_nothing() -> None:
    """A turn that ended before the conversation was made shorter leaves no question behind."""
    lines = [
        MIND,
        user("one"),
        reply("two"),
        user("three"),
        ASKED,
        {"end": {"outcome": "blocked", "message": "Broke."}},
    ]
    assert checkpoint_of(lines) == "asked"
    assert messages_of(lines, "a")[-1]["content"][-1]["text"] == CHECKPOINT
    later = [*lines, {"turn": 2, "mind": "a"}, user("four")]
    assert checkpoint_of(later) == ""
    assert CHECKPOINT not in str(messages_of(later, "a"))
    assert messages_of(later, "a")[-1]["content"] == [*user("three")["content"], *user("four")["content"]]


def test_how_long_it_is() -> None:
    """A conversation is as long as its last reply says, and what came since; a window is what was read when it was too small."""
    lines = [MIND, user("one"), reply("two", tokens=100), user("x" * 400)]
    assert weight_of(lines) == 205
    picture = {
        "type": "tool_result",
        "tool_use_id": "t",
        "content": [{"type": "image", "source": {"data": "x" * 9_000_000}}],
    }
    assert weight_of([*lines, {"role": "user", "content": [picture]}]) == 1705
    shorter = [*lines, {"shortened": True, "window": 205}]
    assert (weight_of(shorter), window_of(shorter)) == (0, 205)
    assert window_of([*shorter, {"mind": "a"}]) == 205
    assert window_of([*shorter, {"mind": "b"}]) == 0


def test_the_newest_notes_stay() -> None:
    """Notes replace those of the time before; they have an end, and thinking of a longer conversation is left out."""
    thought = {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": "", "signature": "s"}, {"type": "text", "text": "hm"}],
    }
    messages = [user("task"), *[thought, user("on")] * 9]
    once = compacted(messages, "first")
    twice = compacted([*once, *[thought, user("on")] * 9], "second" + "x" * 2 * MOST_NOTES)
    head = [block["text"] for block in twice[0]["content"]]
    assert [text[:20] for text in head] == ["task", head[1][:20], NOTED[:20]]
    assert "first" not in str(head)
    assert len(head[2]) < MOST_NOTES + 200
    assert "signature" not in str(twice)


class Blind:
    """A model whose server takes no pictures; it makes these calls."""

    def __init__(self, *commands: str) -> None:
        self.calls = [
            ToolCall("run", {"command": commands[0]}),
            *(ToolCall("read", {"path": path}) for path in commands[1:]),
        ]
        self.refused = 0

    def reply(self, conversation: ModelConversation) -> ModelReply:
        texts = [result.text for _, result in conversation.made]
        if any("(png," in text and "does not take it" not in text for text in texts):
            self.refused += 1
            return ModelReply(fault=ApiError(400, "invalid_request_error", "Could not process image"))
        done = len(texts)
        return ModelReply(calls=(self.calls[done],)) if done < len(self.calls) else ModelReply("Done.")


MAKE = "head -c 1400000 /dev/zero >z; { printf '\\211PNG\\r\\n\\032\\n'; cat z; } >p.png; cp p.png q.png; rm z"


def test_pictures_that_are_refused(world: World) -> None:
    """A picture that the model's server does not take ends no turn: the conversation goes on with words in its place."""
    world.responder = model = Blind("printf '\\211PNG\\r\\n\\032\\nx' >p.png", "p.png")
    assert world.hold(pictures=True)["message"] == "Done."
    assert model.refused == 1
    assert world.hold("again", pictures=True)["message"] == "Done."
    assert model.refused == 1


def test_more_pictures_than_a_request_holds(world: World) -> None:
    """A conversation holds so many pictures; another one is refused in words."""
    calls = [
        ToolCall("run", {"command": MAKE}),
        *(ToolCall("read", {"path": path}) for path in ("p.png", "q.png", "p.png")),
    ]
    world.responder = play(*(ModelReply(calls=(call,)) for call in calls), ModelReply("Done."))
    assert world.hold(pictures=True)["message"] == "Done."
    results = [
        block for line in world.transcript() for block in line.get("content", ()) if block["type"] == "tool_result"
    ]
    assert [type(block["content"]) for block in results[1:3]] == [list, list]
    assert "as many pictures" in results[3]["content"]
