"""What reaches a turn between two steps: words of people, that the base has moved, that money runs out. Each is told once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hive.agent.broker_client import BrokerClient
from hive.agent.budget_gauge import WORDS
from hive.agent.errors import GitToolError, HostRefused, HostUnavailable
from hive.agent.log import log
from hive.agent.transcript import Transcript
from hive.agent.worktree import WorkTree

LOOK = 180.0
"""Seconds between two looks at the base."""

MOVED = """\
{base} has moved since you began: it is at {sha} now. `git log HEAD..origin/{base}` shows what is new ({count}). What you submit \
is brought onto it."""


@dataclass(slots=True)
class Mailbox:
    """Puts news into the transcript, where the model's next request has them.

    `waiting` is set while the host has words for the turn.
    """

    broker: BrokerClient
    transcript: Transcript
    tree: WorkTree
    waiting: threading.Event
    clock: Callable[[], float] = time.monotonic
    _looked: float = field(init=False)

    def __post_init__(self) -> None:
        self._looked = self.clock()

    def empty(self) -> None:
        """Take what is there; called between two steps, when no call of the model is open."""
        if self.waiting.is_set():
            self.waiting.clear()
            for turn, text in self.broker.mail():
                self._join(turn, text)
        if self.clock() - self._looked >= LOOK:
            self._looked = self.clock()
            self._look()

    def warn(self, mark: int) -> None:
        """Tell the model that a good part of its budget is spent, once for each mark."""
        if mark and all(line.get("budget", 0) < mark for line in self.transcript.lines):
            self.transcript.append({"role": "user", "content": [{"type": "text", "text": WORDS[mark]}], "budget": mark})

    def _join(self, turn: int, text: str) -> None:
        log("heard", turn=turn)
        try:
            self.transcript.append({"role": "user", "content": [{"type": "text", "text": text}], "joins": turn})
        except HostRefused as error:  # it does not wait any more
            log("not heard", turn=turn, why=error)

    def _look(self) -> None:
        if any("moved" in line for line in self.transcript.section):
            return
        try:
            moved = self.tree.moved()
        except (GitToolError, HostUnavailable) as error:
            log("base unseen", why=error)
            return
        if moved is not None:
            sha, count = moved
            text = MOVED.format(base=self.tree.base, sha=sha, count=count)
            self.transcript.append({"role": "user", "content": [{"type": "text", "text": text}], "moved": True})
