"""A model's reply, put together from server-sent events. Performs no I/O: lines in, one message out.

Blocks are kept as they came, thinking with its signature included: the Messages API takes a
conversation back only with every earlier block unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from hive.agent.errors import Ended, Unavailable

FINISHED = {"end_turn", "stop_sequence", "tool_use"}
"""Reasons to stop after which a reply is whole; after any other its blocks may end in mid-word."""

PASSING = {"api_error", "overloaded_error", "rate_limit_error", "timeout_error"}
"""Types of error that asking again may cure, in an answer's body as in the middle of a stream."""

_PARTS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


def events(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The data of each server-sent event; their names say nothing that the data does not."""
    data = b""
    for line in lines:
        text = line.rstrip(b"\r\n")
        if text.startswith(b"data:"):
            data += text[5:]
        elif not text and data:
            yield _object(data)
            data = b""


def assemble(stream: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The message that a stream of events tells.

    Raises Unavailable for a stream that is cut, garbled or broken off by a passing error, and
    Ended for an error that will not pass. A stream may end in good order and still lack its
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
            raise Unavailable("the model's reply was garbled") from error
    raise Unavailable("the model's reply was cut off")


def failure(body: dict[str, Any]) -> Unavailable | Ended:
    """The exception for an error object of the Messages API."""
    error = body.get("error")
    told = error if isinstance(error, dict) else {"message": error}
    sentence = f"The model answered with an error: {told.get('message') or told.get('type') or 'no reason given'}"
    if told.get("type") in PASSING:
        return Unavailable(sentence)
    return Ended("blocked" if told.get("type") == "billing_error" else "failed", sentence)


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
        """The reply as a message; without content if it stopped before it was whole."""
        content = []
        if self.stop_reason in FINISHED:
            for index, text in self.inputs.items():
                self.blocks[index]["input"] = _object(text.encode() or b"{}")
            blocks = [self.blocks[index] for index in sorted(self.blocks)]
            # A text block may come empty, and is refused when it is sent back so.
            content = [block for block in blocks if block.get("text") != ""]
        return {"role": "assistant", "content": content, "stop_reason": self.stop_reason, "usage": self.usage}


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise Unavailable("the model's reply was garbled") from error
    if not isinstance(value, dict):
        raise Unavailable("the model's reply was garbled")
    return value
