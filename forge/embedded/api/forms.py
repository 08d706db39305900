"""Request bodies, read as Go does: keys in any case, unknown keys dropped, its errors."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from flask import Request

from forge.embedded.instance import Refusal
from forge.embedded.state import Row

_KINDS: dict[str, type | tuple[type, ...]] = {"string": str, "bool": bool, "int64": int, "map": dict, "any": object}
_ACRONYMS = {"sha": "SHA", "url": "URL", "id": "ID"}


class Form:
    """The body of one kind of request: its Go name and its keys.

    A key is written as `name`, `name:type` (a Go type, `string` if left out) or `name!:type` if it may not be empty.
    """

    def __init__(self, name: str, keys: str) -> None:
        self.name = name
        pairs = [key.partition(":")[::2] for key in keys.split()]
        self.fields = {key.removesuffix("!"): kind or "string" for key, kind in pairs}
        self.required = [key[:-1] for key, _ in pairs if key.endswith("!")]

    def read(self, request: Request) -> Row:
        """The values of a request; a key that is null or absent is left out."""
        given = {key.lower(): value for key, value in _body(request).items()}
        values: Row = {}
        for key, kind in self.fields.items():
            value = given.get(key.lower())
            if value is not None:
                values[key] = self._checked(key, kind, value)
        for key in self.required:
            if not values.get(key):
                raise Refusal(422, f"[{_go(key)}]: Required")
        return values

    def _checked(self, key: str, kind: str, value: Any) -> Any:
        if kind == "time":
            return moment(value) if value else 0
        if kind.startswith("[]"):
            if not isinstance(value, list):
                raise Refusal(422, "[]: json: slice unexpected end of JSON input")
            return [self._checked(key, kind[2:], one) for one in value]
        if kind == "any" or (isinstance(value, _KINDS[kind]) and isinstance(value, bool) == (kind == "bool")):
            return value
        what = 'number "' if kind == "int64" else _json_kind(value)
        place = f"Go struct field {self.name}.{_go(key)} of type {kind}"
        raise Refusal(422, f"[]: json: cannot unmarshal {what} into {place}")


def _body(request: Request) -> Row:
    if request.mimetype in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        return dict(request.form.items())
    text = request.get_data(as_text=True)
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        unfinished = text.lstrip().startswith("{")
        raise Refusal(422, "[]: expected comma after object element" if unfinished else f"[]: {error}") from error
    if not isinstance(value, dict):
        raise Refusal(422, f"[]: invalid character '{text.lstrip()[0]}' looking for beginning of value")
    return value


def _go(key: str) -> str:
    return _ACRONYMS.get(key) or "".join(part[:1].upper() + part[1:] for part in key.split("_"))


def _json_kind(value: Any) -> str:
    kinds = {bool: "bool", int: "number", float: "number", str: "string", list: "array"}
    return kinds.get(type(value), "object")


def moment(text: str) -> int:
    """Seconds since 1970 of an RFC 3339 time."""
    match = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", text, re.IGNORECASE)
    try:
        when = datetime.fromisoformat(text.upper()) if match else None
    except ValueError:
        when = None
    if when is None:
        raise Refusal(422, f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"')
    return int(when.astimezone(UTC).timestamp())
