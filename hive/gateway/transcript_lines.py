"""Validates lines of a transcript: the host stores what harnesses send, and trusts no shape of it.

A command of an agent may impersonate its harness. What it sends has to be a line that later harnesses can
read, so that none of them fails. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

MAX_DEPTH = 32
"""Of what a model gives a tool; deeper is no tool's input."""

OUTCOMES = frozenset({"asked", "bounced", "pushed", "partial", "proposed", "answered", "no-op", "blocked", "failed"})
TEXTS = {"text": ("text",), "thinking": ("thinking",), "redacted_thinking": ("data",), "tool_use": ("id", "name")}
"""What is text in a block, by the block's type; other types only have to be named."""

EDITS = frozenset({"write", "edit", "Write", "Edit", "MultiEdit", "NotebookEdit"})
COMMANDS = frozenset({"run", "Bash"})
"""Tools that change a file, and that run a command: our own, and Claude Code's."""


class MalformedLine(ValueError):
    """An invalid line; the message says why."""


def line_of(turn: int, value: object) -> dict[str, Any]:
    """A valid line of a turn; raises MalformedLine."""
    line = _mapping(value, "a line")
    unknown = line.keys() - _FIELDS.keys()
    if unknown or not line:
        raise MalformedLine(f"a line has no {', '.join(sorted(unknown)) or 'content'}")
    for key, check in _FIELDS.items():
        if key in line:
            check(line[key], key)
    if line.get("turn", turn) != turn:
        raise MalformedLine("a turn tells of itself only")
    if ("turn" in line and "mind" not in line) or ("role" in line) != ("content" in line):
        raise MalformedLine("a turn begins with its mind, and a message has a role and content")
    if ({"joins", "moved", "budget"} & line.keys()) and line.get("role") != "user":
        raise MalformedLine("what is told during a turn is a message of a user")
    if line.get("role") == "assistant" and not {"stop_reason", "usage"} <= line.keys():
        raise MalformedLine("a reply says why it stopped and what it used")
    _not_too_deep(line, MAX_DEPTH)
    return dict(line)


def is_step(line: Mapping[str, Any]) -> bool:
    """Whether a line is a step forward: a reply of the model."""
    return line.get("role") == "assistant"


def uses(line: Mapping[str, Any]) -> tuple[int, int]:
    """How many edits of files and how many commands a line asks for, by the tools' names in the engines."""
    tools = [block["name"] for block in line.get("content", ()) if block["type"] == "tool_use"]
    return sum(tool in EDITS for tool in tools), sum(tool in COMMANDS for tool in tools)


def text_of_message(line: Mapping[str, Any]) -> str:
    """The text of a message that holds nothing else; empty for any other."""
    content = line.get("content", ())
    return str(content[0]["text"]) if len(content) == 1 and content[0]["type"] == "text" else ""


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise MalformedLine(f"{what} is an object")
    return value


def _text(value: object, what: str) -> None:
    if not isinstance(value, str):
        raise MalformedLine(f"{what} is text")


def _texts(value: object, what: str) -> None:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise MalformedLine(f"{what} is a list of texts")


def _number(value: object, what: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise MalformedLine(f"{what} is a number")


def _true(value: object, what: str) -> None:
    if value is not True:
        raise MalformedLine(f"{what} is true where it stands")


def _role(value: object, what: str) -> None:
    if value not in ("user", "assistant"):
        raise MalformedLine(f"{what} is user or assistant")


def _content(value: object, what: str) -> None:
    if not isinstance(value, list):
        raise MalformedLine(f"{what} is a list of blocks")
    for block in value:
        _block(_mapping(block, "a block"))


def _block(block: Mapping[str, Any]) -> None:
    kind = block.get("type")
    _text(kind, "the type of a block")
    for key in TEXTS.get(str(kind), ()):
        _text(block.get(key), f"{key} of a {kind} block")
    if kind == "tool_use":
        _mapping(block.get("input"), "the input of a tool")
    if kind == "tool_result":
        _text(block.get("tool_use_id"), "what a result belongs to")
        _result(block.get("content"))


def _result(content: object) -> None:
    """A text, or texts and pictures."""
    if not isinstance(content, list):
        _text(content, "a result")
        return
    for part in content:
        block = _mapping(part, "a part of a result")
        if block.get("type") == "image":
            source = _mapping(block.get("source"), "the source of a picture")
            for key in ("type", "media_type", "data"):
                _text(source.get(key), f"{key} of a picture")
        elif block.get("type") == "text":
            _text(block.get("text"), "the text of a result")
        else:
            raise MalformedLine("a part of a result is a text or a picture")


def _usage(value: object, what: str) -> None:
    for key, count in _mapping(value, what).items():
        if isinstance(count, (int, float)) and not isinstance(count, bool) and not 0 <= count <= 1 << 40:
            raise MalformedLine(f"{key} is no count of tokens")
        if key.endswith("_tokens") and count is not None and not isinstance(count, int):
            raise MalformedLine(f"{key} is a number")


def _end(value: object, what: str) -> None:
    end = _mapping(value, what)
    if set(end) != {"outcome", "message"} or end["outcome"] not in OUTCOMES:
        raise MalformedLine("an end has an outcome and a message")
    _text(end["message"], "the message of an end")


def _not_too_deep(value: object, left: int) -> None:
    if left == 0:
        raise MalformedLine(f"a line is at most {MAX_DEPTH} deep")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        _not_too_deep(each, left - 1)


_FIELDS: dict[str, Callable[[object, str], None]] = {
    "turn": _number,
    "mind": _text,
    "shortened": _true,
    "joins": _number,
    "moved": _true,
    "blind": _true,
    "budget": _number,
    "window": _number,
    "checkpoint": _true,
    "new": _true,
    "role": _role,
    "content": _content,
    "stop_reason": _text,
    "repaired": _texts,
    "usage": _usage,
    "end": _end,
}
