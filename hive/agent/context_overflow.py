"""How servers say that a conversation is too long for their model. Performs no I/O.

The API says it under the type of every other bad request, and each other server in words of its own: llama.cpp, vLLM,
LM Studio, LiteLLM, Bedrock.
"""

from __future__ import annotations

import re

TOO_LONG = "prompt is too long"
"""The API's own words, which every client of it knows."""

_PLAIN = re.compile(r"(?:prompt|input)(?: is)? too long|too many tokens|maximum model length", re.IGNORECASE)
_WINDOW = re.compile(r"context[_ ]?(?:size|length|window|limit)", re.IGNORECASE)
_BEYOND = re.compile(r"exceed|overflow|maximum|only|(?:larg|long|great)er|too long", re.IGNORECASE)


def is_overflow(words: str) -> bool:
    """Whether the words of an error say that the conversation is too long."""
    return bool(_PLAIN.search(words) or (_WINDOW.search(words) and _BEYOND.search(words)))
