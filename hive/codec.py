"""Frozen dataclasses from and to plain data. The hive's only place that knows pydantic."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")

STRICT = {"extra": "forbid"}
"""Put it on a dataclass as `__pydantic_config__`: unknown keys are errors."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One error in a piece of data: where, what, and what would be right."""

    place: tuple[str | int, ...]
    text: str
    at_key: bool = False


class InvalidData(ValueError):
    """Invalid data; holds all errors."""

    def __init__(self, field_errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, m.place))}: {m.text}" for m in field_errors))
        self.field_errors = field_errors


class Codec(Generic[T]):
    """Reads and writes values of one type."""

    def __init__(self, kind: type[T]) -> None:
        self._adapter: TypeAdapter[Any] = _adapter(cast("Any", kind))

    def read(self, data: object) -> T:
        """Decode plain data; raises InvalidData with all errors."""
        try:
            value: T = self._adapter.validate_python(data)
        except ValidationError as error:
            raise InvalidData(_field_errors(error)) from error
        return value

    def read_exactly(self, data: object) -> T:
        """Decode plain JSON data without conversions: a number is no text, and a boolean is no number.

        Raises InvalidData with all errors.
        """
        try:
            value: T = self._adapter.validate_json(json.dumps(data), strict=True)
        except ValidationError as error:
            raise InvalidData(_field_errors(error)) from error
        return value

    def loads(self, text: str) -> T:
        """Decode JSON; raises InvalidData."""
        try:
            value: T = self._adapter.validate_json(text)
        except ValidationError as error:
            raise InvalidData(_field_errors(error)) from error
        return value

    def dumps(self, value: T) -> str:
        """Encode a value as JSON."""
        return self._adapter.dump_json(value).decode()


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _field_errors(error: ValidationError) -> list[FieldError]:
    """All errors; those of the options of one choice are one sentence."""
    found: dict[tuple[str | int, ...], list[FieldError]] = {}
    for item in map(dict, error.errors()):
        told = _field_error(item)
        # Behind the place of a choice stands the option that was tried: no key of the data.
        place = told.place[:-1] if str(told.place[-1:]).startswith(_OPTIONS) else told.place
        found.setdefault(place, []).append(told)
    return [_chosen(place, told) if len(told) > 1 else told[0] for place, told in found.items()]


_OPTIONS = ("('constrained-", "('literal[", '("literal[')


def _chosen(place: tuple[str | int, ...], told: list[FieldError]) -> FieldError:
    first, *others = (error.text.partition(" (it is ") for error in told)
    rest = [text.removeprefix("should be ") for text, _, _ in others]
    return FieldError(place, " or ".join([first[0], *rest]) + "".join(first[1:]))


def _field_error(error: Mapping[str, Any]) -> FieldError:
    kind = str(error["type"])
    context = error.get("ctx") or {}
    phrase = _PHRASES.get(kind)
    text = phrase(context, error.get("input")) if phrase else str(error["msg"]).removeprefix("Value error, ")
    return FieldError(tuple(error["loc"]), text, at_key=kind in ("extra_forbidden", "unexpected_keyword_argument"))


def _got(value: object) -> str:
    shown = repr(value)
    return f" (it is {shown if len(shown) <= 40 else shown[:37] + '…'})"


def _whole(bound: object) -> object:
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


_PHRASES: dict[str, Callable[[Mapping[str, Any], object], str]] = {
    "extra_forbidden": lambda _, __: "unknown key",
    "unexpected_keyword_argument": lambda _, __: "unknown key",
    "missing": lambda _, __: "required key is missing",
    "missing_argument": lambda _, __: "required key is missing",
    "string_type": lambda _, got: "should be text" + _got(got),
    "int_type": lambda _, got: "should be a whole number" + _got(got),
    "int_parsing": lambda _, got: "should be a whole number" + _got(got),
    "float_type": lambda _, got: "should be a number" + _got(got),
    "finite_number": lambda _, got: "should be a number" + _got(got),
    "bool_type": lambda _, got: "should be true or false" + _got(got),
    "tuple_type": lambda _, got: "should be a list" + _got(got),
    "list_type": lambda _, got: "should be a list" + _got(got),
    "dict_type": lambda _, got: "should be keys with values" + _got(got),
    "dataclass_type": lambda _, got: "should be keys with values" + _got(got),
    "too_long": lambda context, _: (
        f"should hold at most {context.get('max_length')} (it holds {context.get('actual_length')})"
    ),
    "string_too_long": lambda context, got: f"should have at most {context.get('max_length')} characters" + _got(got),
    "int_from_float": lambda _, got: "should be a whole number" + _got(got),
    "enum": lambda context, got: f"should be {context.get('expected')}" + _got(got),
    "path_type": lambda _, got: "should be a path" + _got(got),
    "literal_error": lambda context, got: f"should be {context.get('expected')}" + _got(got),
    "greater_than_equal": lambda context, got: f"should be at least {_whole(context.get('ge'))}" + _got(got),
    "less_than_equal": lambda context, got: f"should be at most {_whole(context.get('le'))}" + _got(got),
}
