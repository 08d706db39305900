"""What an engine is, and what it works with. Performs no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Protocol

from hive.agent.final_actions import FinalActions
from hive.agent.mailbox import Mailbox
from hive.agent.sandbox import Sandbox
from hive.agent.shell import CommandResult
from hive.agent.tool_declarations import Tool
from hive.agent.tools import Toolbox
from hive.agent.transcript import Transcript
from hive.agent.turn import TurnBrief
from hive.agent.unix_http import RetryPolicy


@dataclass(frozen=True, slots=True)
class Workplace:
    """One turn, as an engine finds it: the task, a work tree that is ready, and the ways out.

    `between` is called between two steps and raises to stop (LeaseLost, Paused, Shutdown, TurnEnded); `seconds_left` is how
    long the turn may still take, 0.0 or less when its time is up. `mailbox` puts what people said meanwhile into the transcript, for an
    engine that reads it there: without that, it is the message of the next turn. `run` lets a command run in the work tree. `actions` ends
    the turn; `toolbox` offers the same to a model. `model_socket` is the gateway's; it wants the turn's token.
    """

    turn: TurnBrief
    transcript: Transcript
    toolbox: Toolbox
    actions: FinalActions
    tree: Path
    run: Callable[[str], CommandResult]
    between: Callable[[], None]
    mailbox: Mailbox
    seconds_left: Callable[[], float]
    model_socket: Path
    sandbox: Sandbox
    folder: Path
    """The run's directory: what an engine has to keep between turns of a run; commands see none of it but the work tree."""

    config: Path = Path()
    """The built configuration of the agent."""

    env: Mapping[str, str] = field(default_factory=dict)
    """Variables of commands beside those of the container: identity, home, shared knowledge."""

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    silence: float = 120.0
    """Seconds without a byte after which an answer of the model is given up."""

    def is_late(self) -> bool:
        """Whether the turn's time is up."""
        return self.seconds_left() <= 0


class TurnEngine(Protocol):
    """Works on a turn until it has an end.

    The contract, which `tests/agent/test_engines.py` holds for each of them: it ends with TurnEnded and honest words, or
    leaves by what `between` raises, Paused or HostUnavailable; it calls `between` at least before each step; what it did
    is in the transcript before it acts on it, so that a process that was killed continues; it leaves no process behind.
    """

    @property
    def name(self) -> str:
        """The word for it in `agent.yaml`."""

    def tools(self, turn: TurnBrief) -> tuple[Tool, ...]:
        """The tools of the hive that it is offered in a turn."""

    def fingerprint(self, turn: TurnBrief) -> str:
        """A digest of all that decides how it reads a conversation, apart from the conversation; see `Transcript`."""

    def work(self, place: Workplace) -> NoReturn:
        """Work until the turn ends: raises TurnEnded, or what the contract says."""
