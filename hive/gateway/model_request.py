"""What a container may ask of a model: its own tools and its own content. Performs no I/O.

Everything that makes the provider access a network is a network: server tools, connectors, sources
by URL, stored files. Only known keys pass, and the rest is refused with a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from itertools import groupby
from typing import Any

from hive.gateway.admission import Denied

PASSED_ON = frozenset(
    {
        *("cache_control", "context_management", "diagnostics", "max_tokens", "messages", "metadata"),
        *("output_config", "output_format", "stop_sequences", "stream", "system", "temperature", "thinking"),
        *("tool_choice", "tools", "top_k", "top_p"),
    }
)
"""Keys of a request that a container decides; the model it asks for is not among them."""

OBJECTS = ("cache_control", "context_management", "diagnostics", "metadata", "output_config", "thinking", "tool_choice")
NUMBERS = ("temperature", "top_k", "top_p")
TOOL_KEYS = frozenset(
    {
        *("type", "name", "description", "input_schema", "cache_control", "strict", "input_examples"),
        *("eager_input_streaming", "defer_loading"),
    }
)
CLIENT_TOOLS = frozenset({"bash", "computer", "memory", "text_editor"})
"""Tools whose form the API knows and whose calls the client executes: in the container, like any other."""

BLOCKS = frozenset(
    {
        *("text", "thinking", "redacted_thinking", "tool_use", "tool_result", "image", "document"),
        *("search_result", "tool_reference", "compaction"),
    }
)
ROLES = frozenset({"user", "assistant", "system"})
"""A `system` in mid conversation is how a client tells what no issue's text can pretend."""

SOURCES = frozenset({"base64", "text", "content"})
"""Forms of an image or a document whose content is in the request."""

EDITS = re.compile(r"(?:clear_tool_uses|clear_thinking|compact)_\d{8}")
"""Edits of a conversation that the provider makes by itself."""

MAX_DEPTH = 4
"""Blocks within blocks: a document in the result of a tool is the deepest that there is."""

_DATED = re.compile(r"_\d{8}$")
"""The version at the end of a server tool's type: `web_search_20250305` is `web_search`."""


def prepared(request: Mapping[str, Any], granted: Collection[str], *, counts: bool = False) -> dict[str, Any]:
    """A request as it is sent; raises Denied for one that asks for more than a model.

    `granted` names the server tools that operators allow; a request that only `counts` needs no `max_tokens`. A key whose
    value is null is left out, which means the same; neighbouring messages of one role become one, because servers whose
    template alternates the roles refuse them.
    """
    body = {key: value for key, value in request.items() if value is not None and key != "model"}
    _check(body, granted, counts=counts)
    return {**body, "messages": merged(body["messages"])}


def merged(messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The messages with neighbours of one role as one, in order: no block is changed."""
    found = []
    for _, group in groupby(messages, lambda message: message["role"]):
        first, *more = group
        content = [block for message in (first, *more) for block in _blocks(message["content"])] if more else None
        found.append({**first} if content is None else {**first, "content": content})
    return found


def _blocks(content: object) -> list[Any]:
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []


def _check(request: Mapping[str, Any], granted: Collection[str], *, counts: bool) -> None:
    for key in request:
        if key not in PASSED_ON:
            raise _refuse(f"{_shown(key)} is not passed on to the model")
    messages, length = request.get("messages"), request.get("max_tokens")
    if not isinstance(messages, list) or not messages:
        raise _refuse("messages should be a list with something in it")
    if (length is not None or not counts) and (not isinstance(length, int) or isinstance(length, bool) or length < 0):
        raise _refuse("max_tokens should be a number from 0 on")
    if not isinstance(request.get("stream", False), bool):
        raise _refuse("stream should be true or false")
    _check_types(request)
    for edit in _dicts(request.get("context_management", {}).get("edits") or [], "context_management.edits"):
        if not EDITS.fullmatch(str(edit.get("type"))):
            raise _refuse(f"the edit {_shown(edit.get('type'))} of the context is not passed on to the model")
    for tool in _dicts(request.get("tools", []), "tools"):
        _check_tool(tool, granted)
    system = request.get("system", "")
    if not isinstance(system, str) and any(block.get("type") != "text" for block in _dicts(system, "system")):
        raise _refuse("system should be text")
    for message in _dicts(messages, "messages"):
        if not isinstance(message.get("role"), str) or message["role"] not in ROLES:
            raise _refuse(f"the role of a message should be one of {', '.join(sorted(ROLES))}")
        if message.get("content") is None:
            raise _refuse("each message should have content")
        _check_content(message["content"], granted, MAX_DEPTH)


def _check_types(request: Mapping[str, Any]) -> None:
    """Refuse what has the wrong type: some servers answer it with a fault of their own."""
    for key in OBJECTS:
        if not isinstance(request.get(key, {}), dict):
            raise _refuse(f"{key} should be an object")
    for key in NUMBERS:
        if not isinstance(value := request.get(key, 0), int | float) or isinstance(value, bool):
            raise _refuse(f"{key} should be a number")
    stops = request.get("stop_sequences", [])
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise _refuse("stop_sequences should be a list of texts")


def _check_tool(tool: Mapping[str, Any], granted: Collection[str]) -> None:
    kind = tool.get("type") or "custom"
    if not isinstance(kind, str) or (kind != "custom" and _DATED.sub("", kind) not in {*granted, *CLIENT_TOOLS}):
        raise _refuse(f"the tool {_shown(kind)} runs at the model's provider and is not granted: model.server_tools")
    if kind == "custom":
        if not isinstance(tool.get("input_schema"), dict):
            raise _refuse(f"the tool {_shown(tool.get('name'))} should have an input_schema")
        more = sorted(str(key) for key in set(tool) - TOOL_KEYS)
        if more:
            raise _refuse(f"{_shown(more[0])} of a tool is not passed on to the model")


def _check_content(content: object, granted: Collection[str], depth: int) -> None:
    """Check what a message, a tool's result or a document holds."""
    if content is None or isinstance(content, str):
        return
    if not depth:
        raise _refuse("the content is nested too deeply")
    for block in _dicts(content, "content"):
        kind = str(block.get("type"))
        if kind not in BLOCKS and not _is_granted(block, granted):
            raise _refuse(f"content of the type {_shown(kind)} is not passed on to the model")
        if kind in ("image", "document"):
            source = block.get("source")
            if not isinstance(source, dict) or str(source.get("type")) not in SOURCES:
                raise _refuse(f"the source of the {kind} should be in the request itself")
            if source["type"] == "content":
                _check_content(source.get("content"), granted, depth - 1)
        if kind in ("tool_result", "search_result"):
            _check_content(block.get("content"), granted, depth - 1)


def _is_granted(block: Mapping[str, Any], granted: Collection[str]) -> bool:
    """Whether a block is the call of a granted server tool, or what came of it."""
    kind = str(block.get("type"))
    if kind == "server_tool_use":
        return str(block.get("name")) in granted
    return kind.endswith("_tool_result") and kind.removesuffix("_tool_result") in granted


def _dicts(value: object, where: str) -> Iterable[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _refuse(f"{where} should be a list of objects")
    return value


def _refuse(sentence: str) -> Denied:
    return Denied(400, sentence)


def _shown(value: object) -> str:
    return repr(value)[:60]
