"""Writes down what a program does that speaks no language of events: what it says, what the model answered, what it calls."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hive.agent.errors import TurnEnded
from hive.agent.model_answer import Answer
from hive.agent.model_relay import ModelRelay
from hive.agent.text import cut
from hive.agent.transcript import Transcript

LONGEST_TEXT = 20_000
"""Characters of what it says between two steps that are written down."""

LAST_WORDS = 4_000
"""Characters of the end of what it said that are its last words."""

LONGEST_RESULT = 20_000
_CONTROL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f]")
"""Colours, titles and other instructions to a terminal."""


class PlainJournal:
    """What one turn's program did and said. A step is an answer of the model, or a call for which the model was not asked."""

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        self._said: list[str] = []
        self._length = 0
        self._calls = 0
        self._call = ""
        self._tail = self._before = ""
        self.relay: ModelRelay | None = None

    @property
    def words(self) -> str:
        """What it said after the model's last answer, or if that is nothing, after the one before; the end of it."""
        text = self._tail.strip() or self._before.strip()
        if len(text) <= LAST_WORDS:
            return text
        return text[-LAST_WORDS:].partition("\n")[2].strip() or text[-LAST_WORDS:]

    def begin(self) -> None:
        """A program is about to be started."""
        self._tail = self._before = ""

    def heard(self, line: bytes) -> None:
        """Take a line."""
        text = _CONTROL.sub("", line.decode(errors="replace")).rstrip()
        self._tail = f"{self._tail}\n{text}"[-2 * LAST_WORDS :]
        if self._length <= LONGEST_TEXT:
            self._said.append(text)
            self._length += len(text) + 1

    def looked(self) -> None:
        """Write down a step when the model has answered."""
        while self.relay is not None and (answer := self.relay.take()) is not None:
            self._before, self._tail = self._tail, ""
            self._step(answer)

    def has_heard_of(self, _: Mapping[str, Any], /) -> bool:
        """It says no such things."""
        return True

    def calls(self, name: str, given: Mapping[str, Any], _: Mapping[str, Any], /) -> None:
        """Write down the step that makes a call."""
        self._calls += 1
        self._call = f"call_{len(self._transcript.lines)}_{self._calls}"
        answer = None
        while self.relay is not None and (newer := self.relay.take()) is not None:
            if answer is not None:
                self._step(answer)
            answer = newer
        block = {"type": "tool_use", "id": self._call, "name": name[:200], "input": _short(given)}
        self._step(answer or Answer(""), block)

    def called(self, said: str, *, is_error: bool = False, end: TurnEnded | None = None) -> None:
        """Write down what it came to."""
        result: dict[str, Any] = {
            "type": "tool_result",
            "tool_use_id": self._call,
            "content": cut(said, LONGEST_RESULT),
        }
        self._transcript.settle([result | ({"is_error": True} if is_error else {})], end)

    @property
    def is_settled(self) -> bool:
        """It says no such things."""
        return True

    def over(self) -> None:
        """Write down what is left."""
        self.looked()
        if self._said and self._transcript.end is None:
            self._step(Answer(""))

    def _step(self, answer: Answer, *more: dict[str, Any]) -> None:
        text = cut("\n".join(self._said).strip(), LONGEST_TEXT)
        self._said, self._length = [], 0
        content = [*([{"type": "text", "text": text}] if text else []), *more]
        line = {"role": "assistant", "content": content, "stop_reason": answer.stop_reason, "usage": answer.usage}
        self._transcript.append(line)


def _short(given: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key): cut(value, LONGEST_TEXT) if isinstance(value, str) else value for key, value in given.items()}
