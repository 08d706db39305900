"""Admits the calls that a run makes on the forge: by capability, by the fields of the body, by quota; each is recorded.

What is refused is answered in words from which a model learns what was wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from hive.gateway import middleware
from hive.gateway.admission import Denied
from hive.gateway.agent_session import AgentSession
from hive.gateway.calls import BrokerCall
from hive.gateway.hold_checks import check_hold
from hive.gateway.outbound import texts_in
from hive.ledger import Act, Turn

NOT_CAPABLE = (
    "{agent} has not the capability {wanted}, which {call} needs; it has {held}. An operator grants it in agent.yaml"
)
USED_UP = "{call} may be called {quota} times in a run, and this run has done so; do without, and say in the end of your turn what is missing"
ASKED = "you have asked a question: end your turn, the answer begins the next one"
UNKNOWN = "there is no call {name}; there are {known}"


@contextmanager
def admitted(session: AgentSession, turn: Turn, call: BrokerCall, asked: dict[str, Any]) -> Iterator[None]:
    """A call that may be made; raises Denied. One that turns out to be malformed does not count."""
    if call.is_shown:
        session.outbound.check(turn, texts_in(asked))
    if not call.capability:
        yield
        return
    try:
        held = session.capabilities()
    except OSError as error:
        raise Denied(503, str(error)) from error
    if call.capability not in held:
        said = NOT_CAPABLE.format(
            agent=session.agent, wanted=call.capability, call=call.name, held=", ".join(sorted(held)) or "none"
        )
        raise Denied(403, said)
    _check_fields(call, asked)
    question = session.ledger.questions.of_turn(turn.id)
    if question is not None and question.is_open and call.capability != "ask":
        raise Denied(403, ASKED)
    check_hold(session, turn, call.capability)
    key = asked.get(call.once) if call.once else None
    key = key if isinstance(key, str) else middleware.request_id()
    _count(session, turn, call, key)
    try:
        yield
    except Denied as error:
        if error.status != 400:
            raise
        session.ledger.broker_calls.forget(turn.run, call.name, key)
        raise Denied(400, f"{error}; {call.form}") from error


def unknown(name: str, calls: Iterable[str]) -> Denied:
    """The refusal of a call that does not exist."""
    shown = name if name.isidentifier() and len(name) <= 40 else "of that name"
    return Denied(404, UNKNOWN.format(name=shown, known=", ".join(sorted(calls))))


def _check_fields(call: BrokerCall, asked: dict[str, Any]) -> None:
    missing = [name for name in call.takes if name not in asked and name not in call.optional]
    if missing or asked.keys() - set(call.takes):
        given = ", ".join(sorted(name for name in asked if name.isidentifier())[:20]) or "none"
        raise Denied(400, f"{call.form}; given were {given}")


def _count(session: AgentSession, turn: Turn, call: BrokerCall, key: str) -> None:
    """Count a call in its run and record it, in one transaction; raises Denied if there were too many."""
    ledger = session.ledger
    with ledger.transaction():
        if not ledger.broker_calls.count(turn.run, call.name, key, most=call.quota):
            raise Denied(403, USED_UP.format(call=call.name, quota=call.quota))
        facts: dict[str, Any] = {
            "call": call.name,
            "run": turn.run,
            "turn": turn.id,
            "request": middleware.request_id(),
        }
        ledger.audit.add(session.agent, Act.CALL_MADE, team=session.team, ref=turn.ref, **facts)
