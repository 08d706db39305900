"""Finds secrets in what is about to leave the hive: those that it knows, in any usual disguise, and what looks like a key.

A known secret is found whole or in a piece of 15 letters and digits, written in any case, with anything but letters and
digits between them, in markup, backwards, in ROT13, in base64 (also twice), in hexadecimal, percent-encoded, as
character references or escapes. What is encrypted or compressed is not found. Performs no I/O.
"""

from __future__ import annotations

import base64
import codecs
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from hive.agent.key_patterns import keys_in

__all__ = ["LeakScanner", "keys_in"]

GRAM = 8
PIECE = 2 * GRAM - 1
"""Letters and digits in a row that are a piece of a secret: any so long holds a whole gram at a place that is looked at."""

HEX_PIECE = 24
SHORTEST, LEAST_VARIED = 10, 6
"""The letters and digits of the shortest secret that can be told from a word, and how many different ones it has."""

_NOT_ALNUM = bytes(byte for byte in range(256) if not (byte < 128 and chr(byte).isalnum()))
_NOT_HEX = bytes(byte for byte in range(256) if byte not in b"0123456789abcdef")
_TAG = re.compile(rb"<[^<>]{0,500}>")
_REFERENCE = re.compile(rb"&#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}));?")
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|u00([0-9a-fA-F]{2})|([0-7]{3}))")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{20,}")
_PERCENT = re.compile(rb"%([0-9a-fA-F]{2})")
_LOOK_ALIKE = re.compile(
    rb"(?:\xef[\xbc\xbd]|\xf0\x9d|\xf0\x9f[\x84\x85]|\xe2[\x84\x92\x93]|\xc2[\xaa\xb2\xb3\xb9\xba])[\x80-\xff]*"
)
"""Letters and digits of other shapes: full-width, mathematical, in circles and squares, raised."""


class LeakScanner:
    """Looks for some secrets in texts and files of any size, in the time that it takes to read them a few times."""

    def __init__(self, secrets: Iterable[str] = (), *, others: Sequence[Forms] = ()) -> None:
        """What is too short or too monotonous to be told from ordinary text is not looked for."""
        self.secrets = frozenset(each for each in secrets if _is_secret(each))
        self._forms = (*others, Forms(self.secrets)) if self.secrets else tuple(others)

    def also(self, *secrets: str) -> LeakScanner:
        """A scanner that knows more."""
        return LeakScanner(secrets, others=self._forms)

    def finds(self, data: bytes) -> bool:
        """Whether a secret, or a piece of one, is in some bytes."""
        return bool(self._forms) and any(self._is_in(view) for view in _views(data))

    def _is_in(self, view: bytes) -> bool:
        lower = view.lower()
        words = lower.translate(None, _NOT_ALNUM)
        if any(forms.words.are_in(words) for forms in self._forms):
            return True
        digits = lower.replace(b"0x", b"").replace(b"\\u00", b"").translate(None, _NOT_HEX)
        return any(forms.digits.are_in(digits) for forms in self._forms)


class Forms:
    """How some secrets look in letters and digits, and in hexadecimal ones."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self.words, self.digits = _Grams(PIECE), _Grams(HEX_PIECE)
        for secret in secrets:
            for way in (secret, secret[::-1]):
                plain = way.encode()
                self.words.add(_squeezed(plain))
                self.digits.add(plain.hex().encode())
                for shift in range(3):
                    self.words.add(_squeezed(_base64_of(plain, shift)))
            self.words.add(_squeezed(codecs.encode(secret, "rot13").encode()))


class _Grams:
    """Every eight bytes of some forms of secrets, as numbers, and where they stand."""

    def __init__(self, piece: int) -> None:
        self._piece = piece
        self._places: dict[int, list[tuple[bytes, int]]] = {}

    def add(self, form: bytes) -> None:
        """Look for a form of a secret."""
        for at in range(len(form) - GRAM + 1):
            gram = memoryview(form[at : at + GRAM]).cast("Q")[0]
            self._places.setdefault(gram, []).append((form, at))

    def are_in(self, text: bytes) -> bool:
        """Whether a piece of a form is in a text: a gram at each eighth place is looked up, and checked if it is known."""
        numbers = memoryview(text)[: len(text) // GRAM * GRAM].cast("Q")
        if self._places.keys().isdisjoint(numbers):
            return False
        places = ((at * GRAM, number) for at, number in enumerate(numbers) if number in self._places)
        return any(
            _common(text, at, form, begin) >= min(self._piece, len(form))
            for at, number in places
            for form, begin in self._places[number]
        )


def _common(text: bytes, at: int, form: bytes, begin: int) -> int:
    """How long the piece is that a text and a form have in common around two places."""
    left = 0
    while left < min(at, begin) and text[at - left - 1] == form[begin - left - 1]:
        left += 1
    right = 0
    while right < min(len(text) - at, len(form) - begin) and text[at + right] == form[begin + right]:
        right += 1
    return left + right


def _views(data: bytes) -> Iterator[bytes]:
    """The bytes as they are, and as what they may stand for."""
    decoded = _decoded(data)
    for view in (data, decoded) if decoded != data else (data,):
        yield view
        if b"<" in view:
            yield _TAG.sub(b"", view)
        yield from _unpacked(view)


def _decoded(data: bytes) -> bytes:
    """Without percent-encoding, character references, escapes and letters that only look different."""
    for _ in range(3):
        before = data
        if b"%" in data:
            data = _PERCENT.sub(lambda hexed: _character(int(hexed[1], 16)), data)
        if b"&#" in data:
            data = _REFERENCE.sub(lambda ref: _character(int(ref[1], 16) if ref[1] else int(ref[2])), data)
        if b"\\" in data:
            data = _ESCAPE.sub(lambda esc: _character(int(esc[3], 8) if esc[3] else int(esc[1] or esc[2], 16)), data)
        if data == before:
            break
    return data if data.isascii() else _LOOK_ALIKE.sub(_plain, data)


def _plain(found: re.Match[bytes]) -> bytes:
    return unicodedata.normalize("NFKC", found[0].decode("utf-8", "ignore")).encode("ascii", "ignore")


def _character(number: int) -> bytes:
    return bytes([number]) if number < 128 else b""


def _unpacked(data: bytes) -> Iterator[bytes]:
    """What is in base64, from each of the four places at which it may begin: what is within it is looked for once more."""
    runs = [run.translate(bytes.maketrans(b"-_", b"+/")) for run in _BASE64.findall(data)]
    if not runs:
        return
    for shift in range(4):
        cut = (run[shift : len(run) - (len(run) - shift) % 4] for run in runs)
        yield b"".join(base64.b64decode(run) for run in cut if run)


def _base64_of(plain: bytes, shift: int) -> bytes:
    """The characters of base64 that depend on some bytes alone, which begin at a place of a group of three."""
    begin, end = (shift * 8 + 5) // 6, (shift + len(plain)) * 8 // 6
    return base64.b64encode(bytes(shift) + plain)[begin:end]


def _squeezed(form: bytes) -> bytes:
    return form.lower().translate(None, _NOT_ALNUM)


def _is_secret(text: str) -> bool:
    letters = _squeezed(text.encode("ascii", "ignore"))
    return len(letters) >= SHORTEST and len(set(letters)) >= LEAST_VARIED
