"""Plays one story on each engine: what a model says, in the words that an engine's tools have."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hive.agent.engines.scripted import FILE
from hive.demo.model import DiffResponder, ModelReply, Scene, Script, ToolCall

if TYPE_CHECKING:
    from tests.agent.conftest import World

STAND_IN = Path(__file__).parent / "stand_in.py"
"""The program that plays where one of others is wanted."""


class Player:
    """Lets an engine play replies whose calls have the names that the hive's own tools have.

    `turn` is what is different in a turn of this engine.
    """

    name = "native"
    turn: ClassVar[Mapping[str, Any]] = {}

    def play(self, world: World, *replies: ModelReply) -> None:
        """Let these be the replies to each message of a turn."""
        told = tuple(self.told(world, reply) for reply in replies)
        world.responder = Script([Scene("", told)], otherwise=DiffResponder())

    def told(self, world: World, reply: ModelReply) -> ModelReply:
        """A reply in this engine's words."""
        return replace(reply, calls=tuple(self.call(world, call) for call in reply.calls))

    def call(self, world: World, call: ToolCall) -> ToolCall:
        """A call in this engine's words."""
        return call

    def __str__(self) -> str:
        return self.name


class ClaudePlayer(Player):
    """Claude Code, or what stands in for it: it has tools for files of its own."""

    name = "claude-code"
    turn: ClassVar[Mapping[str, Any]] = {"engine": "claude-code"}

    def call(self, world: World, call: ToolCall) -> ToolCall:
        tree = world.place.state / "runs" / "7" / "work"
        match call.name:
            case "run":
                return ToolCall("Bash", call.input)
            case "write":
                path = str(tree / call.input["path"])
                return ToolCall("Write", {"file_path": path, "content": call.input["content"]})
            case name:
                return ToolCall(f"mcp__hive__{name}", call.input)


class CommandPlayer(Player):
    """Any program: it has tools of its own, and the hive's by their plain names."""

    name = "command"
    turn: ClassVar[Mapping[str, Any]] = {"engine": "command", "command": [sys.executable, "-ISs", str(STAND_IN)]}


class ScriptedPlayer(Player):
    """No model at all."""

    name = "scripted"
    turn: ClassVar[Mapping[str, Any]] = {"engine": "scripted"}

    def play(self, world: World, *replies: ModelReply) -> None:
        told = [
            {"text": reply.text, "calls": [{"name": call.name, "input": dict(call.input)} for call in reply.calls]}
            for reply in replies
        ]
        (world.place.config / FILE).write_text(json.dumps([{"replies": told}]))


PLAYERS = (Player(), ClaudePlayer(), CommandPlayer(), ScriptedPlayer())
"""All engines that can be had here."""


def run(command: str) -> ModelReply:
    return ModelReply("Let me see.", (ToolCall("run", {"command": command}),))


def write(path: str, content: str) -> ModelReply:
    return ModelReply(calls=(ToolCall("write", {"path": path, "content": content}),))


def submit(title: str = "Count from two", summary: str = "As asked.") -> ModelReply:
    return ModelReply(calls=(ToolCall("submit", {"title": title, "summary": summary}),))


def finish(outcome: str, message: str) -> ModelReply:
    return ModelReply(calls=(ToolCall("finish", {"outcome": outcome, "message": message}),))
