"""Assembles a model's reply from server-sent events. Performs no I/O: lines in, one message out.

Blocks are kept unchanged, thinking with its signature included: the Messages API accepts a
conversation only with every earlier block unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from hive.agent.errors import GarbledReply, HostUnavailable, TurnEnded
from hive.agent.text import repaired

FINISHED = {"end_turn", "stop_sequence", "tool_use"}
"""Stop reasons of a complete reply; with any other one its blocks may be cut."""

PASSING = {"api_error", "overloaded_error", "rate_limit_error", "timeout_error"}
"""Types of error that asking again may cure, in an answer's body as in the middle of a stream."""

GARBLED = "the model's reply was garbled"
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

    Raises HostUnavailable for a stream that is cut, garbled or ended by a temporary error, and
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


def failure(body: dict[str, Any]) -> HostUnavailable | TurnEnded:
    """The exception for an error object of the Messages API."""
    error = body.get("error")
    told = error if isinstance(error, dict) else {"message": error}
    sentence = f"The model answered with an error: {told.get('message') or told.get('type') or 'no reason given'}"
    if told.get("type") in PASSING:
        return HostUnavailable(sentence)
    return TurnEnded("blocked" if told.get("type") == "billing_error" else "failed", sentence)


class _Reply:
    """The message so far."""

    def __init__(self) -> None:
        self.blocks: dict[int, dict[str, Any]] = {}
        self.inputs: dict[int, str] = {}
        self.stop_reason = ""
        self.usage: dict[str, Any] = {}

    def take(self, event: dict[str, Any]) -> None:
        match event.get("type"):
            case "message_start":
                self.usage.update(event["message"].get("usage", {}))
            case "content_block_start":
                self.blocks[event["index"]] = dict(event["content_block"])
            case "content_block_delta":
                self._grow(event["index"], event["delta"])
            case "message_delta":
                self.stop_reason = event["delta"].get("stop_reason") or ""
                self.usage.update(event.get("usage", {}))

    def _grow(self, index: int, delta: dict[str, Any]) -> None:
        if delta["type"] == "input_json_delta":
            self.inputs[index] = self.inputs.get(index, "") + delta["partial_json"]
        elif part := _PARTS.get(delta["type"]):
            block = self.blocks[index]
            block[part] = block.get(part, "") + delta[part]

    def message(self) -> dict[str, Any]:
        """The reply as a message; without content if it stopped early.

        Unsendable text is repaired, and calls whose input was repaired are named in `repaired`: they are not executed.
        """
        content, unsound = [], []
        if self.stop_reason in FINISHED:
            for index, text in self.inputs.items():
                self.blocks[index]["input"] = _object(text.encode("utf-8", "surrogatepass") or b"{}")
            for block in (self.blocks[index] for index in sorted(self.blocks)):
                whole = repaired(block)
                if block.get("text") == "" or (whole != block and block["type"] in _SIGNED):
                    continue  # a text block may come empty, and is refused when it is sent back so
                content.append(whole)
                if block["type"] == "tool_use" and whole != block:
                    unsound.append(whole["id"])
        more = {"repaired": unsound} if unsound else {}
        return {
            "role": "assistant",
            "content": content,
            "stop_reason": self.stop_reason,
            "usage": self.usage,
            **more,
        }


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
