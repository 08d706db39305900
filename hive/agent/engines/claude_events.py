"""Reads what Claude Code says (`--output-format stream-json`), and writes it into the transcript. Starts nothing.

One reply of the model comes as several events, one for each block; they are one line of the transcript, written when the reply
is whole. Whatever has another shape is passed by: the program has read the repository, and says what it likes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hive.agent.errors import TurnEnded
from hive.agent.log import log
from hive.agent.model_answer import Answer
from hive.agent.model_relay import ModelRelay
from hive.agent.text import cut
from hive.agent.transcript import Transcript

LONGEST_TEXT = 100_000
LONGEST_RESULT = 20_000
LONGEST_INPUT = 50_000
"""Characters of a text, of a tool's result, and of one parameter of a call that are written down."""

MAX_DEPTH = 12
"""Of a call's input that is written down."""

MAX_BLOCKS = 100
TO_END = 0.5
"""Seconds that the model may take to end a reply whose blocks the program has got: it acts on them before."""

CALL = "claudecode/toolUseId"
"""Which call of the model a request of the Model Context Protocol is for."""

SYNTHETIC = "<synthetic>"
"""The model of what the program says itself."""

PREFIX = "mcp__hive__"
"""Before the names of the hive's tools."""


class ClaudeJournal:
    """What one turn's Claude Code did and said."""

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        self._reply: dict[str, Any] = {}
        self._number = ""
        self._heard = 0
        self._call = ""
        self._known: set[str] = set()
        self._settled: set[str] = set()
        self.relay: ModelRelay | None = None
        self.words = ""
        """What the model said last."""

        self.result: dict[str, Any] | None = None
        """The last event of the program, if it came."""

        self.has_begun = False
        """Whether the program took the task up."""

    def begin(self) -> None:
        """A program is about to be started."""
        self.result, self.has_begun = None, False

    def heard(self, line: bytes) -> None:
        """Take an event."""
        event = _event(line)
        match event.get("type"):
            case "system" if event.get("subtype") == "init":
                self.has_begun = True
                _log_tools(event)
            case "system" if event.get("subtype") == "api_retry":
                log("retry", attempt=event.get("attempt"), status=event.get("error_status"))
            case "assistant" if not event.get("parent_tool_use_id"):
                self._says(_mapping(event.get("message")))
            case "user" if not event.get("parent_tool_use_id"):
                self._is_told(_mapping(event.get("message")))
            case "result":
                self._flush()
                self.result = event

    def looked(self) -> None:
        """Write down a reply that is whole by now: the model has ended it, and each of its blocks was heard of."""
        if self._reply and (answer := self._answer()) is not None and self._heard >= answer.blocks:
            self._flush()

    def has_heard_of(self, meta: Mapping[str, Any]) -> bool:
        """Whether the event of a call has come: it may come after the call itself."""
        call = meta.get(CALL)
        return not isinstance(call, str) or call in self._known

    def calls(self, _name: str, _given: Mapping[str, Any], meta: Mapping[str, Any], /) -> None:
        """Have the reply that calls a tool on the host before the tool is executed."""
        call = meta.get(CALL)
        self._call = call if isinstance(call, str) and call in self._known else ""
        self._flush()

    def called(self, said: str, *, is_error: bool = False, end: TurnEnded | None = None) -> None:
        """Write down what ends the turn; what other calls came to is an event of its own."""
        if end is not None:
            results = [_result(self._call, said, is_error=is_error)] if self._call else []
            self._transcript.settle(results, end)

    @property
    def is_settled(self) -> bool:
        """Whether the program has said what its last call came to."""
        return not self._call or self._call in self._settled

    def over(self) -> None:
        """Write down what is left."""
        self._flush()

    def _says(self, message: Mapping[str, Any]) -> None:
        number = message.get("id")
        if message.get("model") == SYNTHETIC or not isinstance(number, str):
            return
        if number != self._number:
            self._flush()
            self._number, self._heard = number, 0
        self._heard += len(_dicts(message.get("content")))
        if not self._reply:
            self._reply = {"role": "assistant", "content": [], "stop_reason": "", "usage": {}}
        for block in _blocks(message.get("content")):
            if block["type"] == "tool_use":
                self._known.add(block["id"])
            if block["type"] == "text":
                self.words = block["text"]
            self._reply["content"].append(block)

    def _is_told(self, message: Mapping[str, Any]) -> None:
        self._flush()
        results = [
            _result(block["tool_use_id"], _text_of(block.get("content")), is_error=block.get("is_error") is True)
            for block in _dicts(message.get("content"))
            if block.get("type") == "tool_result" and block.get("tool_use_id") in self._known
        ]
        self._settled.update(result["tool_use_id"] for result in results)
        if results and self._transcript.end is None:
            self._transcript.append({"role": "user", "content": results})

    def _flush(self) -> None:
        reply, self._reply = self._reply, {}
        if not reply or self._transcript.end is not None:
            return
        if (answer := self._answer(wait=TO_END)) is not None:
            reply |= {"stop_reason": answer.stop_reason, "usage": answer.usage}
        self._transcript.append(reply)

    def _answer(self, wait: float = 0.0) -> Answer | None:
        """What the relay saw of the reply, once it was whole."""
        return self.relay.answer(self._number, wait=wait) if self.relay is not None else None


def _event(line: bytes) -> dict[str, Any]:
    try:
        return _mapping(json.loads(line))
    except (ValueError, RecursionError):
        return {}


def _blocks(content: object) -> Iterator[dict[str, Any]]:
    """The blocks of a reply, in the form of the Messages API and of bounded length."""
    for block in _dicts(content):
        match block:
            case {"type": "text", "text": str(text)} if text:
                yield {"type": "text", "text": cut(text, LONGEST_TEXT)}
            case {"type": "thinking", "thinking": str(text)} if text:
                yield {"type": "thinking", "thinking": cut(text, LONGEST_TEXT)}
            case {"type": "tool_use", "id": str(number), "name": str(name), "input": dict(given)}:
                shown = name.removeprefix(PREFIX)
                yield {"type": "tool_use", "id": number, "name": shown, "input": _bounded(given, MAX_DEPTH)}


def _bounded(value: object, depth: int) -> Any:
    if isinstance(value, str):
        return cut(value, LONGEST_INPUT)
    if isinstance(value, list | dict) and not depth:
        return "…"
    if isinstance(value, list):
        return [_bounded(each, depth - 1) for each in value[:MAX_BLOCKS]]
    if isinstance(value, dict):
        return {str(key): _bounded(each, depth - 1) for key, each in [*value.items()][:MAX_BLOCKS]}
    return value


def _result(call: str, said: str, *, is_error: bool) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": call, "content": cut(said, LONGEST_RESULT)}
    return block | {"is_error": True} if is_error else block


def _text_of(content: object) -> str:
    """The words of a result: a picture has none."""
    if isinstance(content, str):
        return content
    return "\n".join(
        text if isinstance(text := block.get("text"), str) else f"[{block.get('type')}]" for block in _dicts(content)
    )


def _log_tools(event: Mapping[str, Any]) -> None:
    """The program goes on without tools that it could not reach: somebody should be able to see that."""
    servers = ",".join(f"{server.get('name')}:{server.get('status')}" for server in _dicts(event.get("mcp_servers")))
    log("claude-code", version=event.get("claude_code_version"), tools=servers or "none")


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value[:MAX_BLOCKS] if isinstance(item, dict)] if isinstance(value, list) else []


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
