"""What a model's server answers instead of a reply, in the form of the Messages API. Performs no I/O."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from hive.agent.context_overflow import TOO_LONG, is_overflow

STATUSES = {"overloaded_error": 529, "rate_limit_error": 429, "api_error": 500, "timeout_error": 504}
"""With which status an error in the middle of a stream would have come at its beginning."""

KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""How the API calls an error with a status; what is not here is a bad request, or the server's fault."""

NO_PATH = frozenset({404, 405})
"""Statuses that are not about a request unless the body reports an error: something else is at that address."""

ANSWERED = ("request-id", "x-should-retry")
"""Headers of a refusal that a client gets as they are."""

_NUMBER = re.compile(r"\[Errno -?\d+\] ")
"""The prefix of Python's system errors, which is left out."""


class ModelFailed(Exception):
    """The model did not answer: `status` and `body` are the API's answer, in its own form.

    `unreachable` is why there was no answer at all, and empty otherwise; `was_sent` is whether the server got the request.
    """

    def __init__(
        self,
        status: int,
        body: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        *,
        unreachable: str = "",
        was_sent: bool = True,
    ) -> None:
        super().__init__(f"{status}: {body}")
        self.was_sent = was_sent
        self.status = status
        self.body = body
        self.headers = headers or {}
        self.unreachable = unreachable

    @property
    def may_be_the_requests(self) -> bool:
        """Whether the fault may be the request's: the server got it, and did not say that it is busy."""
        return (
            self.was_sent
            and self.status >= 500
            and self.status != 529
            and (self.status != 503 or bool(self.unreachable))
        )

    @property
    def kind(self) -> str:
        """The type of the error as the API names it; empty if it has none."""
        return str(_error(self.body).get("type") or "")

    @property
    def message(self) -> str:
        """What the server says about it; empty if it says nothing."""
        return str(_error(self.body).get("message") or "")


def unreachable(why: str, *, was_sent: bool = False) -> ModelFailed:
    """The failure of an unreachable model, in the API's form."""
    words = _line(_NUMBER.sub("", why)) or "no reason given"
    body = error_body("api_error", f"the model is unreachable: {words}")
    return ModelFailed(503, body, unreachable=words, was_sent=was_sent)


def hopeless(message: str, tries: int) -> ModelFailed:
    """The failure of a request that the model's server never answers, though it answers others."""
    words = (
        f"the model's server failed at this request {tries} times and answers others: {message or 'no reason given'}"
    )
    return ModelFailed(400, error_body("invalid_request_error", words), {"x-should-retry": "false"})


def error_body(kind: str, message: str) -> dict[str, Any]:
    """An error object of the API."""
    return {"type": "error", "error": {"type": kind, "message": message}}


def kind_of(status: int) -> str:
    """How the API calls an error with a status."""
    return KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")


def refusal(status: int, content: bytes, headers: Mapping[str, str]) -> ModelFailed:
    """The failure that a server's answer means.

    The API's own form is kept. Other servers' forms become it, and every form of "too long" becomes the API's: 400 with
    words that each client compacts its conversation for.
    """
    told = _object(content)
    if (status < 400 or status in NO_PATH) and not told.get("error"):
        return unreachable(f"its address answers {status}, as no model does")
    words = _said(told) or _line(content.decode("utf-8", "replace"), 500) or "no reason given"
    more = {name: headers[name] for name in ANSWERED if name in headers}
    if seconds := _seconds(headers.get("retry-after", ""), headers.get("date", "")):
        more["retry-after"] = seconds
    kind = str(_error(told).get("type") or "")
    if status != 429 and is_overflow(f"{kind} {words}"):
        text = words if TOO_LONG in words else f"{TOO_LONG}: {words}"
        return ModelFailed(400, error_body("invalid_request_error", text), more)
    if told.get("type") == "error" and isinstance(_error(told).get("message"), str):
        return ModelFailed(status, told, more)
    return ModelFailed(status, error_body(kind if kind.endswith("_error") else kind_of(status), words), more)


def _error(body: Mapping[str, Any]) -> Mapping[str, Any]:
    error = body.get("error")
    return error if isinstance(error, dict) else {}


def _said(told: Mapping[str, Any]) -> str:
    """The sentence in a body: the API's form, OpenAI's, FastAPI's."""
    for value in (_error(told).get("message"), told.get("error"), told.get("message"), told.get("detail")):
        if isinstance(value, str) and value.strip():
            return _line(value, 2000)
    return _line(json.dumps(told), 500) if told else ""


def _line(text: str, longest: int = 200) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:longest]


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(told: str, date: str) -> str:
    """A Retry-After in seconds, which is the form that clients of the API read; empty if there is none."""
    if told.replace(".", "", 1).isdecimal() and told.isascii():
        return told
    until = _stamp(told)
    return f"{max(1, round(until - (_stamp(date) or time.time())))}" if until else ""


def _stamp(date: str) -> float:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return 0.0
