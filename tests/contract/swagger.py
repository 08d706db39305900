"""What a forge's own description of its API says about a request: which of its parts it does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from tests.contract.gate import Asked

_LONG = {"{filepath}", "{branch}", "{tag}", "{name}", "{basehead}", "{head}"}
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def routed(method: str, path: str, routes: list[str]) -> str | None:
    """The route (`GET /repos/{owner}`) that a path belongs to, the most literal one of several."""
    found = [route for route in routes if pattern(route).fullmatch(f"{method} {path}")]
    return min(found, key=lambda route: (route.count("{"), -len(route)), default=None)


@cache
def pattern(route: str) -> re.Pattern[str]:
    """What fits a route; what names a file, a branch or a tag goes on to the end, slashes and all."""
    words = re.split(r"(\{\w+\})", route)
    return re.compile("".join(".+" if w in _LONG else "[^/]+" if w[:1] == "{" else re.escape(w) for w in words))


def unknown(asked: Asked, swagger: Mapping[str, Any]) -> Iterator[str]:
    """What the description does not know of a request: its path, its method, its words."""
    paths = swagger["paths"]
    routes = [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]
    route = routed(asked.method, asked.path, routes)
    if route is None:
        yield f"{asked.method} {asked.path}: no such path and method"
        return
    method, _, path = route.partition(" ")
    parameters = [*paths[path].get("parameters", []), *paths[path][method.lower()].get("parameters", [])]
    known = {each["name"] for each in parameters if each["in"] == "query"}
    yield from (f"{route}: no query word {word}" for word in asked.query if word not in known)
    schema = next((each["schema"] for each in parameters if each["in"] == "body"), None)
    if schema is not None and asked.body is not None:
        yield from _misfits(asked.body, schema, swagger["definitions"], route)
    elif asked.body:
        yield f"{route}: takes no body"


def _misfits(value: Any, schema: Mapping[str, Any], definitions: Mapping[str, Any], at: str) -> Iterator[str]:
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    kind = schema.get("type")
    if kind and (not isinstance(value, _TYPES[kind]) or (kind != "boolean" and isinstance(value, bool))):
        yield f"{at}: {type(value).__name__} is no {kind}"
    elif isinstance(value, dict):
        properties, rest = schema.get("properties", {}), schema.get("additionalProperties")
        for key, one in value.items():
            inner = properties.get(key, rest)
            if inner is None:
                yield f"{at}: no property {key}"
            else:
                yield from _misfits(one, inner, definitions, f"{at} {key}")
    elif isinstance(value, list):
        for one in value:
            yield from _misfits(one, schema.get("items", {}), definitions, f"{at}[]")
