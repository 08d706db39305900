"""What a container may ask of a model: its own tools and its own content. Performs no I/O.

Everything that makes the provider access a network is a network: server tools, connectors, sources
by URL, stored files. Only known keys pass, and the rest is refused with a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from hive.gateway.admission import Denied
from hive.gateway.llm import PASSED_ON

TOOL_KEYS = frozenset(
    {
        "type",
        "name",
        "description",
        "input_schema",
        "cache_control",
        "strict",
        "input_examples",
        "eager_input_streaming",
    }
)
BLOCKS = frozenset({"text", "thinking", "redacted_thinking", "tool_use", "tool_result", "image", "document"})
SOURCES = frozenset({"base64", "text", "content"})
"""Forms of an image or a document whose content is in the request."""

MAX_DEPTH = 4
"""Blocks within blocks: a document in the result of a tool is the deepest that there is."""

_DATED = re.compile(r"_\d{8}$")
"""The version at the end of a server tool's type: `web_search_20250305` is `web_search`."""


def check(request: Mapping[str, Any], granted: frozenset[str]) -> None:
    """Raise Denied for a request that asks for more than a model; `granted` names the server tools that operators allow."""
    for key in request:
        if key not in PASSED_ON and key != "model":
            raise _refuse(f"{_shown(key)} is not passed on to the model")
    messages, length = request.get("messages"), request.get("max_tokens")
    if not isinstance(messages, list) or not messages:
        raise _refuse("messages should be a list with something in it")
    if not isinstance(length, int) or isinstance(length, bool) or length < 1:
        raise _refuse("max_tokens should be a number above 0")
    if not isinstance(request.get("stream", False), bool):
        raise _refuse("stream should be true or false")
    for tool in _dicts(request.get("tools") or [], "tools"):
        _check_tool(tool, granted)
    system = request.get("system") or ""
    if not isinstance(system, str) and any(block.get("type") != "text" for block in _dicts(system, "system")):
        raise _refuse("system should be text")
    for message in _dicts(messages, "messages"):
        _check_content(message.get("content"), granted, MAX_DEPTH)


def _check_tool(tool: Mapping[str, Any], granted: frozenset[str]) -> None:
    kind = tool.get("type") or "custom"
    if not isinstance(kind, str) or (kind != "custom" and _DATED.sub("", kind) not in granted):
        raise _refuse(f"the tool {_shown(kind)} runs at the model's provider and is not granted: model.server_tools")
    if kind == "custom":
        if not isinstance(tool.get("input_schema"), dict):
            raise _refuse(f"the tool {_shown(tool.get('name'))} should have an input_schema")
        more = sorted(str(key) for key in set(tool) - TOOL_KEYS)
        if more:
            raise _refuse(f"{_shown(more[0])} of a tool is not passed on to the model")


def _check_content(content: object, granted: frozenset[str], depth: int) -> None:
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
        if kind == "tool_result":
            _check_content(block.get("content"), granted, depth - 1)


def _is_granted(block: Mapping[str, Any], granted: frozenset[str]) -> bool:
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
