"""The broker behind a container's `forge.sock`: typed calls on the forge, and git. The socket is the principal.

There is no operator's power in it: a run may take its turn, comment on its own thread, open its
own pull request, propose a change of its own configuration, and report its outcome.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from flask import Flask, Response, jsonify, request

from forge.models import Ref, Repo
from hive.agent.text import repaired
from hive.gateway import fields, middleware
from hive.gateway.admission import NO_TOKEN, CallRule, Denied, Gate, Guard
from hive.gateway.agent_backoff import AgentBackoff
from hive.gateway.git_proxy import FETCH, PUSH, GitRequest, NotAllowed, proxy
from hive.gateway.run_messages import GIVEN_UP, NO_WORD, PUSHED, closing, last_words, thread
from hive.gateway.transcript_lines import MalformedLine, is_step, line_of
from hive.git_mirror.mirror import Login
from hive.ledger import Act, Ledger, OutOfSequence, TranscriptFull, Turn
from hive.ledger.runs import MAX_ATTEMPTS
from hive.outbox.actions import Action, OpenPull, PostAnswer, ResolveFixedConversations
from hive.outbox.enqueue import enqueue

log = logging.getLogger("hive.gateway.broker")

MAX_ASKING = 4 << 10
"""Bytes of a question for a turn: it is the only call without the token of a run."""

MAX_CALL = 1 << 20
MAX_LINE = 4 << 20
MAX_FETCH = 16 << 20
MAX_PUSH = 256 << 20
"""The most bytes of a call, of a transcript line with tool results, of a fetch request, and of a push."""

MAX_NUMBER = 1_000_000.0
MAX_WAIT_SECONDS = 25.0
POLL_SECONDS = 0.02
SPOKEN = frozenset({"answered", "blocked", "failed", "proposed"})
"""Ends of a turn whose message belongs on the thread; the other one has made a pull request there."""

NOT_KEPT = {MalformedLine: 400, OutOfSequence: 409, TranscriptFull: 413}


@dataclass(frozen=True, slots=True)
class AgentSession:
    """The agent of a socket, and what it may reach.

    `knowledge` is read-only. `epoch` is a number that changes when the container ends, `serves` is whether it may hold a turn
    of a run. `login` is called each time, as its token may be rotated. `base` is a repository's default branch, `brief`
    makes a turn's JSON, `address` is the repository's path on the forge: all raise OSError while the forge is unavailable,
    or a repository is missing.
    """

    agent: str
    team: str
    login: Callable[[], Login]
    forge_url: str
    config_repo: Repo
    ledger: Ledger
    wake: Callable[[int], None]
    heard: Callable[[str, str], None]
    epoch: Callable[[], int]
    stop: threading.Event
    rest: AgentBackoff
    base: Callable[[Repo], str]
    brief: Callable[[Turn], dict[str, Any]]
    serves: Callable[[int], bool] = bool
    knowledge: Repo | None = None
    address: Callable[[Repo], str] = lambda repo: repo.path


def create(session: AgentSession, guard: Guard | None = None) -> Flask:
    """The WSGI application behind one agent's `forge.sock`; `guard` is what its `model.sock` has as well."""
    app = Flask("hive.gateway.broker", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_PUSH
    middleware.install(app, guard or Guard(session.ledger, session.team, session.agent), form)
    app.add_url_rule("/v1/turn", view_func=lambda: give_turn(session), methods=["POST"], endpoint="turn")
    for name, action in CALLS.items():
        app.add_url_rule(f"/v1/{name}", view_func=_authorised(session, action), methods=["POST"], endpoint=name)

    @app.route("/git/<owner>/<name>.git/<path:rest>", methods=["GET", "POST"])
    def git(owner: str, name: str, rest: str) -> Response:
        return pass_git(session, authorise(session), f"{owner}/{name}", rest)

    return app


def gate(guard: Guard) -> Gate:
    """The entrance of an agent's `forge.sock`."""
    return Gate(guard, rule, form)


def rule(method: str, path: str) -> CallRule | None:
    """What a call on `forge.sock` may bring."""
    if path.startswith("/git/") and method in ("GET", "POST"):
        return CallRule((MAX_PUSH if path.endswith(f"/{PUSH}") else MAX_FETCH) if method == "POST" else 0)
    name = path.removeprefix("/v1/")
    if name == path or method != "POST":
        return None
    if name == "turn":
        return CallRule(MAX_ASKING, needs_run=False)
    return CallRule(MAX_LINE if name == "transcript" else MAX_CALL) if name in CALLS else None


def form(_status: int, sentence: str) -> dict[str, Any]:
    """An error as the harness reads it."""
    return {"error": sentence}


def give_turn(session: AgentSession) -> Any:
    """The next turn, waiting for one as long as asked; also the container's heartbeat."""
    asked = _json(MAX_ASKING)
    wait = min(MAX_WAIT_SECONDS, fields.number(asked, "wait", MAX_NUMBER))
    epoch = session.epoch()
    session.heard(session.agent, fields.text(asked, "generation", 64))
    session.ledger.runs.release(session.agent)  # a client that asks for a turn holds none: a held one was interrupted
    until = time.monotonic() + wait
    while (turn := next_turn(session)) is None:
        if time.monotonic() >= until or session.epoch() != epoch or session.stop.wait(POLL_SECONDS * 5):
            return "", 204
    if session.epoch() != epoch or not session.serves(turn.run):  # the turn is for the container that comes next
        session.ledger.runs.pause(turn)  # this turn alone: that container may hold another one by now
        return "", 204
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
    return jsonify({**brief, "run": turn.run, "turn": turn.id, "token": turn.token, "transcript": lines})


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
    speak(session, turn, GIVEN_UP)
    close(session, turn, "failed", steps=0)
    return None


def heartbeat(session: AgentSession, turn: Turn) -> dict[str, Any]:
    """The run is alive."""
    session.ledger.runs.renew(turn)
    return {"cancel": False, "rest": session.rest.is_paused()}


def keep_line(session: AgentSession, turn: Turn) -> dict[str, Any]:
    """Keep a line of the run's transcript, once; what the harness does next it does after this has answered."""
    asked = _json(MAX_LINE)
    number = int(fields.number(asked, "number", MAX_NUMBER))
    try:
        line = repaired(line_of(turn.id, asked.get("line")))
        with session.ledger.transaction():
            if session.ledger.transcripts.append(turn.run, number, line) and is_step(line):
                session.ledger.runs.reset_attempts(turn)
    except (MalformedLine, OutOfSequence, TranscriptFull) as error:
        raise Denied(NOT_KEPT[type(error)], str(error)) from error
    return {}


def pause(session: AgentSession, turn: Turn) -> dict[str, Any]:
    """The turn cannot continue now; it comes again later."""
    session.rest.put_down(turn)
    return {}


def abandon(session: AgentSession, turn: Turn) -> dict[str, Any]:
    """The forge was asked in vain: the turn comes again, and unless it alone has trouble there it has lost nothing."""
    try:
        session.base(Ref.parse(turn.ref).repo)
    except OSError as error:
        session.ledger.runs.release(session.agent, refund=True)
        log.warning("turn_left agent=%s turn=%d error=%r", session.agent, turn.id, str(error)[:200])
    else:
        session.ledger.runs.release(session.agent)
    return {}


def comment(session: AgentSession, turn: Turn) -> dict[str, Any]:
    """Say something on the thread of the run."""
    said = _json()
    name, body = fields.text(said, "key", 100), fields.postable_text(said, "body")
    body = last_words(turn, body) if name == f"end:{turn.id}" else body
    return done(session, turn, PostAnswer(thread(turn), body, key=f"run{turn.run}:{name}", to=turn.answers))


def pull(session: AgentSession, turn: Turn) -> dict[str, Any]:
    """Open the pull request of the run, or find it."""
    return open_pull(session, turn, Ref.parse(turn.ref).repo, proposes=False)


def propose(session: AgentSession, turn: Turn) -> dict[str, Any]:
    """Open a pull request on the agent's own configuration."""
    return open_pull(session, turn, session.config_repo, proposes=True)


def open_pull(session: AgentSession, turn: Turn, repo: Repo, *, proposes: bool) -> dict[str, Any]:
    """Open a pull request from a branch of the agent."""
    asked = _json()
    branch = fields.text(asked, "branch", 200)
    if not branch.startswith(f"agent/{session.agent}/"):
        raise Denied(403, f"the branch should begin with agent/{session.agent}/")
    return done(
        session,
        turn,
        OpenPull(
            run=turn.run,
            repo=repo,
            head=branch,
            base=base_of(session, repo),
            title=" ".join(fields.postable_text(asked, "title").split())[:200],
            body=fields.postable_text(asked, "body")
            if proposes
            else closing(turn, repo, fields.visible_text(asked, "body")),
            proposes=proposes,
            key=f"run{turn.run}:{repo}:{branch}",
        ),
    )


def base_of(session: AgentSession, repo: Repo) -> str:
    """The branch that a pull request of a repository goes to."""
    try:
        return session.base(repo)
    except OSError as error:
        raise Denied(503, str(error)) from error


def end(session: AgentSession, turn: Turn) -> dict[str, Any]:
    """The turn has ended: there is always a comment or a pull request."""
    asked = _json()
    outcome, steps = fields.text(asked, "outcome", 20), int(fields.number(asked, "steps", MAX_NUMBER))
    if outcome in SPOKEN:
        speak(session, turn, fields.postable_text(asked, "message") or NO_WORD)
    elif turn.answers is not None:  # an updated pull request is not visible in the conversation that was answered
        speak(session, turn, PUSHED)
    close(session, turn, outcome, steps=steps)
    return {}


def speak(session: AgentSession, turn: Turn, body: str) -> None:
    """Post how a turn ended; the harness may have done so before, under the same key."""
    action = PostAnswer(thread(turn), last_words(turn, body), key=f"run{turn.run}:end:{turn.id}", to=turn.answers)
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


CALLS: dict[str, Callable[[AgentSession, Turn], dict[str, Any]]] = {
    "beat": heartbeat,
    "transcript": keep_line,
    "rest": pause,
    "leave": abandon,
    "comment": comment,
    "pull": pull,
    "propose": propose,
    "end": end,
}


def done(session: AgentSession, turn: Turn, action: Action) -> dict[str, Any]:
    """Enqueue an action for the worker, and wait for its result."""
    effect_id = enqueue(
        session.ledger, session.team, session.login().name, action, by="run", turn=turn.id, depth=turn.depth
    )
    session.wake(effect_id)
    until = time.monotonic() + MAX_WAIT_SECONDS
    while (effect := session.ledger.effects.get(effect_id)).state not in ("done", "superseded", "failed"):
        if time.monotonic() >= until:
            raise Denied(503, "the forge has not confirmed it yet; ask again")
        time.sleep(POLL_SECONDS)
    if effect.state != "done":
        raise Denied(403, effect.error or "it was dropped: the thread has moved on")
    return dict(effect.result)


def pass_git(session: AgentSession, turn: Turn, repo: str, rest: str) -> Response:
    """Git, for the repositories of the run."""
    reads = session.knowledge is not None and repo == session.knowledge.path
    if not reads and repo not in (Ref.parse(turn.ref).repo.path, session.config_repo.path):
        raise Denied(403, f"{repo} is not a repository of this run")
    if reads and (rest == PUSH or set(request.args.getlist("service")) - {FETCH}):
        raise Denied(403, f"{repo} is read from a container, not pushed to")
    words = request.query_string.decode("ascii", "replace")
    try:
        asked = GitRequest(
            *(request.method, session.address(Repo(session.config_repo.forge, *repo.split("/"))), rest, words),
            headers=dict(request.headers.items()),
            body=cast("Any", request.stream),
            length=request.content_length,
        )
        passed = proxy(session.forge_url, session.login(), asked, f"agent/{session.agent}/")
    except NotAllowed as error:
        raise Denied(403, str(error)) from error
    except OSError as error:
        raise Denied(503, str(error)) from error
    return Response(passed.chunks, passed.status, passed.headers)


def authorise(session: AgentSession) -> Turn:
    """The turn of a request's token; raises Denied."""
    turn = middleware.bearer(session.agent, session.ledger.runs)
    if turn is None:
        raise Denied(401, NO_TOKEN)
    return turn


def _authorised(
    session: AgentSession, action: Callable[[AgentSession, Turn], dict[str, Any]]
) -> Callable[[], Response]:
    def view() -> Response:
        return jsonify(action(session, authorise(session)))

    return view


def _json(limit: int = MAX_CALL) -> dict[str, Any]:
    return middleware.body(limit)
