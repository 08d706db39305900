"""The calls of a turn's life: get one, keep it alive, store its transcript, put it down, end it. Reads no repository."""

from __future__ import annotations

import logging
import time
from typing import Any

from bots.money import DOLLAR
from bots.wake_kind import Wake
from forge.models import Ref
from hive.agent.text import repaired
from hive.gateway import fields, middleware
from hive.gateway.admission import Denied
from hive.gateway.agent_session import AgentSession
from hive.gateway.bounce_call import NAME as BOUNCE
from hive.gateway.calls import MAX_LINE, BrokerCall
from hive.gateway.outbound import texts_in
from hive.gateway.run_costs import held_up, stopped_by, with_costs
from hive.gateway.run_messages import GIVEN_UP, NO_WORD, PUSHED, WITHHELD, thread
from hive.gateway.transcript_lines import OUTCOMES, MalformedLine, is_step, line_of, text_of_message, uses
from hive.ledger import Act, OutOfSequence, ProgressItem, TranscriptFull, Turn
from hive.ledger.mailbox import JOINED, NoSuchMessage, WaitingMessage
from hive.ledger.progress import MAX_ITEMS
from hive.ledger.runs import MAX_ATTEMPTS
from hive.outbox.actions import PostAnswer, ResolveFixedConversations
from hive.outbox.enqueue import enqueue

log = logging.getLogger("hive.gateway.broker")

MAX_NUMBER = 1_000_000.0
MAX_ITEM = 120
"""The most characters of one item of a checklist."""

MAX_TROUBLE = 2000
"""The most characters of what a container says is wrong with it."""

MAX_WAIT_SECONDS = 25.0
POLL_SECONDS = 0.5
"""How often to look for a turn without a wake-up."""

SPOKEN = OUTCOMES - {"asked", "bounced", "pushed"}
"""Ends of a turn whose message belongs on the thread; the other one has made a pull request there."""

NOT_KEPT = {MalformedLine: 400, NoSuchMessage: 400, OutOfSequence: 409, TranscriptFull: 413}


def give_turn(session: AgentSession, asked: dict[str, Any]) -> dict[str, Any] | None:
    """The next turn, waiting for one as long as asked, or None; also the container's heartbeat. None for one in trouble."""
    wait = min(MAX_WAIT_SECONDS, fields.number(asked, "wait", MAX_NUMBER))
    epoch = session.epoch()
    trouble = fields.text(asked, "trouble", MAX_TROUBLE) if "trouble" in asked else ""
    session.heard(session.agent, fields.text(asked, "generation", 64), trouble)
    if trouble:
        return None
    session.ledger.runs.release(session.agent)  # a client that asks for a turn holds none: a held one was interrupted
    until, woken = time.monotonic() + wait, session.woken.seen
    while (turn := next_turn(session)) is None:
        left = until - time.monotonic()
        if left <= 0 or session.epoch() != epoch or session.stop.is_set():
            return None
        session.woken.wait(woken, min(left, POLL_SECONDS))
        woken = session.woken.seen
    if session.epoch() != epoch or not session.serves(turn.run):  # the turn is for the container that comes next
        session.ledger.runs.pause(turn)  # this turn alone: that container may hold another one by now
        return None
    try:
        brief = session.brief(turn)
    except OSError as error:
        session.ledger.runs.pause(turn, behind=session.ledger.clock())
        log.warning("turn_not_briefed agent=%s turn=%d error=%r", session.agent, turn.id, str(error)[:200])
        raise Denied(503, str(error)) from error
    request_id = middleware.request_id()
    session.ledger.audit.add(
        session.agent, Act.TURN_STARTED, team=session.team, ref=turn.ref, run=turn.run, turn=turn.id, request=request_id
    )
    lines = session.ledger.transcripts.of(turn.run)
    return {**brief, "run": turn.run, "turn": turn.id, "token": turn.token, "transcript": lines}


def next_turn(session: AgentSession) -> Turn | None:
    """The turn to take; one that was interrupted too often fails, with a comment.

    A container that has held a turn of one run gets none of another: it is stopped, and a fresh one asks.
    """
    due = session.ledger.runs.due_run(session.agent)
    if due is None or not session.serves(due):
        return None
    turn = session.ledger.runs.claim(session.agent)
    if turn is None or turn.attempts <= MAX_ATTEMPTS:
        return turn
    speak(session, turn, "failed", GIVEN_UP)
    close(session, turn, "failed", steps=0)
    return None


def heartbeat(session: AgentSession, turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    """The run is alive."""
    session.ledger.runs.renew(turn)
    spent = session.ledger.spending.of_run(turn.run)
    cost = {"spent": f"{spent.cost / DOLLAR:.4f}"} if spent.requests else {}
    is_waiting = bool(session.ledger.mailbox.waiting(turn))
    return {"cancel": False, "rest": session.rest.is_paused(), "mail": is_waiting, **cost}


def mail(session: AgentSession, turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    """What people said since the turn began: each message joins it with the line of the transcript that holds it."""
    waiting = session.ledger.mailbox.waiting(turn)
    return {"messages": [{"turn": message.turn, "message": message.text} for message in waiting]}


def keep_line(session: AgentSession, turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    """Keep a line of the run's transcript, once; what the harness does next it does after this has answered."""
    number = int(fields.number(asked, "number", MAX_NUMBER))
    try:
        line = repaired(line_of(turn.id, asked.get("line")))
        with session.ledger.transaction():
            if session.ledger.transcripts.append(turn.run, number, line):
                _note(session, turn, line)
    except (MalformedLine, NoSuchMessage, OutOfSequence, TranscriptFull) as error:
        raise Denied(NOT_KEPT[type(error)], str(error)) from error
    return {"mail": True} if session.ledger.mailbox.waiting(turn) else {}


def _note(session: AgentSession, turn: Turn, line: dict[str, Any]) -> None:
    """What a new line of a transcript says beside its words."""
    if "joins" in line:
        session.ledger.mailbox.join(turn, WaitingMessage(line["joins"], text_of_message(line)))
        facts = {"run": turn.run, "turn": line["joins"], "outcome": JOINED, "by": turn.id}
        session.ledger.audit.add(session.agent, Act.TURN_ENDED, team=session.team, ref=turn.ref, **facts)
    if is_step(line):
        session.ledger.runs.reset_attempts(turn)
        edits, commands = uses(line)
        session.ledger.progress.note_steps(turn.run, steps=1, edits=edits, commands=commands)


def show_progress(session: AgentSession, turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    """Where the agent is, by a checklist of its own; the run's progress comment shows it at its next edit."""
    done, left = (fields.one_liners(asked, key, MAX_ITEMS, MAX_ITEM) for key in ("done", "left"))
    items = [ProgressItem(text, is_done) for texts, is_done in ((done, True), (left, False)) for text in texts]
    if not 0 < len(items) <= MAX_ITEMS:
        raise Denied(400, f"done and left should hold 1 to {MAX_ITEMS} items together")
    session.ledger.progress.note_items(turn.run, items)
    return {}


def pause(session: AgentSession, turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    """The turn cannot continue now; it comes again later."""
    session.rest.put_down(turn)
    return {}


def abandon(session: AgentSession, turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    """The forge was asked in vain: the turn comes again, and unless it alone has trouble there it has lost nothing."""
    try:
        session.base(Ref.parse(turn.ref).repo)
    except OSError as error:
        session.ledger.runs.release(session.agent, refund=True)
        log.warning("turn_left agent=%s turn=%d error=%r", session.agent, turn.id, str(error)[:200])
    else:
        session.ledger.runs.release(session.agent)
    return {}


def end(session: AgentSession, turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    """The turn has ended: there is always a comment or a pull request.

    Only a turn that is blocked like an earlier one of its run may end without a word: what that one said still holds.
    """
    outcome, steps = fields.text(asked, "outcome", 20), int(fields.number(asked, "steps", MAX_NUMBER))
    if outcome not in OUTCOMES:
        raise Denied(400, f"outcome should be one of {', '.join(sorted(OUTCOMES))}")
    if outcome == "asked" and session.ledger.questions.of_turn(turn.id) is None:
        outcome = "blocked"
    if outcome == "bounced" and not session.ledger.broker_calls.counts(turn.run).get(BOUNCE):
        outcome = "blocked"
    reached = held_up(session.ledger, turn, outcome)
    if reached is not None and reached.until:  # an engine that cannot pause has given up; the turn goes on nevertheless
        session.rest.put_down(turn)
        return {}
    outcome = "blocked" if reached is not None and outcome == "failed" else outcome
    if (
        reached is None
        and outcome == "blocked"
        and not asked.get("message")
        and session.ledger.runs.was_blocked_before(turn)
    ):
        log.info("said_before agent=%s turn=%d", session.agent, turn.id)
    elif outcome in SPOKEN:
        speak(session, turn, outcome, stopped_by(reached, last_message(session, turn, asked)))
    elif (
        outcome == "pushed" and turn.answers is not None
    ):  # an updated pull request is not visible in the conversation that was answered
        speak(session, turn, outcome, PUSHED)
    close(session, turn, outcome, steps=steps)
    return {}


def last_message(session: AgentSession, turn: Turn, asked: dict[str, Any]) -> str:
    """What a turn ends with on its thread: other words if it holds a secret."""
    message = fields.postable_text(asked, "message")
    try:
        session.outbound.check(turn, (*texts_in({"message": asked["message"]}), *texts_in({"message": message})))
    except Denied:
        return WITHHELD
    return message or NO_WORD


def speak(session: AgentSession, turn: Turn, outcome: str, body: str) -> None:
    """Post how a turn ended, once; an announcement is not answered."""
    if turn.wake == Wake.ANNOUNCEMENT:
        return
    body = with_costs(session.ledger, session.team, turn, outcome, body)
    action = PostAnswer(thread(turn), body, key=f"run{turn.run}:end:{turn.id}", to=turn.answers)
    session.wake(
        enqueue(session.ledger, session.team, session.login().name, action, by="run", turn=turn.id, depth=turn.depth)
    )


def close(session: AgentSession, turn: Turn, outcome: str, *, steps: int) -> None:
    """Record the end of a turn, and resolve conversations whose lines it has changed."""
    with session.ledger.transaction():
        session.ledger.runs.end_turn(turn, outcome, steps=steps)
        facts: dict[str, Any] = {
            "run": turn.run,
            "turn": turn.id,
            "outcome": outcome,
            "request": middleware.request_id(),
        }
        session.ledger.audit.add(session.agent, Act.TURN_ENDED, team=session.team, ref=turn.ref, **facts)
        if turn.pull is None or not session.ledger.conversations.unresolved(turn.run):
            return
        action = ResolveFixedConversations(turn.run, Ref.parse(turn.pull), key=f"run{turn.run}:repaired:{turn.id}")
        effect = enqueue(
            session.ledger, session.team, session.login().name, action, by="run", turn=turn.id, depth=turn.depth
        )
    session.wake(effect)


CALLS = (
    BrokerCall("beat", heartbeat, is_shown=False),
    BrokerCall("mail", mail, is_shown=False),
    BrokerCall("transcript", keep_line, max_body=MAX_LINE, is_shown=False),
    BrokerCall("progress", show_progress),
    BrokerCall("rest", pause, is_shown=False),
    BrokerCall("leave", abandon, is_shown=False),
    BrokerCall("end", end, is_shown=False),
)
