"""The agent loop: ask the model, execute its calls, remember both. Reads no clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from hive.agent.context_window import FULL, TOO_LONG, ContextWindow
from hive.agent.errors import ToolError, TurnEnded
from hive.agent.log import log
from hive.agent.mailbox import Mailbox
from hive.agent.pictures import Picture
from hive.agent.repetition import verdict_on, warning_of
from hive.agent.stream import FINISHED, PAUSED
from hive.agent.text import REPLACED, cut
from hive.agent.tools import Toolbox
from hive.agent.transcript import UNDONE, Transcript, result
from hive.agent.transcript_reading import calls, exchange, exchanges_of, pictures_in, text_of
from hive.agent.turn import TurnBrief

OUT_OF_STEPS = "I stopped after {steps} steps without reaching an end."
OUT_OF_TIME = "I stopped after {minutes:g} minutes without reaching an end."
LONGEST, SHORTEST, ROOM = 20_000, 200, 200_000
"""Characters of one result at most, of one at least, and of all results of one reply together."""

MOST_PICTURES = 4 << 20
"""Letters of all pictures of a conversation: a request has a limit."""

NO_MORE_PICTURES = "You have looked at as many pictures as one conversation can hold: make it smaller, or do without."
UNSOUND = "Not done: {what} must be a text, with NUL and lone surrogates not allowed; \ufffd stands where they were."
NO_WORD = "The model ended its turn without a word."
STOPPED = {
    "refusal": "The model declined to go on with this.",
    "max_tokens": "The model's reply was longer than one reply may be.",
    FULL: TOO_LONG,
}


@dataclass(frozen=True, slots=True)
class AgentLoop:
    """One turn of a conversation.

    `between` is called before each step and raises to stop; `is_late` is whether the turn's minutes are over.
    """

    turn: TurnBrief
    transcript: Transcript
    window: ContextWindow
    toolbox: Toolbox
    mailbox: Mailbox
    between: Callable[[], None]
    is_late: Callable[[], bool]

    def run(self) -> NoReturn:
        """Step until TurnEnded is raised, or anything by `between`."""
        while True:
            self.between()
            if self.transcript.reply is None:
                self.mailbox.empty()
                self.mailbox.warn(self.window.model.budget.mark)
            self.step()

    def step(self) -> None:
        """Ask, and act on the answer."""
        self.act(self.ask())

    def ask(self) -> dict[str, Any]:
        """The model's next reply, or the last one of a killed process that was not executed."""
        reply = self.transcript.reply
        if reply is None or _is_paused(reply):
            self._limit()
            reply = self.window.reply()
            self.transcript.append(reply)
        return reply

    def act(self, reply: dict[str, Any]) -> None:
        """Execute the calls of a reply in order; a reply without calls ends the turn."""
        if reply["stop_reason"] == FULL:
            self.window.overflow()
            return
        if reply["stop_reason"] not in FINISHED:
            raise TurnEnded("blocked", STOPPED.get(reply["stop_reason"], f"The model stopped: {reply['stop_reason']}"))
        asked = calls(reply)
        if _is_paused(reply):
            return  # sent back as it is, the model goes on with it
        if not asked:
            said = "\n\n".join(block["text"] for block in reply["content"] if block["type"] == "text").strip()
            raise TurnEnded("answered" if said else "blocked", said or NO_WORD)
        self._make(asked, frozenset(reply.get("repaired", ())))

    def _make(self, asked: list[dict[str, Any]], unsound: frozenset[str]) -> None:
        results: list[dict[str, Any]] = []
        end: TurnEnded | None = None
        room = ROOM
        for call in asked:
            if end is not None:
                results.append(result(call, UNDONE, error=True))
                continue
            log("call", turn=self.turn.id, step=self.transcript.steps, tool=call["name"])
            longest = max(SHORTEST, min(LONGEST, room))
            try:
                results.append(result(call, self._call(call, longest, is_sound=call["id"] not in unsound)))
            except ToolError as field_error:
                results.append(result(call, cut(str(field_error), longest), error=True))
            except TurnEnded as reached:
                end = reached
                results.append(result(call, end.message))
            room -= len(text_of(results[-1]))
        if end is None:
            end = self._in_circles(asked, results, unsound)
        self.transcript.settle(results, end)
        if end is not None:
            raise end

    def _in_circles(
        self, asked: list[dict[str, Any]], results: list[dict[str, Any]], unsound: frozenset[str]
    ) -> TurnEnded | None:
        """Warn a model that does the same again and again, or end its turn."""
        made = exchanges_of(self.transcript.section, self.toolbox.takes)
        for call, answer in zip(asked, results, strict=True):
            is_sound = call["id"] not in unsound and self.toolbox.takes(call["name"], call["input"])
            made.append(exchange(call, answer, is_sound=is_sound))
        if stuck := verdict_on(made):
            return TurnEnded("blocked", stuck)
        if isinstance(results[-1]["content"], str):
            results[-1]["content"] += warning_of(made)
        return None

    def _call(self, call: dict[str, Any], longest: int, *, is_sound: bool) -> str:
        if is_sound:
            said = self.toolbox.call(call["name"], call["input"])
            if not isinstance(said, Picture):
                return cut(said, longest)
            if pictures_in(self.transcript.messages) + said.letters > MOST_PICTURES:
                raise ToolError(NO_MORE_PICTURES)
            return said
        named = [key for key, value in call["input"].items() if REPLACED in str(value)]
        raise ToolError(UNSOUND.format(what=", ".join(named) or call["name"]))

    def _limit(self) -> None:
        if self.transcript.steps >= self.turn.max_steps:
            raise TurnEnded("blocked", OUT_OF_STEPS.format(steps=self.turn.max_steps))
        if self.is_late():
            raise TurnEnded("blocked", OUT_OF_TIME.format(minutes=self.turn.minutes))


def _is_paused(reply: dict[str, Any]) -> bool:
    """Whether the model only made a pause: a reply with calls of the agent's own tools is answered first."""
    return reply["stop_reason"] == PAUSED and not calls(reply)
