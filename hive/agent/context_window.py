"""Keeps a conversation within what the model can read: asks for notes before it gets full, and then makes it shorter.

What was decided stands in the transcript, so that a process that was killed continues with the same conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hive.agent.budget_gauge import BudgetGauge
from hive.agent.errors import ContextOverflow, TurnEnded
from hive.agent.log import log
from hive.agent.transcript import Transcript
from hive.agent.transcript_reading import checkpoint_of, pictures_in, replies_since_shortened, weight_of, window_of

WATERMARK = 0.75
"""How full the window may be, as a part of it, until the conversation is made shorter."""

REST = 4
"""How many replies there are at least from one shortening to the next that is made in time."""

FULL = "model_context_window_exceeded"
"""The stop reason of a reply that filled the window."""

CHECKPOINT = """\
This conversation is getting longer than you can read, so most of it is left out from here on: you will not see it again. Write \
down now, in words and without a call of a tool, what you need to go on: the task and what was decided, what is done and where, \
what was tried and did not work, and what is left to do."""
TOO_LONG = "The conversation has grown longer than the model can read."


class ReplySource(Protocol):
    """What replies to a conversation: a model, or a script."""

    @property
    def budget(self) -> BudgetGauge:
        """How much of its budget the run has used."""

    def reply(self, messages: Sequence[dict[str, Any]], /) -> dict[str, Any]:
        """The next message; see `ModelClient.reply`."""


@dataclass(frozen=True, slots=True)
class ContextWindow:
    """The window of a model, `size` tokens; 0 if that is not known: then it is learnt when it has been too small once."""

    transcript: Transcript
    model: ReplySource
    size: int = 0

    def reply(self) -> dict[str, Any]:
        """The model's next reply; a conversation that is too long, or soon will be, is made shorter before.

        Raises what ModelClient.reply raises, and TurnEnded if shorter is still too long.
        """
        self._make_room()
        try:
            return self._asked()
        except ContextOverflow as error:
            self.overflow(error)
        try:
            return self._asked()
        except ContextOverflow as error:
            raise TurnEnded("blocked", TOO_LONG) from error

    def _asked(self) -> dict[str, Any]:
        """A reply; a server that refuses a conversation with pictures is asked without them, from then on."""
        messages = self.transcript.messages
        try:
            return self.model.reply(messages)
        except TurnEnded as refused:
            if refused.outcome != "failed" or not pictures_in(messages):
                raise
            log("without pictures", why=refused)
            self.transcript.append({"blind": True})
        return self.model.reply(self.transcript.messages)

    def overflow(self, error: ContextOverflow | None = None) -> None:
        """Make a conversation shorter that the model did not read; raises TurnEnded if that was done just now."""
        if replies_since_shortened(self.transcript.section) <= 1:
            raise TurnEnded("blocked", TOO_LONG) from error
        log("shortened", step=self.transcript.steps)
        self.transcript.shorten(window=weight_of(self.transcript.lines))

    def _make_room(self) -> None:
        """Shorten a conversation in time, after the model wrote down what matters; or end what was begun of that."""
        if not checkpoint_of(self.transcript.lines):
            if not self._is_nearly_full():
                return
            log("checkpoint", step=self.transcript.steps)
            self.transcript.append(
                {"role": "user", "content": [{"type": "text", "text": CHECKPOINT}], "checkpoint": True}
            )
        if checkpoint_of(self.transcript.lines) == "asked":
            try:
                notes = self._asked()
                self.transcript.append({**notes, "checkpoint": True})  # the calls in it are never made
            except ContextOverflow:
                log("no notes", step=self.transcript.steps)
        self.transcript.shorten()

    def _is_nearly_full(self) -> bool:
        lines, known = self.transcript.lines, [size for size in (self.size, window_of(self.transcript.lines)) if size]
        if not known or replies_since_shortened(self.transcript.section) < REST:
            return False
        return weight_of(lines) >= WATERMARK * min(known)
