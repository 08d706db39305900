"""How a flavour serialises objects: its keys, its empty values, its error messages."""

from __future__ import annotations

import re
from typing import Any

from forge.embedded.flavour import LEFT_OUT, Flavour


def shaped(flavour: Flavour, kind: str, told: dict[str, Any]) -> dict[str, Any]:
    """An object, written with the keys of all flavours, as this one serialises it."""
    hidden, empty = flavour.hidden.get(kind, frozenset()), flavour.empty.get(kind, {})
    shape = {key: value for key, value in told.items() if key not in hidden}
    for key, instead in empty.items():
        if key in shape and not shape[key]:
            if instead is LEFT_OUT:
                del shape[key]
            else:
                shape[key] = instead
    return shape


def worded(flavour: Flavour, text: str) -> str:
    """An error message of Forgejo 17 in the words of this flavour."""
    for pattern, other in flavour.words:
        if match := re.fullmatch(pattern, text, re.DOTALL):
            return match.expand(other)
    return text
