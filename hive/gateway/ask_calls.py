"""The call that asks people something. It ends the turn: what follows is the answer, `[expired]`, or nothing if the run ends."""

from __future__ import annotations

from typing import Any

from hive.agent.reference_escaping import escape_references
from hive.gateway import fields
from hive.gateway.admission import Denied
from hive.gateway.agent_session import AgentSession
from hive.gateway.calls import BrokerCall
from hive.gateway.forge_calls import done
from hive.gateway.run_messages import thread
from hive.ledger import Turn
from hive.outbox.actions import AskQuestion

MAX_OPTIONS, MAX_OPTION, MAX_QUESTION = 10, 200, 4000
SHORTEST_SECONDS, LONGEST_SECONDS = 60, 30 * 86_400
DEFAULT_SECONDS = 3 * 86_400
AUTHOR = "author"
ADDRESSEES = ("operator", AUTHOR)
ALREADY = "you wait for the answer to another question; end your turn: {question}"


def ask(session: AgentSession, turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    """Ask the operators, or also the author of the issue, with numbered options if there are any."""
    key = f"run{turn.run}:ask:{fields.text(asked, 'key', 100)}"
    waits = session.ledger.questions.open_of(turn.run)
    if waits is not None and waits.key != f"run:{key}":
        raise Denied(403, ALREADY.format(question=waits.question[:200]))
    question = fields.postable_text(asked, "question")
    if not 0 < len(question) <= MAX_QUESTION:
        raise Denied(400, f"question should be text of 1 to {MAX_QUESTION} characters")
    options = [escape_references(line) for line in fields.one_liners(asked, "options", MAX_OPTIONS, MAX_OPTION)]
    if len(options) == 1:
        raise Denied(400, "options should be two at least, or none")
    seconds = int(fields.number(asked, "ttl", LONGEST_SECONDS)) or DEFAULT_SECONDS
    if seconds < SHORTEST_SECONDS:
        raise Denied(400, f"ttl should be {SHORTEST_SECONDS} to {LONGEST_SECONDS} seconds")
    to = asked.get("to", ADDRESSEES[0])
    if to not in ADDRESSEES:
        raise Denied(400, f"to should be one of {', '.join(ADDRESSEES)}")
    action = AskQuestion(
        *(thread(turn), turn.run, turn.id, question, tuple(options), seconds), to_author=to == AUTHOR, key=key
    )
    posted = done(session, turn, action)
    found = session.ledger.questions.by_key(f"run:{key}")
    return {"question": 0 if found is None else found.id, "url": posted.get("url", "")}


CALLS = (
    BrokerCall(
        *("ask", ask, ("key", "question", "options", "ttl", "to"), ("options", "ttl", "to")),
        once="key",
        capability="ask",
        quota=5,
    ),
)
