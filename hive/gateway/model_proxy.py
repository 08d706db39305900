"""One of a container's two sockets: the model, metered, behind the token of a run. Knows no forge."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from flask import Flask, Response, jsonify, request

from hive.gateway import middleware
from hive.gateway.admission import NO_TOKEN, CallRule, Denied, Gate, Guard
from hive.gateway.agent_backoff import ModelRefusal
from hive.gateway.llm import Model
from hive.gateway.meter import Meter
from hive.gateway.model_errors import ModelFailed, unreachable
from hive.gateway.model_request import check
from hive.gateway.spending import UNLIMITED, Reservation, Spending
from hive.gateway.token_usage import TokenUsage
from hive.ledger import Act, Ledger, Turn

log = logging.getLogger("hive.gateway.model_proxy")

PATH = "/v1/messages"
MAX_REQUEST = 8 << 20
"""Bytes of a request: more than fits into a window of a million tokens."""

BOOKING_TRIES = 3
KINDS = {401: "authentication_error", 404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error"}
"""How the API calls what is refused with a status; what is not here is a bad request, or the gateway's fault."""


class ModelObserver(Protocol):
    """Is notified of the model's answers."""

    def answered(self) -> None:
        """It did."""

    def refused(self, turn: Turn, error: ModelFailed) -> ModelRefusal | None:
        """It did not, to what a turn asked; returns what that means for the agent, None if it is about this one request."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """The upstream of one agent's requests: `name` is the model, `server_tools` what may run at its provider."""

    model: Model
    name: Callable[[], str]
    watch: ModelObserver
    server_tools: frozenset[str] = frozenset()
    spending: Spending = UNLIMITED


def create(upstream: Upstream, guard: Guard) -> Flask:
    """The WSGI application behind one agent's `model.sock`."""
    app = Flask("hive.gateway.model_proxy", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST
    middleware.install(app, guard, form)

    @app.post(PATH)
    def messages() -> Response:
        turn = middleware.bearer(guard.agent, guard.ledger.runs)
        if turn is None:
            raise Denied(401, NO_TOKEN)
        if request.headers.get("anthropic-beta"):
            raise Denied(400, "betas are not passed on to the model")
        body = middleware.body(MAX_REQUEST)
        check(body, upstream.server_tools)
        name = upstream.name()
        try:
            reservation = upstream.spending.admit(turn, name, body)
        except ModelFailed as error:
            return refused(upstream.watch.refused(turn, error), error)
        booking = Booking(guard.ledger, guard.team, turn, middleware.request_id(), reservation)
        passing = upstream.model.ask(name, body)
        try:
            reply = passing.__enter__()
        except ModelFailed as error:
            booking.enter(TokenUsage())
            return refused(upstream.watch.refused(turn, error), error)
        meter = Meter(reply.content_type, request.content_length or 0)
        chunks = metered(reply.chunks, meter, booking, upstream.watch, lambda: passing.__exit__(None, None, None))
        return Response(chunks, content_type=reply.content_type)

    return app


def gate(guard: Guard) -> Gate:
    """The entrance of an agent's `model.sock`: one call, and nothing that counts or lists."""
    return Gate(guard, lambda method, path: CallRule(MAX_REQUEST) if (method, path) == ("POST", PATH) else None, form)


def form(status: int, sentence: str) -> dict[str, Any]:
    """An error in the API's form."""
    kind = KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": sentence}}


def refused(refusal: ModelRefusal | None, error: ModelFailed) -> Response:
    """The API's answer, and whether waiting there is of any use."""
    answer = jsonify(error.body)
    answer.status_code = error.status
    answer.headers.update(error.headers)
    if refusal is not None and refusal.at_once:
        answer.headers["x-hive"] = "rest"  # the turn should be paused
    return answer


@dataclass(frozen=True, slots=True)
class Booking:
    """To which run an answer is booked, the request that it came of, and what was reserved for it."""

    ledger: Ledger
    team: str
    turn: Turn
    request: str
    reservation: Reservation

    def enter(self, usage: TokenUsage) -> None:
        """Book what was used; a ledger that is in use is waited for."""
        for attempt in range(1, BOOKING_TRIES + 1):
            try:
                self._write(usage)
            except sqlite3.Error as error:
                facts = (self.turn.run, usage, attempt, str(error))
                log.error("not_booked run=%d usage=%s attempt=%d error=%r", *facts)
            else:
                return

    def _write(self, usage: TokenUsage) -> None:
        turn = self.turn
        with self.ledger.transaction():
            self.reservation.settle(usage)
            self.ledger.runs.record_tokens(turn, usage.tokens_in, usage.output)
            if usage.is_estimate:
                facts: dict[str, Any] = {"run": turn.run, "turn": turn.id, "request": self.request}
                facts |= {"tokens_in": usage.tokens_in, "tokens_out": usage.output}
                self.ledger.audit.add(turn.agent, Act.TOKENS_ESTIMATED, team=self.team, ref=turn.ref, **facts)


def metered(
    chunks: Iterator[bytes], meter: Meter, booking: Booking, watch: ModelObserver, leave: Callable[[], object]
) -> Iterator[bytes]:
    """Pass an answer on and book its tokens, also when the client leaves early or the model breaks off.

    A client leaves as soon as it knows enough, so the outcome is reported whether or not it read to the end.
    """
    left = True
    try:
        for chunk in chunks:
            meter.see(chunk)
            yield chunk
        left = False
    finally:
        meter.end()  # a reader may go with the last byte
        try:
            leave()
            if meter.is_whole:
                watch.answered()
            elif meter.error is not None or not left:
                watch.refused(booking.turn, meter.error or unreachable("its answer broke off"))
        finally:
            booking.enter(meter.usage)
