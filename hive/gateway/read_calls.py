"""The calls that only read: how an agent's own work stands, and the end of a log. They change nothing."""

from __future__ import annotations

from typing import Any

from hive.gateway import fields
from hive.gateway.admission import Denied
from hive.gateway.agent_session import AgentSession
from hive.gateway.calls import BrokerCall
from hive.ledger import Turn

OTHER_LOGS = "logs"
"""The capability to read the log of another agent of the team."""

MAX_LINES, LINES = 500, 50


def status(session: AgentSession, turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    """The agent's open runs, the pull request of this one with its checks and reviews, and the calls that are left."""
    try:
        found = session.status(turn)
    except OSError as error:
        raise Denied(503, str(error)) from error
    return {**found, "calls": session.ledger.broker_calls.counts(turn.run)}


def logs(session: AgentSession, turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    """The last lines of the container's log: its own, or with the capability that of another agent of the team."""
    lines = int(fields.number(asked, "lines", MAX_LINES)) or LINES
    agent = fields.text(asked, "agent", 40) if "agent" in asked else session.agent
    if agent != session.agent and OTHER_LOGS not in session.capabilities():
        raise Denied(403, f"the log of another agent needs the capability {OTHER_LOGS}")
    found = session.log(agent, lines)
    if found is None:
        raise Denied(404, "there is no such agent in your team")
    return {"agent": agent, "lines": found.splitlines()}


CALLS = (
    BrokerCall("status", status, capability="status", quota=200),
    BrokerCall("logs", logs, ("lines", "agent"), ("lines", "agent"), capability="status", quota=50),
)
