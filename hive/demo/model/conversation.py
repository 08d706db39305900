"""The nouns of a conversation with a model, frozen, and what a brain is. Performs no I/O.

A brain decides by the conversation alone: the same conversation is answered the same, however often it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hive.demo.model.faults import Fault


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call; `id` is given by the server when a brain makes one."""

    name: str
    input: Mapping[str, Any]
    id: str = ""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool call came to."""

    call_id: str
    text: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its text, and the calls or results in it."""

    role: str
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolResult, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelConversation:
    """All that a model is shown: instructions, messages, and the names of the tools it may call."""

    model: str
    system: str
    messages: tuple[Message, ...]
    tools: tuple[str, ...] = ()

    @property
    def task(self) -> str:
        """What a user wrote first: for an agent, the issue."""
        return next((message.text for message in self.messages if _is_news(message)), "")

    @property
    def news(self) -> str:
        """What a user wrote last, tool results aside."""
        return self.messages[self._newest].text

    @property
    def since(self) -> tuple[Message, ...]:
        """The messages after the newest one of a user: the model's own, and tool results."""
        return self.messages[self._newest + 1 :]

    @property
    def round(self) -> int:
        """The number of replies to the news so far."""
        return sum(message.role == "assistant" for message in self.since)

    @property
    def made(self) -> tuple[tuple[ToolCall, ToolResult], ...]:
        """The calls since the news, each with what it came to."""
        results = {result.call_id: result for message in self.since for result in message.results}
        asked = [call for message in self.since for call in message.calls]
        return tuple((call, results[call.id]) for call in asked if call.id in results)

    @property
    def _newest(self) -> int:
        return max((index for index, message in enumerate(self.messages) if _is_news(message)), default=0)


@dataclass(frozen=True, slots=True)
class ModelReply:
    """A reply: text, tool calls, and a stop reason if it is not one of the usual two.

    `thinking` comes before both, signed. `server_tool` is called at the provider, before the client sees anything of it.
    A `fault` is played instead of the rest, or in the middle of it.
    """

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    stop: str = ""
    thinking: str = ""
    server_tool: str = ""
    fault: Fault | None = None

    @property
    def stop_reason(self) -> str:
        """The reason as the Messages API gives it."""
        return self.stop or ("tool_use" if self.calls else "end_turn")


class Responder(Protocol):
    """What decides on replies."""

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The next reply; depends on the conversation only."""


def _is_news(message: Message) -> bool:
    return message.role == "user" and bool(message.text)
