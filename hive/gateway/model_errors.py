"""What a model's server answers instead of a reply, in the form of the Messages API. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

STATUSES = {"overloaded_error": 529, "rate_limit_error": 429, "api_error": 500, "timeout_error": 504}
"""With which status an error in the middle of a stream would have come at its beginning."""

_NUMBER = re.compile(r"\[Errno -?\d+\] ")
"""The prefix of Python's system errors, which is left out."""


class ModelFailed(Exception):
    """The model did not answer: `status` and `body` are the API's answer, in its own form.

    `unreachable` is why there was no answer at all, and empty otherwise.
    """

    def __init__(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None, *, unreachable: str = ""
    ) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body
        self.headers = headers or {}
        self.unreachable = unreachable


def unreachable(why: str) -> ModelFailed:
    """The failure of an unreachable model, in the API's form."""
    plain = "".join(c if c.isprintable() else " " for c in _NUMBER.sub("", why))
    words = " ".join(plain.split())[:200] or "no reason given"
    return ModelFailed(503, error_body("api_error", f"the model is unreachable: {words}"), unreachable=words)


def error_body(kind: str, message: str) -> dict[str, Any]:
    """An error object of the API."""
    return {"type": "error", "error": {"type": kind, "message": message}}
