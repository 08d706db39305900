"""Holds at the doors of a run: a push and each call that shows something are refused, in a sentence, as long as one is on.

The forge is asked each time, so a label that was set while the agent works counts for what it does next.
"""

from __future__ import annotations

from hive.gateway.admission import Denied
from hive.gateway.agent_session import AgentSession
from hive.ledger import Turn

CHANGES = frozenset({"open_pr", "update_pr", "config_request"})
"""The capabilities of calls that change something: code, a configuration, or what is asked of others."""

WORDS = frozenset({"ask", "comment"})
HELD = "held: {why}. What you found out belongs in the words at the end of your turn"


def check_hold(session: AgentSession, turn: Turn, capability: str) -> None:
    """Raise Denied if a hold keeps a run from what needs this capability; 503 while the forge is unavailable."""
    if capability not in CHANGES | WORDS:
        return
    try:
        hold = session.hold(turn)
    except OSError as error:
        raise Denied(503, str(error)) from error
    if hold is not None and (capability in CHANGES or not hold.may_comment):
        raise Denied(403, HELD.format(why=hold.why))
