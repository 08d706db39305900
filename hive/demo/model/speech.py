"""A reply in the format of the Messages API: one message, or the events of a stream. Performs no I/O."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from hive.demo.model.conversation import ModelConversation, ModelReply
from hive.demo.model.request import signature

Event = dict[str, Any]

_LETTERS_PER_TOKEN = 4


def message(conversation: ModelConversation, reply: ModelReply) -> dict[str, Any]:
    """The whole message; its ids follow from the conversation, so that saying it again is saying the same."""
    name = hashlib.sha256(repr((conversation, reply)).encode()).hexdigest()[:24]
    return {
        "id": f"msg_{name}",
        "type": "message",
        "role": "assistant",
        "model": conversation.model,
        "content": _blocks(conversation, reply, name),
        "stop_reason": reply.stop_reason,
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            "input_tokens": count(conversation),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": _tokens(repr(reply)),
        },
    }


def count(conversation: ModelConversation) -> int:
    """An estimate of the tokens that a conversation has."""
    return _tokens(repr(conversation))


def events(whole: dict[str, Any]) -> Iterator[Event]:
    """The events that a message is streamed as."""
    usage = whole["usage"]
    begun = whole | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}
    yield {"type": "message_start", "message": begun}
    yield {"type": "ping"}
    for index, block in enumerate(whole["content"]):
        empty, deltas = _pieces(block)
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {key: whole[key] for key in ("stop_reason", "stop_sequence", "stop_details")},
        "usage": {"output_tokens": usage["output_tokens"]},
    }
    yield {"type": "message_stop"}


def error(kind: str, text: str) -> dict[str, Any]:
    """An error in the API's form, as a body or as an event."""
    return {"type": "error", "error": {"type": kind, "message": text}}


def _blocks(conversation: ModelConversation, reply: ModelReply, name: str) -> list[dict[str, Any]]:
    thought = {"type": "thinking", "thinking": reply.thinking, "signature": signature(conversation, reply.thinking)}
    said = {"type": "text", "text": reply.text}
    calls = [
        {"type": "tool_use", "id": f"toolu_{name}{index}", "name": call.name, "input": dict(call.input)}
        for index, call in enumerate(reply.calls)
    ]
    if reply.server_tool:
        calls.append({"type": "server_tool_use", "id": f"srvtoolu_{name}", "name": reply.server_tool, "input": {}})
    return [*([thought] if reply.thinking else []), *([said] if reply.text else []), *calls]


def _pieces(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """A block as it starts, and what is added to it."""
    match block["type"]:
        case "thinking":
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _halves(block["thinking"])]
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return block | {"thinking": "", "signature": ""}, [*deltas, signed]
        case "tool_use" | "server_tool_use":
            pieces = _halves(json.dumps(block["input"]))
            return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        case _:
            return block | {"text": ""}, [{"type": "text_delta", "text": piece} for piece in _halves(block["text"])]


def _halves(text: str) -> tuple[str, str]:
    middle = len(text) // 2
    return text[:middle], text[middle:]


def _tokens(text: str) -> int:
    return 1 + len(text) // _LETTERS_PER_TOKEN
