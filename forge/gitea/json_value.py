"""A value in a forge's JSON that knows its own name. Performs no I/O.

Forges leave fields out, send null for an empty list, and add what nobody asked for: only a field
that is needed and wrong is an error, and the error names it, never its content.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_SHA = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})?")
_LARGEST = 2**63


class MalformedAnswer(ValueError):
    """JSON that is not what a forge sends; the message names the field."""


@dataclass(frozen=True, slots=True)
class JsonValue:
    """One value and its path; `error` is what is raised when it is not what is asked of it."""

    value: object
    name: str
    error: type[Exception] = MalformedAnswer

    @classmethod
    def parse(cls, text: bytes, name: str) -> JsonValue:
        """Read JSON; raises Malformed for anything else."""
        try:
            return cls(json.loads(text), name)
        except (ValueError, RecursionError) as error:
            raise MalformedAnswer(f"{name} is not JSON") from error

    def __getitem__(self, key: str) -> JsonValue:
        if not isinstance(self.value, dict):
            raise self.wrong("is no object")
        return JsonValue(self.value.get(key), f"{self.name}.{key}", self.error)

    @property
    def present(self) -> bool:
        """Whether the value is there: forges write null for what is not."""
        return self.value is not None

    def wrong(self, what: str) -> Exception:
        """The error that says what this field is not."""
        return self.error(f"{self.name} {what}")

    def each(self) -> Iterator[JsonValue]:
        """The items of a list; null is an empty one."""
        if self.value is None:
            return
        if not isinstance(self.value, list):
            raise self.wrong("is no list")
        for place, item in enumerate(self.value):
            yield JsonValue(item, f"{self.name}[{place}]", self.error)

    def items(self) -> Iterator[tuple[str, JsonValue]]:
        """The names and values of an object; null is an empty one."""
        if self.value is None:
            return
        if not isinstance(self.value, dict):
            raise self.wrong("is no object")
        for key in self.value:
            yield key, self[key]

    def text(self) -> str:
        """A text; half a surrogate pair, which cannot be written anywhere else, becomes `?`."""
        if not isinstance(self.value, str):
            raise self.wrong("is no text")
        return self.value.encode("utf-8", "replace").decode()

    def words(self) -> str:
        """A text; null is an empty one."""
        return self.text() if self.present else ""

    def number(self) -> int:
        """A whole number that a database can hold."""
        if not isinstance(self.value, int) or isinstance(self.value, bool) or abs(self.value) >= _LARGEST:
            raise self.wrong("is no number")
        return self.value

    def count(self) -> int:
        """A number; null is zero."""
        return self.number() if self.present else 0

    def flag(self) -> bool:
        """Yes or no; null is no."""
        if self.value is not None and not isinstance(self.value, bool):
            raise self.wrong("is neither true nor false")
        return bool(self.value)

    def sha(self) -> str:
        """An object name in git; empty for null and for an empty text."""
        text = self.words()
        if not _SHA.fullmatch(text):
            raise self.wrong("is no commit")
        return text
