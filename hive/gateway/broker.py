"""The broker behind a container's `forge.sock`: typed calls on the forge, and git. The socket is the principal.

There is no operator's power in it: `CALLS` is all that a run may do, as far as its agent's capabilities allow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from flask import Flask, Response, jsonify, request

from forge.matched_rule import MatchedRule
from hive.gateway import ask_calls, bounce_call, forge_calls, middleware, read_calls, turn_calls
from hive.gateway.admission import NO_TOKEN, CallRule, Denied, Gate, Guard
from hive.gateway.agent_session import AgentSession
from hive.gateway.call_admission import admitted, unknown
from hive.gateway.calls import BrokerCall
from hive.gateway.git_calls import MAX_FETCH, MAX_PUSH, pass_git
from hive.gateway.git_proxy import PUSH, GitRequest
from hive.ledger import Turn

MAX_ASKING = 16 << 10
"""Bytes of a question for a turn: it is the only call without the token of a run."""

_MODULES = (turn_calls, ask_calls, forge_calls, bounce_call, read_calls)
CALLS = {call.name: call for module in _MODULES for call in module.CALLS}
"""Every call that needs the token of a run."""


class _Application(Flask):
    url_rule_class = MatchedRule


def create(session: AgentSession, guard: Guard | None = None) -> Flask:
    """The WSGI application behind one agent's `forge.sock`; `guard` is what its `model.sock` has as well."""
    app = _Application("hive.gateway.broker", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_PUSH
    middleware.install(app, guard or Guard(session.ledger, session.team, session.agent), form)
    for call in CALLS.values():
        app.add_url_rule(f"/v1/{call.name}", view_func=_view(session, call), methods=["POST"], endpoint=call.name)

    @app.post("/v1/turn")
    def turn() -> Response:
        given = turn_calls.give_turn(session, middleware.body(MAX_ASKING))
        return Response(status=204) if given is None else jsonify(given)

    @app.route("/git/<owner>/<name>.git/<path:rest>", methods=["GET", "POST"])
    def git(owner: str, name: str, rest: str) -> Response:
        turn, repo = authorise(session), f"{owner}/{name}"
        asked = GitRequest(
            *(request.method, repo, rest, request.query_string.decode("ascii", "replace")),
            headers=dict(request.headers.items()),
            body=cast("Any", request.stream),
            length=request.content_length,
        )
        passed = pass_git(session, turn, repo, asked, frozenset(request.args.getlist("service")))
        return Response(passed.chunks, passed.status, passed.headers)

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
    if name not in CALLS:
        raise unknown(name, CALLS)
    return CallRule(CALLS[name].max_body)


def form(_status: int, sentence: str) -> dict[str, Any]:
    """An error as the harness reads it."""
    return {"error": sentence}


def authorise(session: AgentSession) -> Turn:
    """The turn of a request's token; raises Denied."""
    turn = middleware.bearer(session.agent, session.ledger.runs)
    if turn is None:
        raise Denied(401, NO_TOKEN)
    return turn


def _view(session: AgentSession, call: BrokerCall) -> Callable[[], Response]:
    def view() -> Response:
        turn, asked = authorise(session), middleware.body(call.max_body)
        with admitted(session, turn, call, asked):
            return jsonify(call.function(session, turn, asked))

    return view
