"""Counts how often a model's server failed at one and the same conversation: some requests it never answers.

A missing field, a picture for a model that reads text, a conversation that takes longer than anybody waits: servers answer
such a request with a fault of their own, as they do when they are broken. Repeating it for ever would help nobody.
"""

from __future__ import annotations

import threading

from hive.gateway.llm import ModelRequest
from hive.gateway.model_errors import ModelFailed
from hive.ledger import Turn

TRIES = 4
"""Failures after which a conversation is suspected."""

NOT_IMPLEMENTED = 501
MAX_KNOWN = 64


class RepeatedFaults:
    """The failures of one agent's current turn; another turn starts without any."""

    def __init__(self) -> None:
        self._turn = 0
        self._known: dict[str, tuple[int, str]] = {}
        self._guard = threading.Lock()

    def note(self, turn: Turn, request: ModelRequest, error: ModelFailed) -> None:
        """The server failed at a request, which may be the request's fault."""
        if not error.may_be_the_requests:
            return
        with self._guard:
            if turn.id != self._turn or len(self._known) >= MAX_KNOWN:
                self._turn, self._known = turn.id, {}
            tries, _ = self._known.get(request.digest, (0, ""))
            said = error.message or f"{error.status} {error.kind}".strip()
            self._known[request.digest] = (TRIES if error.status == NOT_IMPLEMENTED else tries + 1), said

    def forget(self, request: ModelRequest) -> None:
        """The server answered a request."""
        if self._known:
            with self._guard:
                self._known.pop(request.digest, None)

    def suspicion(self, turn: Turn, request: ModelRequest) -> tuple[int, str] | None:
        """How often the server failed at this conversation, and what it said, if that is often."""
        if turn.id != self._turn or not self._known:
            return None
        tries, said = self._known.get(request.digest, (0, ""))
        return (tries, said) if tries >= TRIES else None
