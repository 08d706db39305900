"""Compaction of a conversation: its task, its newest messages, and a line for what was left out. Asks no model.

It is deterministic, so that a process that was killed continues with the same conversation.
"""

from __future__ import annotations

import re
from typing import Any

from hive.agent.text import cut

KEPT = 6
"""How many of the newest messages stay."""

LONGEST = 4_000
"""Characters that stay of one result of a tool."""

LEFT_OUT = "[{count} messages stood here; they were left out to make room. The work tree is as you left it.]"
_LEFT_OUT = re.compile(re.escape(LEFT_OUT).replace(r"\{count\}", "[0-9]+"))
CUT = "\n[… {count} characters were left out …]\n"

NOTED = "You wrote this down before they were left out:\n\n"
MOST_NOTES = 12_000
"""Characters that stay of that."""

THINKING = frozenset({"thinking", "redacted_thinking"})
"""Blocks that are signed for the conversation that they were thought in: from a shorter one they are left out."""

NO_PICTURE = {"type": "text", "text": "[A picture stood here; it was left out to make room.]"}

Message = dict[str, Any]


def compacted(messages: list[Message], notes: str = "") -> list[Message]:
    """A shorter conversation that the Messages API takes: a call stays together with its result.

    `notes` is what the model wrote down before; it replaces what it wrote down the time before that.
    """
    if not messages:
        return []
    newest = max(index for index, message in enumerate(messages) if index == 0 or _is_news(message))
    start = _start(messages)
    between = messages[1:start]
    tail = [short for message in messages[start:] if (short := _cut(message))["content"]]
    first = [block for block in messages[0]["content"] if not notes or not _is_notes(block)]
    if between:
        first.append({"type": "text", "text": LEFT_OUT.format(count=len(between))})
    if 0 < newest < start:
        first += [block for block in messages[newest]["content"] if block["type"] == "text"]
    if notes:
        first.append({"type": "text", "text": NOTED + cut(notes, MOST_NOTES)})
    return [{"role": "user", "content": first}, *tail]


def _start(messages: list[Message]) -> int:
    """Where the kept part starts: with a reply, so that no tool result lacks its call."""
    candidates = (index for index in range(max(1, len(messages) - KEPT), len(messages)))
    return next((index for index in candidates if messages[index]["role"] == "assistant"), len(messages))


def _is_news(message: Message) -> bool:
    return message["role"] == "user" and any(block["type"] == "text" for block in message["content"])


def _is_notes(block: dict[str, Any]) -> bool:
    return block["type"] == "text" and (
        block["text"].startswith(NOTED) or _LEFT_OUT.fullmatch(block["text"]) is not None
    )


def _cut(message: Message) -> Message:
    return {**message, "content": [_shorter(block) for block in message["content"] if block["type"] not in THINKING]}


def _shorter(block: dict[str, Any]) -> dict[str, Any]:
    text = block.get("content")
    if block["type"] == "tool_result" and isinstance(text, list):
        return {**block, "content": [NO_PICTURE if part["type"] == "image" else part for part in text]}
    if block["type"] != "tool_result" or not isinstance(text, str) or len(text) <= LONGEST:
        return block
    half = LONGEST // 2
    return {**block, "content": text[:half] + CUT.format(count=len(text) - LONGEST) + text[-half:]}
