"""What a call of a container brings, field by field: of the right type and within bounds, or 400. Performs no I/O."""

from __future__ import annotations

from typing import Any

from bots.markdown import visible
from hive.agent.reference_escaping import escape_references
from hive.gateway.admission import Denied

MAX_BODY = 60_000
"""The most characters of a comment or of a pull request's body."""


def number(body: dict[str, Any], key: str, most: float) -> float:
    """A number from 0 on; 0 where there is none."""
    value = body.get(key) or 0
    if not isinstance(value, int | float) or not 0 <= value <= most:
        raise Denied(400, f"{key} should be a number from 0 to {most:g}")
    return value


def flag(body: dict[str, Any], key: str) -> bool:
    """Whether something is so; not, where nothing is said."""
    value = body.get(key, False)
    if not isinstance(value, bool):
        raise Denied(400, f"{key} should be true or false")
    return value


def text(body: dict[str, Any], key: str, limit: int) -> str:
    """Text of so many characters at most."""
    value = body.get(key)
    if not isinstance(value, str) or len(value) > limit:
        raise Denied(400, f"{key} should be text of at most {limit} characters")
    return value


def one_liners(body: dict[str, Any], key: str, most: int, limit: int) -> list[str]:
    """Some texts, each of one line without what is hidden in it, cut to so many characters; empty ones are left out."""
    value = body.get(key) or []
    if not isinstance(value, list) or len(value) > most or not all(isinstance(each, str) for each in value):
        raise Denied(400, f"{key} should be a list of at most {most} texts")
    lines = (" ".join(visible(each[: 10 * limit]).split()) for each in value)
    return [line if len(line) <= limit else f"{line[: limit - 1]}…" for line in lines if line]


def postable_text(body: dict[str, Any], key: str) -> str:
    """Text for the forge: without hidden characters, mentions and closing keywords, and limited."""
    return escape_references(visible_text(body, key))


def visible_text(body: dict[str, Any], key: str) -> str:
    """The same as it came but for what is hidden in it: it may still call people and close issues."""
    return visible(text(body, key, 1 << 20))[:MAX_BODY].strip()
