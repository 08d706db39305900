"""The shape of what a forge says: status, headers, keys, types, null or not, the text of refusals. Performs no I/O.

A scalar is a word, an object its keys, a list the shapes that its rows have: so `null`, `[]` and a
list of something are three things. What a value says is never kept, but for the words of a refusal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_WORDS = {type(None): "null", bool: "flag", int: "number", float: "number"}
_VOLATILE = (
    (re.compile(r"\b[0-9a-f]{40}\b"), "SHA"),
    (re.compile(r"https?://[^/\s\"]+"), "http://forge"),
    (re.compile(r"\b\d+\b"), "N"),
)
_HEADERS = ("content-type", "location", "x-total-count")
"""The headers of an answer that matter."""
_FORMS = ((re.compile(r"[0-9a-f-]{36}"), "uuid"), (re.compile(r"(sha\d+=|)[0-9a-f]{40,}"), r"\1hex"))
_OF_THE_ROAD = frozenset({"host", "user-agent", "content-length", "accept-encoding", "connection"})


@dataclass(frozen=True)
class Answer:
    """What was said to one request, or in one delivery: `status` is 0 in a delivery."""

    status: int
    headers: Mapping[str, str]
    message: str
    body: Any


def answer(status: int, headers: Mapping[str, str], body: object, names: Mapping[str, str]) -> Answer:
    """The shape of an answer; `names` are the names that differ from run to run, and what to put for them."""
    lower = {key.lower(): value for key, value in headers.items()}
    kept = {key: steady(lower[key].replace("utf-8", "utf8"), names) for key in _HEADERS if key in lower}
    said = body.get("message") if isinstance(body, dict) else body
    # What a page says of a failure is not for us.
    refused = status >= 400 and isinstance(said, str) and "html" not in kept.get("content-type", "")
    return Answer(status, kept, steady(str(said), names) if refused else "", sketch(body))


def delivery(headers: Mapping[str, str], body: object) -> Answer:
    """The shape of a delivery: which events its headers name, how it is signed, and its body."""
    lower = {key.lower(): value for key, value in headers.items() if key.lower() not in _OF_THE_ROAD}
    return Answer(0, {key: _form(lower[key]) for key in sorted(lower)}, "", sketch(body))


def sketch(value: object) -> Any:
    """The shape of a value."""
    if isinstance(value, dict):
        return {key: sketch(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        rows = {json.dumps(row): row for row in map(sketch, value)}
        return [rows[key] for key in sorted(rows)]
    if isinstance(value, str):
        return "time" if _TIME.fullmatch(value) else "text"
    return _WORDS[type(value)]


def steady(text: str, names: Mapping[str, str]) -> str:
    """A text without what differs from run to run."""
    for name, put in names.items():
        text = text.replace(name, put)
    for pattern, put in _VOLATILE:
        text = pattern.sub(put, text)
    return text


def unlike(expected: Answer, got: Answer) -> Iterator[str]:
    """How an answer differs from what is expected: one line each, with the path of the key."""
    pairs = (("status", expected.status, got.status), ("message", expected.message, got.message))
    yield from (f"{what}: expected {one!r}, got {other!r}" for what, one, other in pairs if one != other)
    yield from differences(dict(expected.headers), dict(got.headers), "headers")
    yield from differences(expected.body, got.body, "body")


def differences(expected: Any, got: Any, at: str) -> Iterator[str]:
    """How one shape differs from another."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in sorted(expected.keys() | got.keys()):
            yield from differences(expected.get(key, "nothing"), got.get(key, "nothing"), f"{at}.{key}")
    elif isinstance(expected, list) and isinstance(got, list) and expected and got:
        yield from _rows(expected, got, at)
    elif expected != got:
        yield f"{at}: expected {_brief(expected)}, got {_brief(got)}"


def without_more(expected: Any, got: Any, at: str, more: set[str]) -> Any:
    """`got` without the keys that nobody expects; their paths go into `more`."""
    if isinstance(got, list) and isinstance(expected, list):
        rows = [without_more(_any_row(expected), row, f"{at}[]", more) for row in got]
        return [row for nth, row in enumerate(rows) if row not in rows[:nth]]
    if not isinstance(got, dict) or not isinstance(expected, dict):
        return got
    more |= {f"{at}.{key}" for key in got.keys() - expected.keys()}
    return {key: without_more(expected[key], got[key], f"{at}.{key}", more) for key in got if key in expected}


def _any_row(rows: list[Any]) -> Any:
    """What is known of any of some rows; of a key that is not the same in all of them, its fullest shape."""
    objects = [row for row in rows if isinstance(row, dict)]
    if not objects:
        return rows[0] if rows else None
    every = {key for row in objects for key in row}
    return {key: max((row[key] for row in objects if key in row), key=lambda one: len(str(one))) for key in every}


def _rows(expected: list[Any], got: list[Any], at: str) -> Iterator[str]:
    # Rows have several shapes, in no order: what has no equal is compared with what is nearest to it.
    for row in (row for row in got if row not in expected):
        yield from min((list(differences(each, row, f"{at}[]")) for each in expected), key=len)
    for row in (row for row in expected if row not in got):
        yield from min((list(differences(row, each, f"{at}[]")) for each in got), key=len)


def _brief(shape: Any) -> str:
    text = json.dumps(shape) if shape == [] or isinstance(shape, str) else "[…]" if isinstance(shape, list) else "{…}"
    return text.strip('"')


def _form(value: str) -> str:
    for pattern, put in _FORMS:
        if pattern.fullmatch(value):
            return pattern.sub(put, value)
    return value.split(" ", maxsplit=1)[0] if value.startswith("Bearer ") else value
