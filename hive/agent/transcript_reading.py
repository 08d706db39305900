"""What the lines of a transcript come to: a conversation, its length, the calls that were made. Performs no I/O.

See `transcript.py` for what the lines are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hive.agent.compaction import THINKING, compacted
from hive.agent.repetition import Exchange, canonical

TOKENS_IN = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")

_LETTERS, _PICTURE = 4, 6_000
"""Letters of a token, about; and for how many a picture counts."""

NOT_SEEN = {"type": "text", "text": "[A picture stands here, and the model's server does not take it.]"}

Line = Mapping[str, Any]
Takes = Callable[[str, Mapping[str, Any]], bool]


def messages_of(lines: Sequence[Line], fingerprint: str | None) -> list[dict[str, Any]]:
    """The conversation that a mind is sent: a message without content is refused there, and two of a user in a row may be.

    A checkpoint is part of it until the conversation was made shorter; one that came to nothing is left out. Of what another
    engine did only the words stay: its calls were of other tools, and may have no results.
    """
    messages: list[dict[str, Any]] = []
    mind: str | None = None
    before: list[dict[str, Any]] | None = None
    notes = ""
    foreign: set[str] = set()
    for line in lines:
        mind = line.get("mind", mind)
        if "new" in line:
            messages, before, notes = [], None, ""
        elif "shortened" in line:
            messages, before, notes = compacted(messages if before is None else before, notes), None, ""
        elif "checkpoint" in line:
            before = [*messages] if before is None else before
            notes = _words(line) if line["role"] == "assistant" else ""
        elif "role" in line and before is not None:
            messages, before = before, None
        blocks = line.get("content") or ()
        if engine_of(mind) != engine_of(fingerprint):
            foreign.update(block["id"] for block in blocks if block["type"] == "tool_use")
            blocks = [block for block in blocks if block["type"] == "text"]
        blocks = [block for block in blocks if block.get("tool_use_id") not in foreign]
        content = [block for block in blocks if mind == fingerprint or block["type"] not in THINKING]
        if content:
            _add(messages, line["role"], content)
    return [without_pictures(message) for message in messages] if any("blind" in line for line in lines) else messages


def engine_of(mind: str | None) -> str:
    """The engine of a mind that names one, `claude-code:1234abcd`; empty for the hive's own loop."""
    name, _, digest = (mind or "").partition(":")
    return name if digest else ""


def without_pictures(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message with words in the place of each picture."""
    return {"role": message["role"], "content": [_without_pictures(block) for block in message["content"]]}


def pictures_in(messages: Iterable[Mapping[str, Any]]) -> int:
    """How many letters the pictures of a conversation have together, as they are sent."""
    parts = (part for message in messages for block in message["content"] for part in _parts(block))
    return sum(len(part["source"]["data"]) for part in parts if part["type"] == "image")


def checkpoint_of(lines: Sequence[Line]) -> str:
    """How far a checkpoint is: `asked` or `noted`; empty if none is open."""
    for line in reversed(lines):
        if "role" in line or "shortened" in line or "new" in line:
            return {"user": "asked", "assistant": "noted"}[line["role"]] if "checkpoint" in line else ""
    return ""


def window_of(lines: Sequence[Line]) -> int:
    """How many tokens the present mind read when it could not read more; 0 if that never happened."""
    window, mind = 0, None
    for line in lines:
        if line.get("mind", mind) != mind:
            window, mind = 0, line["mind"]
        window = line.get("window", window)
    return window


def weight_of(lines: Sequence[Line]) -> int:
    """About how many tokens the conversation has: those of its last reply, and what came since; 0 before a reply."""
    letters = 0
    for line in reversed(lines):
        if "shortened" in line or "new" in line:
            break
        if line.get("role") == "assistant" and "checkpoint" not in line:
            usage = line["usage"]
            return sum(int(usage.get(kind) or 0) for kind in (*TOKENS_IN, "output_tokens")) + letters // _LETTERS
        letters += sum(map(_length, line.get("content") or ()))
    return 0


def replies_since_shortened(section: Sequence[Line]) -> int:
    """How many replies there are since the conversation was made shorter; very many if it was not, in these lines."""
    count = 0
    for line in reversed(section):
        if "shortened" in line:
            return count
        count += line.get("role") == "assistant"
    return sys.maxsize


def exchanges_of(section: Sequence[Line], takes: Takes) -> list[Exchange]:
    """The calls that have results; `takes` is whether a tool takes a call, by its name and input."""
    made: list[Exchange] = []
    waiting: dict[str, tuple[dict[str, Any], bool]] = {}
    for line in section:
        for block in line.get("content") or ():
            if block["type"] == "tool_use":
                waiting[block["id"]] = block, block["id"] not in line.get("repaired", ())
            elif block["type"] == "tool_result" and block["tool_use_id"] in waiting:
                call, is_sound = waiting.pop(block["tool_use_id"])
                made.append(exchange(call, block, is_sound=is_sound and takes(call["name"], call["input"])))
    return made


def exchange(call: Mapping[str, Any], answer: Mapping[str, Any], *, is_sound: bool) -> Exchange:
    """A call with the block that answers it."""
    return Exchange(call["name"], canonical(call["input"]), text_of(answer), is_sound)


def calls(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tool calls in a reply."""
    return [block for block in message["content"] if block["type"] == "tool_use"]


def text_of(result: Mapping[str, Any]) -> str:
    """The words of a tool's result: beside a picture they are a block of their own."""
    content = result["content"]
    return content if isinstance(content, str) else "\n".join(block.get("text", "") for block in content)


def _add(messages: list[dict[str, Any]], role: str, content: list[dict[str, Any]]) -> None:
    if messages and role == "user" == messages[-1]["role"]:
        messages[-1] = {"role": role, "content": [*messages[-1]["content"], *content]}
    else:
        messages.append({"role": role, "content": content})


def _words(line: Line) -> str:
    return "\n\n".join(block["text"] for block in line["content"] or () if block["type"] == "text")


def _parts(block: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parts of a tool's result that has a picture."""
    return block["content"] if block["type"] == "tool_result" and isinstance(block["content"], list) else []


def _without_pictures(block: dict[str, Any]) -> dict[str, Any]:
    parts = [NOT_SEEN if part["type"] == "image" else part for part in _parts(block)]
    return {**block, "content": parts} if parts else block


def _length(block: Mapping[str, Any]) -> int:
    """The letters of a block, about."""
    if block["type"] != "tool_result":
        return len(str(block.get("text", "")))
    pictures = (
        [part for part in block["content"] if part["type"] == "image"] if isinstance(block["content"], list) else []
    )
    return len(text_of(block)) + _PICTURE * len(pictures)
