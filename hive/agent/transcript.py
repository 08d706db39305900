"""A run's memory: one JSON object per line, on the host's disk before anything is done with it. Never changes a line.

`{"turn": 12, "mind": "…"}` begins a turn; messages follow as the Messages API has them. A reply also carries
its `stop_reason` and `usage`. The line that ends a turn carries `end`, with or without a message around it.

`{"shortened": true}` stands where the conversation was compacted, `{"new": true}` where it starts over. Before it was
compacted in time, a message and a reply with `"checkpoint": true` hold what the model wrote down. Where it did not fit into
the model's window, `"window"` is how many tokens did fit before.

From `{"blind": true}` on no picture is sent: the model's server refused them.

A message that a person wrote during a turn has the number of its own turn in `joins`, and `"moved": true` stands beside the
words that the base has moved, the percentage in `budget` beside those that so much of the money is spent.

A mind is the model with its instructions and tools. Thinking is signed for the mind that thought it and
refused from any other, so what an earlier mind thought is kept here and not sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hive.agent.errors import TurnEnded
from hive.agent.pictures import Picture
from hive.agent.text import repaired
from hive.agent.transcript_reading import TOKENS_IN, calls, messages_of

UNDONE = "This was not done: the turn was over before."


class Transcript:
    """The lines of one run, and what they say about the latest turn.

    `keep` gets each new line with its number and returns when the host has it on disk. The host's copy is the
    only one: a new process gets it with its turn, and no command can change it.
    """

    def __init__(self, lines: Iterable[dict[str, Any]], keep: Callable[[int, dict[str, Any]], None]) -> None:
        self._lines = list(lines)
        self._keep = keep

    def append(self, line: dict[str, Any]) -> None:
        """Add a line; the host has it when this returns."""
        line = repaired(line)
        self._keep(len(self._lines), line)
        self._lines.append(line)

    def begin(self, turn: int, message: str | None = None, *, fingerprint: str, memory: str = "") -> None:
        """Start a turn, or find it started; its message may follow later.

        With a `memory` of `compact` or `new` it starts with a compacted conversation, or with an empty one.
        """
        if self._turn != turn:
            self.append({"turn": turn, "mind": fingerprint})
        elif self._fingerprint != fingerprint:
            self.append({"mind": fingerprint})
        if memory and not any("role" in line or "shortened" in line or "new" in line for line in self.section):
            self.append({"shortened": True} if memory == "compact" else {"new": True})
        if message is not None:
            self.say(message)

    def say(self, message: str, context: Callable[[], Iterable[str]] = tuple) -> None:
        """Give a turn its message, unless it has one; open calls of the previous turn are answered now.

        The first message of a conversation is followed by the texts of `context`.
        """
        if not any("role" in line for line in self.section):
            undone = [result(call, UNDONE, error=True) for call in self._open_calls()]
            more = () if self.messages else context()
            texts = [{"type": "text", "text": text} for text in (message, *more)]
            self.append({"role": "user", "content": [*undone, *texts]})

    @property
    def message(self) -> str:
        """What the last turn was told when it began, in one text."""
        told = next((line["content"] for line in self.section if "role" in line), ())
        return "\n\n".join(block["text"] for block in told if block["type"] == "text")

    def settle(self, results: Sequence[dict[str, Any]], end: TurnEnded | None) -> None:
        """Write down what a reply's calls came to, in one line with the end if they brought it."""
        line = {"role": "user", "content": list(results)}
        self.append(line if end is None else line | _end(end))

    def close(self, end: TurnEnded) -> None:
        """Record the outcome of the turn, unless that is done."""
        if self.end is None:
            self.append(_end(end))

    def shorten(self, *, window: int = 0) -> None:
        """Make the conversation shorter from here on; every line stays where it is.

        `window` is how many tokens the model has read, if it could not read more.
        """
        self.append({"shortened": True, **({"window": window} if window else {})})

    @property
    def lines(self) -> list[dict[str, Any]]:
        """All lines."""
        return self._lines

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation so far, as the Messages API takes it."""
        return messages_of(self._lines, self._fingerprint)

    @property
    def reply(self) -> dict[str, Any] | None:
        """The model's last reply, if nothing was done with it yet."""
        said = [line for line in self.section if "role" in line or "shortened" in line]
        is_open = said[-1].get("role") == "assistant" and "checkpoint" not in said[-1]
        return said[-1] if is_open else None

    @property
    def end(self) -> TurnEnded | None:
        """How the last turn ended, if it did."""
        ends = [line["end"] for line in self.section if "end" in line]
        return TurnEnded(ends[0]["outcome"], ends[0]["message"]) if ends else None

    @property
    def steps(self) -> int:
        """The number of replies in the last turn."""
        return len(self._usages())

    @property
    def tokens_in(self) -> int:
        """The tokens that the model read in the last turn, from the cache or not."""
        return sum(usage.get(kind) or 0 for usage in self._usages() for kind in TOKENS_IN)

    @property
    def tokens_out(self) -> int:
        """The tokens that the model wrote in the last turn."""
        return sum(usage.get("output_tokens") or 0 for usage in self._usages())

    @property
    def _turn(self) -> int | None:
        return next((line["turn"] for line in reversed(self._lines) if "turn" in line), None)

    @property
    def _fingerprint(self) -> str | None:
        return next((line["mind"] for line in reversed(self._lines) if "mind" in line), None)

    @property
    def section(self) -> list[dict[str, Any]]:
        """The lines of the last turn."""
        starts = [index for index, line in enumerate(self._lines) if "turn" in line]
        return self._lines[starts[-1] :] if starts else []

    def _usages(self) -> list[dict[str, Any]]:
        return [line.get("usage") or {} for line in self.section if line.get("role") == "assistant"]

    def _open_calls(self) -> list[dict[str, Any]]:
        said = [line for line in self._lines if line.get("content") or "new" in line]
        return calls(said[-1]) if said and said[-1].get("role") == "assistant" else []


def result(call: dict[str, Any], text: str, *, error: bool = False) -> dict[str, Any]:
    """The block that answers a tool call."""
    content = text.blocks if isinstance(text, Picture) else text
    block = {"type": "tool_result", "tool_use_id": call["id"], "content": content}
    return block | {"is_error": True} if error else block


def _end(end: TurnEnded) -> dict[str, Any]:
    return {"end": {"outcome": end.outcome, "message": end.message}}
