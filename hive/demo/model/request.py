"""Parses a request of the Messages API as strictly as the API does. Performs no I/O.

What the API refuses is refused here with the same status and type, so that a client with a wrong
conversation is found without a model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from hive.demo.model.conversation import Message, ModelConversation, ToolCall, ToolResult


class BadRequest(Exception):
    """The request is not one: 400, `invalid_request_error`."""


def parse(body: object) -> ModelConversation:
    """Read a request's body; raises BadRequest."""
    if not isinstance(body, dict):
        raise BadRequest("the body must be an object")
    messages = body.get("messages")
    if not isinstance(body.get("model"), str):
        raise BadRequest("model: field required")
    if not isinstance(messages, list) or not messages:
        raise BadRequest("messages: at least one message is required")
    if not all(isinstance(message, dict) for message in messages):
        raise BadRequest("messages: each must be an object")
    if messages[0].get("role") != "user":
        raise BadRequest("messages.0: the first message must use the user role")
    if messages[-1].get("role") == "assistant" and not _is_paused(messages[-1]):
        raise BadRequest("messages: the conversation must end with a user message")
    read = tuple(_message(index, message) for index, message in enumerate(messages))
    _pair(read)
    tools = tuple(tool["name"] for tool in body.get("tools", []))
    conversation = ModelConversation(body["model"], _text(body.get("system", "")), read, tools)
    _check_thinking(conversation, messages)
    return conversation


def require_max_tokens(body: Mapping[str, Any]) -> None:
    """A request for a reply needs a limit, one for a count does not."""
    if not isinstance(body.get("max_tokens"), int) or body["max_tokens"] < 1:
        raise BadRequest("max_tokens: field required")


def signature(conversation: ModelConversation, thinking: str) -> str:
    """What proves that thinking was not touched on its way through the client, nor what it was based on."""
    fingerprint = (conversation.model, conversation.system, conversation.tools)
    return hashlib.sha256(repr((fingerprint, thinking)).encode()).hexdigest()


def _is_paused(message: Mapping[str, Any]) -> bool:
    """Whether a reply ends with a call at the provider, which goes on when the reply is sent back."""
    content = message.get("content")
    return isinstance(content, list) and bool(content) and content[-1].get("type") == "server_tool_use"


def _message(index: int, message: Mapping[str, Any]) -> Message:
    role, content = message.get("role"), message.get("content")
    if role not in {"user", "assistant", "system"}:
        raise BadRequest(f"messages.{index}.role: unexpected value")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(blocks, list) or not blocks:
        raise BadRequest(f"messages.{index}: all messages must have non-empty content")
    for block in blocks:
        _check(index, block)
    return Message(
        role,
        "\n".join(block["text"] for block in blocks if block["type"] == "text"),
        tuple(ToolCall(block["name"], block["input"], block["id"]) for block in blocks if block["type"] == "tool_use"),
        tuple(_result(block) for block in blocks if block["type"] == "tool_result"),
    )


def _check(index: int, block: Mapping[str, Any]) -> None:
    kind = block.get("type")
    if kind == "text" and not block.get("text"):
        raise BadRequest(f"messages.{index}: text content blocks must be non-empty")
    if kind == "tool_use" and not isinstance(block.get("input"), dict):
        raise BadRequest(f"messages.{index}: tool_use.input: Input should be a valid dictionary")


def _check_thinking(conversation: ModelConversation, messages: list[dict[str, Any]]) -> None:
    blocks = [block for message in messages if isinstance(message["content"], list) for block in message["content"]]
    for block in blocks:
        if block["type"] == "thinking" and block.get("signature") != signature(conversation, block["thinking"]):
            raise BadRequest("Invalid `signature` in `thinking` block")


def _result(block: Mapping[str, Any]) -> ToolResult:
    return ToolResult(block["tool_use_id"], _text(block.get("content", "")), bool(block.get("is_error")))


def _pair(messages: tuple[Message, ...]) -> None:
    """Each call is answered in the next message, and nothing else is."""
    for index, message in enumerate(messages):
        asked = {call.id for call in messages[index - 1].calls} if index else set()
        answered = {result.call_id for result in message.results}
        if missing := asked - answered:
            raise BadRequest(f"messages.{index}: `tool_use` ids without `tool_result` blocks: {sorted(missing)}")
        if unknown := answered - asked:
            raise BadRequest(f"messages.{index}: unexpected `tool_use_id` in `tool_result` blocks: {sorted(unknown)}")


def _text(content: object) -> str:
    """The text of a field that may be a text or a list of blocks."""
    if isinstance(content, list):
        return "\n".join(block.get("text", "") for block in content)
    return str(content)
