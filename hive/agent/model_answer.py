"""What an answer of the Messages API used and why it ended, read while it passes through. Changes no byte, performs no I/O."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

MAX_EVENT = 1 << 20
"""Bytes of an event that is read; a longer one holds content, and no usage."""

MAX_OBJECT = 16 << 20
_NEWS = (b'"message_start"', b'"message_delta"', b'"message_stop"')


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: the id of its message, why it stopped, the number of its blocks, and its usage."""

    id: str
    stop_reason: str = ""
    blocks: int = 0
    usage: dict[str, Any] = field(default_factory=dict)


class AnswerReader:
    """Reads one answer: a stream of events, or one object."""

    def __init__(self, content_type: str) -> None:
        self._is_stream = content_type.startswith("text/event-stream")
        self._rest = b""
        self._id = ""
        self._stop = ""
        self._blocks = 0
        self._usage: dict[str, Any] = {}

    def read(self, chunk: bytes) -> Answer | None:
        """Take bytes; the answer, when a stream has come to its end with them."""
        if not self._is_stream:
            self._rest = (self._rest + chunk)[: MAX_OBJECT + 1]
            return None
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > MAX_EVENT:
            self._rest = b":"  # a comment in a stream of events
        done = None
        for line in lines:
            self._blocks += line.startswith(b"data:") and b'"content_block_start"' in line[:200]
            if line.startswith(b"data:") and any(name in line[:200] for name in _NEWS) and self._take(line[5:]):
                done = Answer(self._id, self._stop, self._blocks, self._usage)
        return done

    def end(self) -> Answer | None:
        """The answer of a body that is one object, if it is one."""
        if self._is_stream or len(self._rest) > MAX_OBJECT:
            return None
        told = _object(self._rest)
        if told.get("type") != "message":
            return None
        self._note(told)
        content = told.get("content")
        self._blocks = len(content) if isinstance(content, list) else 0
        return Answer(self._id, self._stop, self._blocks, self._usage)

    def _take(self, data: bytes) -> bool:
        """Read an event; whether it is the last one."""
        event = _object(data)
        match event.get("type"):
            case "message_start":
                self._note(event.get("message"))
            case "message_delta":
                self._note({**_mapping(event.get("delta")), "usage": event.get("usage")})
            case "message_stop":
                return True
        return False

    def _note(self, message: object) -> None:
        told = _mapping(message)
        self._id = _text(told.get("id")) or self._id
        self._stop = _text(told.get("stop_reason")) or self._stop
        usage = _mapping(told.get("usage"))
        self._usage.update({key: value for key, value in usage.items() if _is_count(key, value)})


def _object(data: bytes) -> dict[str, Any]:
    try:
        return _mapping(json.loads(data))
    except (ValueError, RecursionError):
        return {}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value[:200] if isinstance(value, str) else ""


def _is_count(key: str, value: object) -> bool:
    return key.endswith("_tokens") and isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1 << 40
