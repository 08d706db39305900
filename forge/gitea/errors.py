"""How Forgejo and Gitea say no, in the errors of the protocol. Performs no I/O.

Messages are kept on one line, shortened, and without the secret of the request; those of a
401 are not carried at all, as Forgejo 17 repeats the token in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from urllib.parse import urlsplit

from forge.protocol import Conflict, ForgeError, Invalid, NotFound, Refused, Unavailable

_LONGEST = 300
_KINDS: Mapping[int, type[ForgeError]] = {
    401: Refused,
    403: Refused,
    404: NotFound,
    405: Refused,
    409: Conflict,
    410: NotFound,
    412: Conflict,
    413: Refused,
    423: Conflict,
}
_NOT_NOW = "Please try again later"
"""Said with 405 while a pull request is checked, and for ever when it has a conflict."""


def refusal(
    asked: str, status: int, headers: Mapping[str, str], body: bytes, *, secrets: Iterable[str], now: datetime
) -> ForgeError:
    """The error for an answer that is not 2xx; `asked` is the method and path of the question."""
    if 300 <= status < 400:
        there = _redacted(headers.get("Location", ""), secrets)
        return NotFound(f"{asked}: moved to {there or 'nowhere'}", status=status)
    reason = "" if status == 401 else _redacted(_reason(headers, body), secrets)
    message = f"{asked}: {status} {reason}".rstrip()
    if status in {408, 425, 429} or status >= 500:
        return Unavailable(message, status=status, retry_after=retry_after(headers, now))
    if status == 405 and reason == _NOT_NOW:
        return Conflict(message, status=status)
    return _KINDS.get(status, Invalid)(message, status=status)


def silence(url: str, error: BaseException) -> str:
    """Why a forge gave no answer, in words: which one, and what the system says of it.

    requests and urllib3 wrap that in up to three errors, whose own words hold addresses of objects.
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc} {_said_of(error)}"


def _said_of(error: BaseException) -> str:
    met: BaseException | None = error
    while met is not None:
        if isinstance(met, TimeoutError):
            return "takes too long to answer"
        if isinstance(met, OSError) and met.strerror:
            return f"does not answer: {met.strerror}"
        if isinstance(met, HTTPException):
            break
        met = met.__cause__ or met.__context__
    return f"does not answer: {type(met or error).__name__}"


def retry_after(headers: Mapping[str, str], now: datetime) -> float:
    """Seconds that the forge asks to wait; 0.0 if it does not say, or says what is no time."""
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())


def is_json(headers: Mapping[str, str]) -> bool:
    """Whether an answer says of itself that it is JSON: proxies and panics answer in HTML."""
    return "json" in headers.get("Content-Type", "").lower()


def _reason(headers: Mapping[str, str], body: bytes) -> str:
    if not is_json(headers):
        return ""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    message = answer.get("message") if isinstance(answer, dict) else None
    return message if isinstance(message, str) else ""


def _redacted(text: str, secrets: Iterable[str]) -> str:
    for secret in filter(None, secrets):
        text = text.replace(secret, "[redacted]")
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(line.split())[:_LONGEST]
