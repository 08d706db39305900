"""The other socket of a container: typed deeds on the forge, and git. The socket is the principal.

Nothing here holds an operator's power: a run may take its turn, speak on its own thread, open its
own pull request, propose a change of its own configuration, and say that it is done.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from flask import Flask, Response, jsonify, request

from forge.types import Ref, Repo
from hive import calls, fields
from hive.admission import NO_TOKEN, Denied, Gate, Guard, Rule
from hive.agent.text import mended
from hive.apply import owe
from hive.deeds import Answer, Deed, OpenPull, ResolveMended
from hive.gitdoor import FETCH, PUSH, GitRequest, NotAllowed, forward
from hive.ledger import Act, Astray, Full, Ledger, Turn
from hive.ledger.runs import MAX_ATTEMPTS
from hive.resting import Rest
from hive.runwords import GIVEN_UP, NO_WORD, PUSHED, closing, last_words, thread
from hive.transcript import Malformed, is_step, line_of
from hive.workspace import Login

log = logging.getLogger("hive.broker")

MAX_ASKING = 4 << 10
"""Bytes of a question for a turn: it is the only call without the token of a run."""

MAX_CALL = 1 << 20
MAX_LINE = 4 << 20
MAX_FETCH = 16 << 20
MAX_PUSH = 256 << 20
"""Bytes of a call, of a line of a transcript with all that tools have told, of what a fetch says it has, and of a push."""

MAX_NUMBER = 1_000_000.0
MAX_WAIT_SECONDS = 25.0
POLL_SECONDS = 0.02
SPOKEN = frozenset({"answered", "blocked", "failed", "proposed"})
"""Ends of a turn whose message belongs on the thread; the other one has made a pull request there."""

NOT_KEPT = {Malformed: 400, Astray: 409, Full: 413}


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose socket this is, and what it may reach.

    `knowledge` is read, not pushed to. `life` is a number that changes when the container ends, `serves` tells whether it may hold
    a turn of a run. `login` is asked each time, as its token may be replaced. `base` names a repository's default branch,
    `brief` makes a turn's JSON, `address` is what the forge calls a repository: all raise OSError while the forge cannot
    be asked, or a repository is not where it was.
    """

    agent: str
    team: str
    login: Callable[[], Login]
    forge_url: str
    config_repo: Repo
    ledger: Ledger
    wake: Callable[[int], None]
    heard: Callable[[str, str], None]
    life: Callable[[], int]
    stop: threading.Event
    rest: Rest
    base: Callable[[Repo], str]
    brief: Callable[[Turn], dict[str, Any]]
    serves: Callable[[int], bool] = bool
    knowledge: Repo | None = None
    address: Callable[[Repo], str] = lambda repo: repo.path


def create(who: Principal, guard: Guard | None = None) -> Flask:
    """The WSGI application behind one agent's `forge.sock`; `guard` is what its `model.sock` has as well."""
    app = Flask("hive.broker", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_PUSH
    calls.attend(app, guard or Guard(who.ledger, who.team, who.agent), form)
    app.add_url_rule("/v1/turn", view_func=lambda: give_turn(who), methods=["POST"], endpoint="turn")
    for name, deed in DEEDS.items():
        app.add_url_rule(f"/v1/{name}", view_func=_authorised(who, deed), methods=["POST"], endpoint=name)

    @app.route("/git/<owner>/<name>.git/<path:rest>", methods=["GET", "POST"])
    def git(owner: str, name: str, rest: str) -> Response:
        return pass_git(who, authorise(who), f"{owner}/{name}", rest)

    return app


def gate(guard: Guard) -> Gate:
    """The entrance of an agent's `forge.sock`."""
    return Gate(guard, rule, form)


def rule(method: str, path: str) -> Rule | None:
    """What a call on `forge.sock` may bring."""
    if path.startswith("/git/") and method in ("GET", "POST"):
        return Rule((MAX_PUSH if path.endswith(f"/{PUSH}") else MAX_FETCH) if method == "POST" else 0)
    name = path.removeprefix("/v1/")
    if name == path or method != "POST":
        return None
    if name == "turn":
        return Rule(MAX_ASKING, needs_run=False)
    return Rule(MAX_LINE if name == "transcript" else MAX_CALL) if name in DEEDS else None


def form(_status: int, sentence: str) -> dict[str, Any]:
    """An error as the harness reads it."""
    return {"error": sentence}


def give_turn(who: Principal) -> Any:
    """The next turn, waiting for one as long as asked; also the container's sign of life."""
    asked = _json(MAX_ASKING)
    wait = min(MAX_WAIT_SECONDS, fields.number(asked, "wait", MAX_NUMBER))
    life = who.life()
    who.heard(who.agent, fields.text(asked, "generation", 64))
    who.ledger.runs.release(who.agent)  # whoever asks holds nothing: a turn that is held was cut off
    until = time.monotonic() + wait
    while (turn := next_turn(who)) is None:
        if time.monotonic() >= until or who.life() != life or who.stop.wait(POLL_SECONDS * 5):
            return "", 204
    if who.life() != life or not who.serves(turn.run):  # the turn is for the container that comes next
        who.ledger.runs.give_back(who.agent)
        return "", 204
    try:
        brief = who.brief(turn)
    except OSError as error:
        who.ledger.runs.requeue(who.agent)
        raise Denied(503, str(error)) from error
    request_id = calls.request_id()
    who.ledger.audit.add(
        who.agent, Act.TURN_STARTED, team=who.team, ref=turn.ref, run=turn.run, turn=turn.id, request=request_id
    )
    lines = who.ledger.transcripts.of(turn.run)
    return jsonify({**brief, "run": turn.run, "turn": turn.id, "token": turn.token, "transcript": lines})


def next_turn(who: Principal) -> Turn | None:
    """The turn to take; one that was cut off too often is given up, in words.

    A container that has held a turn of one run gets none of another: it is ended, and a fresh one asks.
    """
    due = who.ledger.runs.due(who.agent)
    if due is None or not who.serves(due):
        return None
    turn = who.ledger.runs.take(who.agent)
    if turn is None or turn.attempts <= MAX_ATTEMPTS:
        return turn
    speak(who, turn, GIVEN_UP)
    close(who, turn, "failed", steps=0)
    return None


def beat(who: Principal, turn: Turn) -> dict[str, Any]:
    """The run is alive."""
    who.ledger.runs.beat(turn)
    return {"cancel": False, "rest": who.rest.is_paused()}


def tell(who: Principal, turn: Turn) -> dict[str, Any]:
    """Keep a line of the run's transcript, once; what the harness does next it does after this has answered."""
    asked = _json(MAX_LINE)
    number = int(fields.number(asked, "number", MAX_NUMBER))
    try:
        line = mended(line_of(turn.id, asked.get("line")))
        with who.ledger.transaction():
            if who.ledger.transcripts.keep(turn.run, number, line) and is_step(line):
                who.ledger.runs.step(turn)
    except (Malformed, Astray, Full) as error:
        raise Denied(NOT_KEPT[type(error)], str(error)) from error
    return {}


def put_down(who: Principal, turn: Turn) -> dict[str, Any]:
    """The turn cannot go on now; it comes again when it can."""
    who.rest.put_down(turn)
    return {}


def leave(who: Principal, turn: Turn) -> dict[str, Any]:
    """The forge was asked in vain: the turn comes again, and unless it alone has trouble there it has lost nothing."""
    try:
        who.base(Ref.parse(turn.ref).repo)
    except OSError as error:
        who.ledger.runs.requeue(who.agent)
        log.warning("turn_left agent=%s turn=%d error=%r", who.agent, turn.id, str(error)[:200])
    else:
        who.ledger.runs.release(who.agent)
    return {}


def comment(who: Principal, turn: Turn) -> dict[str, Any]:
    """Say something on the thread of the run."""
    said = _json()
    name, body = fields.text(said, "key", 100), fields.said(said, "body")
    body = last_words(turn, body) if name == f"end:{turn.id}" else body
    return done(who, turn, Answer(thread(turn), body, key=f"run{turn.run}:{name}", to=turn.answers))


def pull(who: Principal, turn: Turn) -> dict[str, Any]:
    """Open the pull request of the run, or find it."""
    return open_pull(who, turn, Ref.parse(turn.ref).repo, proposes=False)


def propose(who: Principal, turn: Turn) -> dict[str, Any]:
    """Open a pull request on the agent's own configuration."""
    return open_pull(who, turn, who.config_repo, proposes=True)


def open_pull(who: Principal, turn: Turn, repo: Repo, *, proposes: bool) -> dict[str, Any]:
    """Open a pull request from a branch of the agent."""
    asked = _json()
    branch = fields.text(asked, "branch", 200)
    if not branch.startswith(f"agent/{who.agent}/"):
        raise Denied(403, f"the branch should begin with agent/{who.agent}/")
    return done(
        who,
        turn,
        OpenPull(
            run=turn.run,
            repo=repo,
            head=branch,
            base=base_of(who, repo),
            title=" ".join(fields.said(asked, "title").split())[:200],
            body=fields.said(asked, "body") if proposes else closing(turn, repo, fields.unsaid(asked, "body")),
            proposes=proposes,
            key=f"run{turn.run}:{repo}:{branch}",
        ),
    )


def base_of(who: Principal, repo: Repo) -> str:
    """The branch that a pull request of a repository goes to."""
    try:
        return who.base(repo)
    except OSError as error:
        raise Denied(503, str(error)) from error


def end(who: Principal, turn: Turn) -> dict[str, Any]:
    """The turn is over: nothing ends in silence."""
    asked = _json()
    outcome, steps = fields.text(asked, "outcome", 20), int(fields.number(asked, "steps", MAX_NUMBER))
    if outcome in SPOKEN:
        speak(who, turn, fields.said(asked, "message") or NO_WORD)
    elif turn.answers is not None:  # a pull request that is up to date says nothing on the line that was spoken of
        speak(who, turn, PUSHED)
    close(who, turn, outcome, steps=steps)
    return {}


def speak(who: Principal, turn: Turn, body: str) -> None:
    """Say how a turn ended; the harness may have said it before, under the same key."""
    deed = Answer(thread(turn), last_words(turn, body), key=f"run{turn.run}:end:{turn.id}", to=turn.answers)
    who.wake(owe(who.ledger, who.team, who.login().name, deed, by="run", turn=turn.id, depth=turn.depth))


def close(who: Principal, turn: Turn, outcome: str, *, steps: int) -> None:
    """Write down that a turn is over, and that what was said of lines that it has changed is dealt with."""
    with who.ledger.transaction():
        who.ledger.runs.end_turn(turn, outcome, steps=steps)
        facts: dict[str, Any] = {"run": turn.run, "turn": turn.id, "outcome": outcome, "request": calls.request_id()}
        who.ledger.audit.add(who.agent, Act.TURN_ENDED, team=who.team, ref=turn.ref, **facts)
        if turn.pull is None or not who.ledger.conversations.standing(turn.run):
            return
        deed = ResolveMended(turn.run, Ref.parse(turn.pull), key=f"run{turn.run}:mended:{turn.id}")
        effect = owe(who.ledger, who.team, who.login().name, deed, by="run", turn=turn.id, depth=turn.depth)
    who.wake(effect)


DEEDS: dict[str, Callable[[Principal, Turn], dict[str, Any]]] = {
    "beat": beat,
    "transcript": tell,
    "rest": put_down,
    "leave": leave,
    "comment": comment,
    "pull": pull,
    "propose": propose,
    "end": end,
}


def done(who: Principal, turn: Turn, deed: Deed) -> dict[str, Any]:
    """Have a deed done by the worker, and wait for what came of it."""
    effect_id = owe(who.ledger, who.team, who.login().name, deed, by="run", turn=turn.id, depth=turn.depth)
    who.wake(effect_id)
    until = time.monotonic() + MAX_WAIT_SECONDS
    while (effect := who.ledger.effects.get(effect_id)).state not in ("done", "superseded", "failed"):
        if time.monotonic() >= until:
            raise Denied(503, "the forge has not confirmed it yet; ask again")
        time.sleep(POLL_SECONDS)
    if effect.state != "done":
        raise Denied(403, effect.error or "it was dropped: the thread has moved on")
    return dict(effect.result)


def pass_git(who: Principal, turn: Turn, repo: str, rest: str) -> Response:
    """Git, for the repositories of the run."""
    reads = who.knowledge is not None and repo == who.knowledge.path
    if not reads and repo not in (Ref.parse(turn.ref).repo.path, who.config_repo.path):
        raise Denied(403, f"{repo} is not a repository of this run")
    if reads and (rest == PUSH or set(request.args.getlist("service")) - {FETCH}):
        raise Denied(403, f"{repo} is read from a container, not pushed to")
    words = request.query_string.decode("ascii", "replace")
    try:
        asked = GitRequest(
            *(request.method, who.address(Repo(who.config_repo.forge, *repo.split("/"))), rest, words),
            headers=dict(request.headers.items()),
            body=cast("Any", request.stream),
            length=request.content_length,
        )
        passed = forward(who.forge_url, who.login(), asked, f"agent/{who.agent}/")
    except NotAllowed as error:
        raise Denied(403, str(error)) from error
    except OSError as error:
        raise Denied(503, str(error)) from error
    return Response(passed.chunks, passed.status, passed.headers)


def authorise(who: Principal) -> Turn:
    """The turn whose token came with the request; raises Denied."""
    turn = calls.bearer(who.agent, who.ledger.runs)
    if turn is None:
        raise Denied(401, NO_TOKEN)
    return turn


def _authorised(who: Principal, deed: Callable[[Principal, Turn], dict[str, Any]]) -> Callable[[], Response]:
    def view() -> Response:
        return jsonify(deed(who, authorise(who)))

    return view


def _json(limit: int = MAX_CALL) -> dict[str, Any]:
    return calls.body(limit)
