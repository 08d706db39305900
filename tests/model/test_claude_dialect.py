"""A scripted model answers Claude Code in the words of its tools, and understands what it says back."""

from __future__ import annotations

from dataclasses import dataclass, field

from hive.demo.model import ClaudeDialect, Message, ModelConversation, ModelReply, ToolCall, ToolResult

OURS = (
    ToolCall("run", {"command": "ls"}),
    ToolCall("write", {"path": "a", "content": "x"}),
    ToolCall("edit", {"path": "a", "old": "x", "new": "y"}),
    ToolCall("submit", {"title": "t", "summary": "s"}),
)
THEIRS = (
    ToolCall("Bash", {"command": "ls"}),
    ToolCall("Read", {"file_path": "a"}),
    ToolCall("Write", {"file_path": "a", "content": "x"}),
    ToolCall("Read", {"file_path": "a"}),
    ToolCall("Edit", {"file_path": "a", "old_string": "x", "new_string": "y"}),
    ToolCall("mcp__hive__submit", {"title": "t", "summary": "s"}),
)


@dataclass
class Listener:
    """Remembers what it was shown."""

    shown: list[ModelConversation] = field(default_factory=list)

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """Calls everything."""
        self.shown.append(conversation)
        return ModelReply("Now.", OURS)


def talk(*tools: str) -> ModelConversation:
    """A conversation in which everything was called."""
    results = tuple(ToolResult(f"{number}", "ok") for number, _ in enumerate(THEIRS))
    calls = tuple(ToolCall(call.name, call.input, f"{number}") for number, call in enumerate(THEIRS))
    messages = (Message("user", "Do it."), Message("assistant", calls=calls), Message("user", results=results))
    return ModelConversation("m", "", messages, tools)


def test_both_ways() -> None:
    """Calls are told in its names, a file is read before it is changed, and results come back under the hive's names."""
    listener = Listener()
    reply = ClaudeDialect(listener).reply(talk("Bash", "Write", "mcp__hive__submit"))
    assert (reply.text, reply.calls) == ("Now.", THEIRS)
    made = [(call.name, dict(call.input)) for call, _ in listener.shown[0].made if call.name != "read"]
    assert made == [(call.name, dict(call.input)) for call in OURS]


def test_others_are_left_alone() -> None:
    """Who has the hive's own tools hears their names."""
    listener, conversation = Listener(), talk("run", "write", "submit")
    assert ClaudeDialect(listener).reply(conversation).calls == OURS
    assert listener.shown == [conversation]
