"""The Model Context Protocol, as far as a server of tools needs it: a line in, a line out. Performs no I/O.

JSON-RPC 2.0, one message a line. What a model did wrong (a tool that does not exist, an input that does not fit, a tool that
failed) is a result with `isError` and a sentence: the model reads it. What a client did wrong is an error of JSON-RPC.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hive.agent.errors import ToolError, TurnEnded
from hive.agent.text import cut, repaired
from hive.agent.tool_declarations import Tool
from hive.agent.transcript import UNDONE

VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""The versions of the protocol that are known, newest first; one that a client asks for and is not known gets the newest."""

SERVER = {"name": "hive", "title": "forgehive", "version": "1"}
INSTRUCTIONS = (
    "What leaves this container leaves it by these tools. End your turn with one of them: "
    "submit for a change, finish for words only."
)
LONGEST = 20_000
"""Characters of one result."""

MAX_DEPTH = 16
"""Of what a tool is given: none is meant to be deeper."""

UNSOUND = "Not done: {what} must be a text, with NUL and lone surrogates not allowed."

_PARSE_ERROR, _INVALID_REQUEST, _NO_METHOD, _INVALID_PARAMS = -32700, -32600, -32601, -32602

Caller = Callable[[str, Mapping[str, Any], Mapping[str, Any]], str]
"""Executes one call: its name, its arguments, and the `_meta` of the request. Raises ToolError or TurnEnded."""


class McpSession:
    """One client. `end` is how the turn ended, once a tool has ended it: that call is answered, and no other is made."""

    def __init__(self, tools: Sequence[Tool], call: Caller) -> None:
        self._tools = tools
        self._call = call
        self.end: TurnEnded | None = None

    def answer(self, line: bytes) -> bytes | None:
        """The answer to a line, as a line; None for what wants no answer."""
        try:
            message = json.loads(line)
            too_deep = _depth(message) > MAX_DEPTH + 4
        except (ValueError, RecursionError):
            return _line(_error(None, _PARSE_ERROR, "This is no JSON."))
        if too_deep:
            return _line(_error(None, _INVALID_REQUEST, "The message is nested too deeply."))
        if isinstance(message, list) and message:  # a batch: 2025-03-26 has them
            answers = [answer for each in message if (answer := self._one(each)) is not None]
            return _line(answers) if answers else None
        answer = self._one(message)
        return None if answer is None else _line(answer)

    def _one(self, message: object) -> dict[str, Any] | None:
        if not isinstance(message, dict):
            return _error(None, _INVALID_REQUEST, "A message is an object.")
        method, number = message.get("method"), message.get("id")
        if "method" not in message and ("result" in message or "error" in message):
            return None  # nothing is ever asked of a client
        if not isinstance(method, str) or (number is not None and not _is_id(number)):
            return _error(None, _INVALID_REQUEST, "A request has a method and an id.")
        if "id" not in message:
            return None
        if number is None:
            return _error(None, _INVALID_REQUEST, "The id of a request is not null.")
        params = message.get("params", {})
        if not isinstance(params, dict):
            return _error(number, _INVALID_PARAMS, "params should be an object.")
        return self._request(method, number, params)

    def _request(self, method: str, number: object, params: Mapping[str, Any]) -> dict[str, Any]:
        match method:
            case "initialize":
                return _result(number, self._initialize(params))
            case "ping":
                return _result(number, {})
            case "tools/list":
                if params.get("cursor") is not None:
                    return _error(number, _INVALID_PARAMS, "There is one page of tools only.")
                return _result(number, {"tools": [_listed(tool) for tool in self._tools]})
            case "tools/call":
                name, given = params.get("name"), params.get("arguments")
                if not isinstance(name, str) or not isinstance(given if given is not None else {}, dict):
                    return _error(number, _INVALID_PARAMS, "A call has a name, and arguments that are an object.")
                return _result(number, self._called(name, given or {}, params.get("_meta")))
            case _:
                return _error(number, _NO_METHOD, f"There is no method {method[:100]}.")

    @staticmethod
    def _initialize(params: Mapping[str, Any]) -> dict[str, Any]:
        wanted = params.get("protocolVersion")
        return {
            "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[0],
            "capabilities": {"tools": {"listChanged": False}},
            "serverInfo": SERVER,
            "instructions": INSTRUCTIONS,
        }

    def _called(self, name: str, given: Mapping[str, Any], meta: object) -> dict[str, Any]:
        if self.end is not None:
            return _text(UNDONE, is_error=True)
        if unsound := [key for key, value in given.items() if repaired(value) != value]:
            return _text(UNSOUND.format(what=", ".join(unsound)), is_error=True)
        try:
            said = self._call(name, given, meta if isinstance(meta, dict) else {})
        except ToolError as error:
            return _text(str(error), is_error=True)
        except TurnEnded as reached:
            self.end = reached
            return _text(reached.message)
        return _text(said)


def _listed(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "inputSchema": tool.schema}


def _text(said: str, *, is_error: bool = False) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": cut(said, LONGEST)}], "isError": is_error}


def _result(number: object, result: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "result": result}


def _error(number: object, code: int, sentence: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": sentence}}


def _line(message: object) -> bytes:
    return json.dumps(repaired(message)).encode() + b"\n"


def _is_id(value: object) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool)


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)
