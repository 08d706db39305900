"""What the gateway's last refusal means for a turn whose program has ended for it. Performs no I/O."""

from __future__ import annotations

from hive.agent.context_window import TOO_LONG
from hive.agent.errors import ContextOverflow, HostUnavailable, Paused, TurnEnded
from hive.agent.model_relay import ModelRelay


def raise_refusal(relay: ModelRelay) -> None:
    """Raise what the last refusal means; return if the last request got a reply."""
    match relay.refusal:
        case HostUnavailable() as error:
            raise Paused(f"The model could not be reached: {error}") from error
        case ContextOverflow() as error:
            raise TurnEnded("blocked", TOO_LONG) from error
        case None:
            return
        case other:
            raise other
