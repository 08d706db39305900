"""One of a container's two sockets: the model, metered, behind the token of a run. Knows no forge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from flask import Flask, Response, jsonify, request

from hive.ledger import Runs, Turn
from hive.llm import Meter, Model, ModelFailed
from hive.resting import Refusal

MAX_REQUEST = 32 << 20
"""Bytes of a request, as the API itself bounds them."""


class Watch(Protocol):
    """Who is told how the model answers."""

    def answered(self) -> None:
        """It did."""

    def refused(self, turn: Turn, error: ModelFailed) -> Refusal | None:
        """It did not, to what a turn asked; returns what that means for the agent, None if it is about this one request."""


def create(agent: str, runs: Runs, model: Model, model_of: Callable[[str], str], watch: Watch) -> Flask:
    """The WSGI application behind one agent's `model.sock`."""
    app = Flask("hive.gateway", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST

    @app.post("/v1/messages")
    def messages() -> Response:
        turn = bearer(agent, runs)
        body = request.get_json(silent=True)
        if turn is None:
            return failure(401, "authentication_error", "this run is over, or its token is wrong")
        if not isinstance(body, dict):
            return failure(400, "invalid_request_error", "the body should be a JSON object")
        passing = model.ask(model_of(agent), body)
        try:
            reply = passing.__enter__()
        except ModelFailed as error:
            refusal = watch.refused(turn, error)
            answer = jsonify(error.body)
            answer.status_code = error.status
            answer.headers.update(error.headers)
            if refusal is not None and refusal.at_once:
                answer.headers["x-hive"] = "rest"  # waiting there is no use: the turn should be put down
            return answer
        return Response(
            metered(reply.chunks, turn, runs, passing.__exit__, watch.answered), content_type=reply.content_type
        )

    return app


def metered(
    chunks: Iterator[bytes],
    turn: Turn,
    runs: Runs,
    leave: Callable[[None, None, None], object],
    answered: Callable[[], None],
) -> Iterator[bytes]:
    """Pass an answer on and book what it used, also when the reader goes away halfway; a whole one is an answer."""
    meter = Meter()
    try:
        for chunk in chunks:
            meter.see(chunk)
            yield chunk
    finally:
        if meter.is_whole:
            answered()
        runs.spend(turn, meter.tokens_in, meter.tokens_out)
        leave(None, None, None)


def bearer(agent: str, runs: Runs) -> Turn | None:
    """The turn that a request's token stands for; SDKs send it by either header."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ") or request.headers.get("x-api-key", "")
    return runs.holder(agent, given) if given else None


def failure(status: int, kind: str, message: str) -> Response:
    """An error in the API's form."""
    answer = jsonify(type="error", error={"type": kind, "message": message})
    answer.status_code = status
    return answer
