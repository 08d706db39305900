"""What a field of a forge's JSON may be, and how a record of such fields is read. Performs no I/O.

Only a field that a record names can be wrong. Null and missing are one, and nothing is made to fit: no number is text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, TypeVar, dataclass_transform

from pydantic import Field as Rule
from pydantic import PlainValidator, Strict, StringConstraints, TypeAdapter, ValidationError

from forge.gitea.json_value import JsonValue

T = TypeVar("T")

_LARGEST = 2**63
_LAST_ISSUE = 10**10
_NEEDED = Rule(default=None, validate_default=True)
"""A missing field is an error like null, and in the same words."""

_NONE = Rule(default=None)


def _time(value: Any) -> datetime:
    try:
        return _aware(datetime.fromisoformat(value))
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("is no time with a zone") from error


def _aware(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError("no zone")
    return time.astimezone(UTC)


def _day(value: Any) -> date | None:
    try:
        return None if value is None else datetime.fromisoformat(value).date()
    except (TypeError, ValueError) as error:
        raise ValueError("is no time") from error


# A limit of length makes pydantic look whether a text can be written as UTF-8 (2.12 passes half a surrogate pair else).
_Str = Annotated[str, Strict(), StringConstraints(max_length=_LARGEST)]
_Int = Annotated[int, Strict(), Rule(gt=-_LARGEST, lt=_LARGEST)]
_Sha = Annotated[str, Strict(), StringConstraints(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})?$")]

Needed = Annotated[T, _NEEDED]
Maybe = Annotated[T | None, _NONE]
Many = Annotated[Annotated[list[T], Strict(), Rule(fail_fast=True)] | None, _NONE]
"""A list; forges send null for an empty one."""

Text = Annotated[_Str, _NEEDED]
Words = Annotated[_Str | None, _NONE]
"""A text; null is an empty one."""

Number = Annotated[_Int, _NEEDED]
Count = Annotated[_Int | None, _NONE]
"""A number; null is zero."""

IssueNumber = Annotated[int, Strict(), Rule(ge=1, lt=_LAST_ISSUE), _NEEDED]
Flag = Annotated[Annotated[bool, Strict()] | None, _NONE]
"""Yes or no; null is no."""

Sha = Annotated[_Sha | None, _NONE]
"""An object name in git; null is an empty one."""

Time = Annotated[datetime, PlainValidator(_time), _NEEDED]
"""A point in time, in UTC."""

MaybeTime = Annotated[Annotated[datetime, PlainValidator(_time)] | None, _NONE]
"""A point in time that may not be told."""

Day = Annotated[date | None, PlainValidator(_day), _NONE]
"""The day of a point in time, in the zone of who wrote it."""


@dataclass_transform()
def record(kind: type[T]) -> type[T]:
    """Make a class of named fields; only `read` makes values of it, so it has no methods (they cost most of its import)."""
    return dataclass(slots=True, init=False, repr=False, eq=False, match_args=False)(kind)


def read(kind: type[T], field: JsonValue) -> T:
    """A value as a record of a kind; raises the field's error, which names what is wrong in it, never its content."""
    while True:
        try:
            value: T = _ADAPTERS[kind].validate_python(field.value)
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_input=False)
        else:
            return value
        halves = [each["loc"] for each in wrong if each["type"] == "string_unicode"]
        if not halves:
            raise field.error(f"{field.name}{_path(wrong[0]['loc'])} {_phrase(dict(wrong[0]))}")
        for place in halves:
            _make_whole(field.value, place)


def _path(place: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)


def _phrase(wrong: Mapping[str, Any]) -> str:
    if wrong["type"] == "value_error":
        return str(wrong["ctx"]["error"])
    return _WRONG.get(wrong["type"], "is not what it should be")


def _make_whole(value: Any, place: tuple[int | str, ...]) -> None:
    """Put `?` for half a surrogate pair, which cannot be written anywhere else, into the text at a place."""
    *above, last = place
    for part in above:
        value = value[part]
    value[last] = value[last].encode("utf-8", "replace").decode()


_WRONG = {
    "dataclass_type": "is no object",
    "list_type": "is no list",
    "string_type": "is no text",
    "string_pattern_mismatch": "is no commit",
    "bool_type": "is neither true nor false",
    **dict.fromkeys(("int_type", "greater_than", "greater_than_equal", "less_than"), "is no number"),
}


class _Adapters(dict[Any, TypeAdapter[Any]]):
    """What reads each kind of record; made when the first one is met, as that takes milliseconds."""

    def __missing__(self, kind: Any) -> TypeAdapter[Any]:
        made: TypeAdapter[Any] = TypeAdapter(kind)
        self[kind] = made
        return made


_ADAPTERS = _Adapters()
