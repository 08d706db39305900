"""What was said in a run before a turn, for a program that does not remember it. Performs no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hive.agent.text import cut

LONGEST, MOST = 4_000, 20_000
"""Characters of one text, and of all of them together."""

BEFORE = "What was said in this run before, the oldest first:\n\n{texts}\n\nWhat is new:\n\n"


def earlier(messages: Sequence[dict[str, Any]]) -> str:
    """The texts of a conversation before its newest message, with a heading; empty if there are none.

    Messages are those of `Transcript.messages`; the oldest texts are left out if they are too many.
    """
    newest = max(
        (index for index, message in enumerate(messages) if message["role"] == "user" and texts(message)), default=0
    )
    said: list[str] = []
    room = MOST
    for message in reversed(messages[:newest]):
        for text in reversed(texts(message)):
            who = "You" if message["role"] == "assistant" else "The hive"
            piece = f"{who}: {cut(text, LONGEST)}"
            room -= len(piece)
            if room < 0:
                return BEFORE.format(texts="\n\n".join(reversed(said)))
            said.append(piece)
    return BEFORE.format(texts="\n\n".join(reversed(said))) if said else ""


def texts(message: dict[str, Any]) -> list[str]:
    """What a message says in words."""
    return [block["text"] for block in message["content"] if block["type"] == "text"]
