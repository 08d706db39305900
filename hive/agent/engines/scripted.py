"""The engine that plays replies from a file of the agent's configuration, for demos and tests: no model, no key.

A reply takes the way of a model's: as a stream of events it is assembled, written into the transcript and executed.

[{"when": "a pattern that the newest message has", "replies": [{"text": "…", "calls": [{"name": "run", "input": {…}}]}]}]
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from zlib import crc32

from hive.agent.budget_gauge import BudgetGauge
from hive.agent.context_window import ContextWindow
from hive.agent.engines.engine import Workplace
from hive.agent.engines.history import texts
from hive.agent.errors import TurnEnded
from hive.agent.loop import AgentLoop
from hive.agent.stream import assemble, events
from hive.agent.tool_declarations import HIVE_TOOLS, WORK_TOOLS, Tool, offered
from hive.agent.turn import TurnBrief

FILE = "replies.json"
PLAYED_OUT = "My script has no reply to this."
UNREADABLE = "My script cannot be read: {why}"
_SHAPE = 'a list of objects such as {"when": "", "replies": [{"text": "", "calls": [{"name": "run", "input": {}}]}]}'


@dataclass(frozen=True, slots=True)
class ScriptedScene:
    """Replies to one message, in order; `when` is searched in it, whatever the case."""

    when: re.Pattern[str]
    replies: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class ScriptedModel:
    """Replies by the number of replies since the newest message, of the first scene that fits that."""

    scenes: tuple[ScriptedScene, ...]
    budget: BudgetGauge = field(default_factory=BudgetGauge)
    """Nothing: it costs nothing."""

    def reply(self, messages: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The next message; raises TurnEnded if there is none."""
        newest = max(index for index, message in enumerate(messages) if message["role"] == "user" and texts(message))
        said = "\n".join(texts(messages[newest]))
        step = sum(message["role"] == "assistant" for message in messages[newest:])
        scene = next((scene for scene in self.scenes if scene.when.search(said)), None)
        if scene is None or step >= len(scene.replies):
            raise TurnEnded("blocked", PLAYED_OUT)
        return assemble(events(_stream(scene.replies[step], f"{len(messages)}")))


def read(text: str) -> ScriptedModel:
    """The model that a file describes; raises ValueError with a sentence for people."""
    try:
        told = json.loads(text)
        scenes = tuple(
            ScriptedScene(re.compile(scene.get("when", ""), re.IGNORECASE | re.MULTILINE), _replies(scene))
            for scene in told
        )
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except re.error as error:
        raise ValueError(f"{error.pattern!r} is no pattern: {error}") from error
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"it should be {_SHAPE}") from error
    return ScriptedModel(scenes)


def _replies(scene: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    replies = []
    for reply in scene["replies"]:
        calls = [{"name": str(call["name"]), "input": dict(call["input"])} for call in reply.get("calls", [])]
        replies.append({"text": str(reply.get("text", "")), "calls": calls})
    return tuple(replies)


def _stream(reply: dict[str, Any], number: str) -> Iterator[bytes]:
    """The server-sent events of a reply, as the Messages API sends them."""
    blocks: list[tuple[dict[str, Any], dict[str, Any]]] = []
    if reply["text"]:
        blocks.append(({"type": "text", "text": ""}, {"type": "text_delta", "text": reply["text"]}))
    for place, call in enumerate(reply["calls"]):
        start = {"type": "tool_use", "id": f"call_{number}_{place}", "name": call["name"], "input": {}}
        blocks.append((start, {"type": "input_json_delta", "partial_json": json.dumps(call["input"])}))
    usage = {"input_tokens": 0, "output_tokens": 0}
    told: list[dict[str, Any]] = [{"type": "message_start", "message": {"usage": usage}}]
    for index, (block, delta) in enumerate(blocks):
        told.append({"type": "content_block_start", "index": index, "content_block": block})
        told.append({"type": "content_block_delta", "index": index, "delta": delta})
        told.append({"type": "content_block_stop", "index": index})
    reason = "tool_use" if reply["calls"] else "end_turn"
    told += [{"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}, {"type": "message_stop"}]
    for event in told:
        yield f"event: {event['type']}\n".encode()
        yield f"data: {json.dumps(event)}\n".encode()
        yield b"\n"


@dataclass(frozen=True, slots=True)
class ScriptedEngine:
    """Plays the replies of a file."""

    name: str = "scripted"

    def tools(self, turn: TurnBrief) -> tuple[Tool, ...]:
        """All that a model is offered."""
        return offered((*WORK_TOOLS, *HIVE_TOOLS), turn.capabilities)

    def fingerprint(self, turn: TurnBrief) -> str:
        """The instructions; nobody reads them."""
        return f"{self.name}:{crc32(turn.system.encode()):08x}"

    def work(self, place: Workplace) -> NoReturn:
        """Play until the turn ends."""
        turn, window = place.turn, ContextWindow(place.transcript, _model(place.config / FILE))
        AgentLoop(turn, place.transcript, window, place.toolbox, place.mailbox, place.between, place.is_late).run()


def _model(path: Path) -> ScriptedModel:
    try:
        return read(path.read_text())
    except (OSError, ValueError) as error:
        raise TurnEnded("failed", UNREADABLE.format(why=error)) from error


ENGINE = ScriptedEngine()
