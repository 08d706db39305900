"""Repairs text that cannot be sent, at the border where it enters. Performs no I/O."""

from __future__ import annotations

from typing import Any
from unicodedata import category

REPLACED = "\ufffd"
"""The replacement of invalid characters: Unicode's own."""

_NO_TEXT = {0: REPLACED}
_SHAPELESS = {"Cc", "Cf", "Cn", "Co", "Cs"}


def sound(text: str) -> str:
    """Text that UTF-8 can hold, and every reader of JSON: halves of a pair that stand together are one character again.

    JSON may name half of a surrogate pair (RFC 8259, 8.2), and Python reads it as a character that nothing can encode.
    """
    if text.isascii():
        return text.translate(_NO_TEXT) if "\0" in text else text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").translate(_NO_TEXT)


def repaired(value: Any) -> Any:
    """The same value with every text in it sound, keys included."""
    if isinstance(value, str):
        return sound(value)
    if isinstance(value, list):
        return [repaired(item) for item in value]
    if isinstance(value, dict):
        return {sound(str(key)): repaired(item) for key, item in value.items()}
    return value


def visible(text: str) -> str:
    """Text without characters that have no shape and no place: a model is told nothing that a person cannot read."""
    kept = (letter for letter in text.replace("\r\n", "\n") if letter in "\n\t" or category(letter) not in _SHAPELESS)
    return "".join(kept)


def cut(text: str, limit: int) -> str:
    """Text of about so many characters at most; what is left out is counted where it stood."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters were left out …]\n{text[-half:]}"
