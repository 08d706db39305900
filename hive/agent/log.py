"""One line per fact on standard error, for the host to keep. No secrets, no content, no prose."""

from __future__ import annotations

import json
import sys


def log(event: str, **facts: object) -> None:
    """Write `event key=value …`; values that are not plain words are quoted."""
    told = (f"{key}={_word(str(value))}" for key, value in facts.items())
    sys.stderr.write(" ".join(["agent:", event, *told]) + "\n")
    sys.stderr.flush()


def _word(text: str) -> str:
    return text if text.isascii() and text.isprintable() and " " not in text else json.dumps(text)
