"""How small things are shown: times, avatar colours, addresses. Performs no I/O."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

_TINTS = (
    "b4530a", "926010", "4d7c0f", "15803d", "0f766e", "0e7490", "0369a1", "1d4ed8", "4f46e5", "7c3aed", "a21caf", "be185d",
)  # fmt: skip
_AGES = ((3600, 60, "minute"), (86400, 3600, "hour"), (30 * 86400, 86400, "day"))


@dataclass(frozen=True, slots=True)
class Html:
    """Markup that is safe to show as it is; templates escape everything else."""

    text: str

    def __html__(self) -> str:
        """The markup, as Jinja asks for it."""
        return self.text


def when(at: int, now: int) -> Html:
    """A time in words, with the exact time as a tooltip."""
    moment = datetime.fromtimestamp(at, UTC)
    return Html(
        f'<time datetime="{moment:%Y-%m-%dT%H:%M:%SZ}" title="{moment:%Y-%m-%d %H:%M:%S} UTC">{ago(at, now)}</time>'
    )


def ago(at: int, now: int) -> str:
    """How long ago something was; the date if that is a month or more."""
    for limit, size, word in _AGES:
        if (passed := now - at) < limit:
            count = passed // size
            return f"{count} {word}{'s' if count > 1 else ''} ago" if count > 0 else "just now"
    moment = datetime.fromtimestamp(at, UTC)
    return f"on {moment.day} {moment:%b %Y}"


def tint(login: str) -> str:
    """The colour of an avatar: always the same for a name, and dark enough for white text."""
    return f"#{_TINTS[hashlib.sha256(login.lower().encode()).digest()[20] % len(_TINTS)]}"


def web_url(url: str) -> str:
    """A web address that a user gave; empty for any other scheme."""
    return url if re.match("https?://", url, re.IGNORECASE) else ""
