"""What a call of `forge.sock` is: a name, what an agent needs to make it, its limits, and a function. Performs no I/O."""

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
    """One call that a turn may make."""

    name: str
    function: CallFunction
    max_body: int = MAX_CALL
