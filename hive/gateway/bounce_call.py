"""The call by which an agent says that an issue is not of its lane. The commands bot decides what comes of it, as of the command."""

from __future__ import annotations

from typing import Any

from bots.slash_commands import spoken
from forge.models import Ref
from hive.gateway import fields
from hive.gateway.admission import Denied
from hive.gateway.agent_session import AgentSession
from hive.gateway.calls import BrokerCall
from hive.gateway.forge_calls import done
from hive.ledger import Turn
from hive.outbox.actions import PostAnswer

NAME = "not_my_lane"
MAX_WHY = 2000
NOT_GIVEN = "this issue was not given to you: you were asked for words here. End your turn with them"
NOT_A_PEER = "owner should be left out, or be one of {names}"
COMMAND = "/not-my-lane {owner}"


def bounce(session: AgentSession, turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    """Post the command on the issue as the agent, with its reason below; the turn has to end then."""
    key, why = fields.text(asked, "key", 100), fields.postable_text(asked, "why")
    if not 0 < len(why) <= MAX_WHY:
        raise Denied(400, f"why should be text of 1 to {MAX_WHY} characters")
    owner = fields.text(asked, "owner", 40).removeprefix("@") if asked.get("owner") else ""
    others = sorted({*session.peers()} - {session.agent})
    if owner and owner not in others:
        raise Denied(400, NOT_A_PEER.format(names=", ".join(others) or "nobody: you are alone"))
    if turn.wake:
        raise Denied(403, NOT_GIVEN)
    body = (
        f"{COMMAND.format(owner=owner).strip()}\n\n{spoken(why)}".strip()
    )  # above all that could hide it, and the only one
    return done(session, turn, PostAnswer(Ref.parse(turn.ref), body, key=f"run{turn.run}:bounce:{key}"))


CALLS = (BrokerCall(NAME, bounce, ("key", "why", "owner"), ("owner",), once="key", capability="comment", quota=1),)
