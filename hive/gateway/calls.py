"""What a call of `forge.sock` is: a name, what an agent needs to make it, its limits, and a function. Performs no I/O.

There is no operator's call: none merges, approves, pauses, or changes a host. A call without a `capability` belongs to a
turn's life, and every turn has it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hive.gateway.agent_session import AgentSession
from hive.ledger import Turn

MAX_CALL = 1 << 20
MAX_LINE = 4 << 20
"""The most bytes of a call, and of a transcript line with tool results."""

CallFunction = Callable[[AgentSession, Turn, dict[str, Any]], dict[str, Any]]
"""Performs a call of a turn with a body; returns the JSON of the answer, or raises Denied."""


@dataclass(frozen=True, slots=True)
class BrokerCall:
    """One call that a turn may make.

    `takes` are the fields of its body, all but the `optional` ones required. A run may make it `quota` times; a call with
    the same value in the field `once` as an earlier one is that one, sent again.
    """

    name: str
    function: CallFunction
    takes: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    once: str = ""
    capability: str = ""
    quota: int = 0
    max_body: int = MAX_CALL
    is_shown: bool = True
    """Whether what it brings is shown to others: then it is looked through for secrets."""

    @property
    def form(self) -> str:
        """What it takes, in words."""
        told = [f"{name} (optional)" if name in self.optional else name for name in self.takes]
        return f"{self.name} takes {', '.join(told) or 'nothing'}"
