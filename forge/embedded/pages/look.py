"""How small things look: times, avatars, labels and their colours. Performs no I/O."""

from __future__ import annotations

import hashlib
import html
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

COLOURS = re.compile(r"[0-9a-f]{6}(?:-[0-9a-f]{6})*")
"""The colours of labels, as the name of their stylesheet lists them."""

_TINTS = (
    "b4530a", "926010", "4d7c0f", "15803d", "0f766e", "0e7490", "0369a1", "1d4ed8", "4f46e5", "7c3aed", "a21caf", "be185d",
)  # fmt: skip
_AGES = ((3600, 60, "minute"), (86400, 3600, "hour"), (30 * 86400, 86400, "day"))
_READABLE = 4.5
"""The contrast that WCAG asks of text: https://www.w3.org/TR/WCAG22/#contrast-minimum"""

_NEARLY = 2.4
"""The contrast with white from which a label gets white words."""

_Rgb = tuple[int, int, int]
_BLACK, _WHITE, _NIGHT = (0, 0, 0), (255, 255, 255), (29, 26, 21)


@dataclass(frozen=True, slots=True)
class Html:
    """Markup that is safe to show as it is; templates escape everything else."""

    text: str

    def __html__(self) -> str:
        """What a template shows."""
        return self.text


def when(at: int, now: int) -> Html:
    """A time in words, which says exactly when on a closer look."""
    moment = datetime.fromtimestamp(at, UTC)
    return Html(
        f'<time datetime="{moment:%Y-%m-%dT%H:%M:%SZ}" title="{moment:%Y-%m-%d %H:%M:%S} UTC">{ago(at, now)}</time>'
    )


def ago(at: int, now: int) -> str:
    """How long ago something was; a date when that is a month or more."""
    for limit, size, word in _AGES:
        if (passed := now - at) < limit:
            count = passed // size
            return f"{count} {word}{'s' if count > 1 else ''} ago" if count > 0 else "just now"
    moment = datetime.fromtimestamp(at, UTC)
    return f"on {moment.day} {moment:%b %Y}"


def size(count: int) -> str:
    """A number of bytes."""
    return (
        f"{count} B" if count < 1024 else f"{count / 1024:.1f} KiB" if count < 1024**2 else f"{count / 1024**2:.1f} MiB"
    )


def tint(login: str) -> str:
    """The colour of an avatar: one name, one colour, and white can be read on it."""
    return f"#{_TINTS[hashlib.sha256(login.lower().encode()).digest()[20] % len(_TINTS)]}"


def plain(markup: str) -> str:
    """The words of a piece of markup."""
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


def outside(url: str) -> str:
    """An address that somebody gave, if it can be followed; empty for anything but the web."""
    return url if urlsplit(url).scheme in {"http", "https"} else ""


def label_rules(colours: str) -> str:
    """The stylesheet of labels of some colours: style attributes are forbidden on these pages."""
    return "".join(_rules(colour) for colour in colours.split("-"))


def _rules(colour: str) -> str:
    red, green, blue = bytes.fromhex(colour)
    own = (red, green, blue)
    # White is calmer than black: a colour that nearly bears it is darkened a little.
    solid, on = (_inked(own, _WHITE, _BLACK), _WHITE) if _contrast(own, _WHITE) > _NEARLY else (own, _BLACK)
    day, night = _mixed(own, _WHITE, 0.84), _mixed(own, _NIGHT, 0.72)
    return (
        f".l-{colour}{{--l:{_hex(solid)};--l-on:{_hex(on)};--l-soft:{_hex(day)};--l-ink:{_hex(_inked(own, day, _BLACK))}}}\n"
        f"@media(prefers-color-scheme:dark){{.l-{colour}{{--l-soft:{_hex(night)};--l-ink:{_hex(_inked(own, night, _WHITE))}}}}}\n"
    )


def _inked(colour: _Rgb, paper: _Rgb, toward: _Rgb) -> _Rgb:
    """The nearest to a colour that can be read on a paper."""
    shares = (_mixed(colour, toward, step / 20) for step in range(21))
    return next((ink for ink in shares if _contrast(ink, paper) >= _READABLE), toward)


def _mixed(one: _Rgb, other: _Rgb, share: float) -> _Rgb:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _contrast(one: _Rgb, other: _Rgb) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: _Rgb) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _hex(colour: _Rgb) -> str:
    return f"#{bytes(colour).hex()}"
