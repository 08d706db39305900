"""Assembles a model's reply from server-sent events. Performs no I/O: lines in, one message out.

Blocks are kept unchanged, thinking with its signature included: the Messages API accepts a
conversation only with every earlier block unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from hive.agent.context_overflow import is_overflow
from hive.agent.errors import ContextOverflow, GarbledReply, HostUnavailable, TurnEnded
from hive.agent.text import repaired

PAUSED = "pause_turn"
"""The stop reason of a reply that the model goes on with when it is sent back."""

FINISHED = {"end_turn", "stop_sequence", "tool_use", PAUSED}
"""Stop reasons of a complete reply; with any other one its blocks may be cut."""

PASSING = {"api_error", "overloaded_error", "rate_limit_error", "timeout_error"}
"""Types of error that asking again may cure, in an answer's body as in the middle of a stream."""

GARBLED = "the model's reply was garbled"
MAX_COUNT = 1 << 40
MAX_DEPTH = 16
"""Of an event, and of what a tool is given: none is meant to be deeper."""

_SIGNED = {"thinking", "redacted_thinking"}
"""Blocks that are refused if they are changed: one that cannot be sent unchanged is left out."""

_PARTS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


def events(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The data of each server-sent event; their names are redundant."""
    data = b""
    for line in lines:
        text = line.rstrip(b"\r\n")
        if text.startswith(b"data:"):
            data += text[5:]
        elif not text and data:
            yield _object(data)
            data = b""


def assemble(stream: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The message of a stream of events.

    Raises HostUnavailable for a stream that is cut, garbled or ended by a temporary error, ContextOverflow, and
    TurnEnded for a permanent error. A stream may end in good order and still lack its
    `message_stop`: the reply is truncated then, and nothing else says so.
    """
    reply = _Reply()
    for event in stream:
        if event.get("type") == "error":
            raise failure(event)
        if event.get("type") == "message_stop":
            return reply.message()
        try:
            reply.take(event)
        except KeyError as error:
            raise GarbledReply(GARBLED) from error
    raise HostUnavailable("the model's reply was cut off")


def whole(answer: dict[str, Any]) -> dict[str, Any]:
    """The message of an answer in one object, which some servers give though a stream was asked for.

    Raises what `assemble` raises.
    """
    if answer.get("type") == "error":
        raise failure(answer)
    content = answer.get("content") or []
    if answer.get("type") != "message" or not isinstance(content, list | str):
        raise GarbledReply(GARBLED)
    reply = _Reply()
    reply.count(answer.get("usage"))
    reply.stop(answer)
    for index, block in enumerate([{"type": "text", "text": content}] if isinstance(content, str) else content):
        reply.begin(index, block)
    return reply.message()


def failure(body: dict[str, Any]) -> HostUnavailable | TurnEnded | ContextOverflow:
    """The exception for an error object of the Messages API."""
    error = body.get("error")
    told = error if isinstance(error, dict) else {"message": error}
    sentence = f"The model answered with an error: {told.get('message') or told.get('type') or 'no reason given'}"
    if told.get("type") != "rate_limit_error" and is_overflow(sentence):
        return ContextOverflow(sentence)
    if told.get("type") in PASSING:
        return HostUnavailable(sentence)
    return TurnEnded("blocked" if told.get("type") == "billing_error" else "failed", sentence)


class _Reply:
    """The message so far. Servers write null where the API has an object, a text or nothing at all."""

    def __init__(self) -> None:
        self.blocks: dict[int, dict[str, Any]] = {}
        self.inputs: dict[int, str] = {}
        self.stop_reason = ""
        self.usage: dict[str, int] = {}

    def take(self, event: dict[str, Any]) -> None:
        match event.get("type"):
            case "message_start":
                self.count(_mapping(event.get("message")).get("usage"))
            case "content_block_start":
                self.begin(event["index"], event["content_block"])
            case "content_block_delta":
                self._grow(event["index"], _mapping(event.get("delta")))
            case "message_delta":
                self.stop(_mapping(event.get("delta")))
                self.count(event.get("usage"))

    def begin(self, index: int, block: object) -> None:
        """A block begins; raises GarbledReply for what is none."""
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise GarbledReply(GARBLED)
        self.blocks[index] = dict(block)

    def stop(self, told: dict[str, Any]) -> None:
        """The reason for the end, if it is told."""
        self.stop_reason = _text(told.get("stop_reason")) or self.stop_reason

    def count(self, usage: object) -> None:
        """What was used so far, as far as it is numbers."""
        for key, value in _mapping(usage).items():
            if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_COUNT:
                self.usage[key] = value

    def _grow(self, index: int, delta: dict[str, Any]) -> None:
        kind = _text(delta.get("type"))
        if kind == "input_json_delta":
            self.inputs[index] = self.inputs.get(index, "") + _text(delta.get("partial_json"))
        elif part := _PARTS.get(kind):
            block = self.blocks[index]
            block[part] = _text(block.get(part)) + _text(delta.get(part))

    def message(self) -> dict[str, Any]:
        """The reply as a message; without content if it stopped early.

        Unsendable text is repaired, and calls whose input was repaired are named in `repaired`: they are not executed.
        """
        content, unsound = [], []
        if not self.stop_reason:
            raise GarbledReply(GARBLED)
        if self.stop_reason in FINISHED:
            for block in (self._block(index) for index in sorted(self.blocks)):
                sound = repaired(block)
                if block.get("text") == "" or (sound != block and block["type"] in _SIGNED):
                    continue  # a text block may come empty, and is refused when it is sent back so
                content.append(sound)
                if block["type"] == "tool_use" and sound != block:
                    unsound.append(sound["id"])
        more = {"repaired": unsound} if unsound else {}
        return {
            "role": "assistant",
            "content": content,
            "stop_reason": self.stop_reason,
            "usage": self.usage,
            **more,
        }

    def _block(self, index: int) -> dict[str, Any]:
        """A block when all of it is there, with the texts that its type has; raises GarbledReply."""
        block = self.blocks[index]
        if (given := self.inputs.get(index)) is not None:
            block["input"] = _object(given.encode("utf-8", "surrogatepass") or b"{}")
        kind = block["type"]
        if kind in ("text", "thinking"):
            block[kind] = _text(block.get(kind))
        if kind == "tool_use":
            block["input"] = _mapping(block.get("input"))
            if not _text(block.get("id")) or not _text(block.get("name")) or _depth(block) > MAX_DEPTH:
                raise GarbledReply(GARBLED)
        return block


def _mapping(value: object) -> dict[str, Any]:
    """An object; an empty one for null. Raises GarbledReply."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise GarbledReply(GARBLED)
    return value


def _text(value: object) -> str:
    """A text; an empty one for null. Raises GarbledReply."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise GarbledReply(GARBLED)
    return value


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
        depth = _depth(value)
    except (ValueError, RecursionError) as error:
        raise GarbledReply(GARBLED) from error
    if not isinstance(value, dict) or depth > MAX_DEPTH:
        raise GarbledReply(GARBLED)
    return value


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)
