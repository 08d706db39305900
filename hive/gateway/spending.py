"""Where money is asked before a request goes to a model, and told after. Knows no price itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from hive.gateway.token_usage import TokenUsage
from hive.ledger import Turn


class Reservation(Protocol):
    """What one request may cost at most, until it is known what it did cost."""

    def settle(self, usage: TokenUsage) -> None:
        """Replace the reservation by what was used; called once, within the transaction that books the tokens.

        Nothing was used by a request that the model refused.
        """


class Spending(Protocol):
    """Decides whether a turn may spend more."""

    def admit(self, turn: Turn, model: str, request: Mapping[str, Any]) -> Reservation:
        """Reserve what a Messages request to `model` may cost; raises ModelFailed for a spent budget, sqlite3.Error."""


class Unlimited:
    """Spending without a limit: it reserves nothing."""

    def admit(self, turn: Turn, model: str, request: Mapping[str, Any]) -> Reservation:  # noqa: ARG002  none of it matters
        """Every request is admitted."""
        return self

    def settle(self, usage: TokenUsage) -> None:
        """Nothing was reserved."""


UNLIMITED = Unlimited()
