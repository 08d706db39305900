"""Lets a responder that knows the hive's own tools answer Claude Code, which brings tools for files and commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from hive.demo.model.conversation import ModelConversation, ModelReply, Responder, ToolCall

PREFIX = "mcp__hive__"
NAMES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "run": ("Bash", {"command": "command"}),
    "read": ("Read", {"path": "file_path"}),
    "write": ("Write", {"path": "file_path", "content": "content"}),
    "edit": ("Edit", {"path": "file_path", "old": "old_string", "new": "new_string"}),
}
"""The hive's tools that Claude Code has under other names, with their parameters."""

BACK = {theirs: (ours, {there: here for here, there in keys.items()}) for ours, (theirs, keys) in NAMES.items()}


@dataclass(frozen=True, slots=True)
class ClaudeDialect:
    """A responder whose calls have the names that the one who asks has tools for."""

    responder: Responder

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The next reply."""
        if not any(tool.startswith(PREFIX) for tool in conversation.tools):
            return self.responder.reply(conversation)
        messages = tuple(
            replace(message, calls=tuple(map(_to_ours, message.calls))) for message in conversation.messages
        )
        reply = self.responder.reply(replace(conversation, messages=messages))
        return replace(reply, calls=tuple(each for call in reply.calls for each in _to_theirs(call)))


def _to_theirs(call: ToolCall) -> Iterator[ToolCall]:
    """A call in its words: it changes no file that it has not read (2.1.197), and a file that is not there is no harm."""
    name, keys = NAMES.get(call.name, (f"{PREFIX}{call.name}", {}))
    if call.name in {"write", "edit"}:
        yield ToolCall("Read", {"file_path": call.input["path"]})
    yield _renamed(call, name, keys)


def _to_ours(call: ToolCall) -> ToolCall:
    name, keys = BACK.get(call.name, (call.name.removeprefix(PREFIX), {}))
    return _renamed(call, name, keys)


def _renamed(call: ToolCall, name: str, keys: Mapping[str, str]) -> ToolCall:
    if not keys:
        return replace(call, name=name)
    return replace(call, name=name, input={keys[key]: value for key, value in call.input.items() if key in keys})
