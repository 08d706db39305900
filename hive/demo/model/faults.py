"""What can go wrong with a model, as data: the server plays it. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ApiError:
    """An error answer: `ApiError(429, "rate_limit_error", retry_after="1")`, `ApiError(529, "overloaded_error")`.

    `should_retry` is the header by which the API and the hive's gateway tell a spent budget from a busy model.
    """

    status: int
    kind: str
    message: str = "scripted"
    retry_after: str = ""
    should_retry: str = ""


@dataclass(frozen=True, slots=True)
class BreaksOff:
    """A stream that starts with 200 and then has an error event, like that of an overloaded API."""

    kind: str = "overloaded_error"


@dataclass(frozen=True, slots=True)
class Cut:
    """A connection that is closed in the middle of a stream."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A stream that ends in good order, but without its last events."""


@dataclass(frozen=True, slots=True)
class Stall:
    """A stream that falls silent in the middle, until the server is stopped."""


Fault = ApiError | BreaksOff | Cut | Unfinished | Stall
