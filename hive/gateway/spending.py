"""Where money is asked before a request goes to a model, and told after. Knows no price itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from hive.gateway.token_usage import TokenUsage
from hive.ledger import Turn


class Reservation(Protocol):
    """What one request may cost at most, until it is known what it did cost."""

    @property
    def max_tokens(self) -> int:
        """How long the reply may be: what the request says, or less if there is no room for more."""

    @property
    def used(self) -> int:
        """How many percent of the cap are spent that is used most."""

    def settle(self, usage: TokenUsage) -> None:
        """Replace the reservation by what was used, and book it; called once, within one transaction.

        Nothing was used by a request that the model refused.
        """


class Spending(Protocol):
    """Decides whether a turn may spend more."""

    def admit(self, turn: Turn, model: str, request: Mapping[str, Any]) -> Reservation:
        """Reserve what a Messages request to `model` may cost; raises ModelFailed for a spent budget, sqlite3.Error."""
