"""One of a container's two sockets: the model, metered, behind the token of a run. Knows no forge."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from flask import Flask, Response, jsonify, request

from hive.gateway import middleware
from hive.gateway.admission import NO_TOKEN, CallRule, Denied, Gate, Guard
from hive.gateway.agent_backoff import ModelRefusal
from hive.gateway.budget import Budget, BudgetSpent
from hive.gateway.llm import COUNT, MESSAGES, MODELS, PROBE, ModelRequest
from hive.gateway.meter import Meter
from hive.gateway.model_errors import ModelFailed, error_body, hopeless, kind_of, unreachable
from hive.gateway.model_headers import passed_on
from hive.gateway.model_request import prepared
from hive.gateway.model_route import ModelRoute
from hive.gateway.pricing import price_list
from hive.gateway.repeated_faults import RepeatedFaults
from hive.gateway.spending import Reservation, Spending
from hive.gateway.token_usage import TokenUsage
from hive.ledger import Act, Ledger, Turn

log = logging.getLogger("hive.gateway.model_proxy")

EPOCH = "1970-01-01T00:00:00Z"
"""When a model was published, for the list of models: nobody here knows."""

MAX_REQUEST = 8 << 20
"""Bytes of a request: more than fits into a window of a million tokens."""

USED = "x-hive-budget"
"""The header of an answer with how many percent of the cap are spent that is used most."""

BOOKING_TRIES = 3
BYTES_OF_A_TOKEN = 4
NO_COUNT = frozenset({404, 405, 500, 501})
"""Statuses by which a server without `count_tokens` says so."""

CALLS = {
    ("POST", MESSAGES): CallRule(MAX_REQUEST),
    ("POST", COUNT): CallRule(MAX_REQUEST),
    ("GET", MODELS): CallRule(0),
    ("GET", "/"): CallRule(0, is_open=True),
    ("HEAD", "/"): CallRule(0, is_open=True),
}
"""The calls of the API that there are; Claude Code asks for `/` to learn whether somebody listens."""


class ModelObserver(Protocol):
    """Is notified of the model's answers."""

    def answered(self) -> None:
        """It did."""

    def refused(self, turn: Turn, error: ModelFailed) -> ModelRefusal | None:
        """It did not, to what a turn asked; returns what that means for the agent, None if it is about this one request."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request of a turn on its way, and who is told what becomes of it."""

    turn: Turn
    request: ModelRequest
    upstream: Upstream

    def answered(self) -> None:
        """The model answered it."""
        self.upstream.faults.forget(self.request)
        self.upstream.watch.answered()

    def failed(self, error: ModelFailed) -> ModelRefusal | None:
        """The model did not; returns what that means for the agent."""
        self.upstream.faults.note(self.turn, self.request, error)
        return self.upstream.watch.refused(self.turn, error)


@dataclass(frozen=True, slots=True)
class Upstream:
    """What answers one agent's requests.

    `route` is given the name that a request asks for, `names` are those that the agent may use. `server_tools` and `betas`
    are what operators granted.
    """

    route: Callable[[str], ModelRoute]
    names: Callable[[], Sequence[str]]
    watch: ModelObserver
    server_tools: frozenset[str] = frozenset()
    betas: frozenset[str] = frozenset()
    spending: Spending | None = None
    """What asks for money, and books it; without one everything is booked and nothing refused."""
    faults: RepeatedFaults = field(default_factory=RepeatedFaults)


def create(upstream: Upstream, guard: Guard) -> Flask:
    """The WSGI application behind one agent's `model.sock`."""
    app = Flask("hive.gateway.model_proxy", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST
    middleware.install(app, guard, form)
    spending = upstream.spending or Budget(guard.ledger, guard.team, price_list())

    @app.post(MESSAGES)
    def messages() -> Response:
        turn = holder(guard)
        sent, route = asked(upstream)
        attempt = Attempt(turn, sent, upstream)
        try:
            if (suspicion := upstream.faults.suspicion(turn, sent)) and probed(guard, turn, route, spending):
                upstream.watch.answered()
                tries, said = suspicion
                return refused(None, hopeless(said, tries))
            reservation = spending.admit(turn, route.name, sent.body)
        except BudgetSpent as error:
            return refused(None, error)
        except ModelFailed as error:
            return refused(upstream.watch.refused(turn, error), error)
        booking = Booking(guard.ledger, guard.team, turn, middleware.request_id(), reservation)
        sent = replace(sent, body={**sent.body, "max_tokens": reservation.max_tokens})
        try:
            passing = route.ask(sent)
            reply = passing.__enter__()
        except ModelFailed as error:
            booking.enter(TokenUsage())
            return refused(attempt.failed(error), error)
        meter = Meter(reply.content_type, request.content_length or 0)
        chunks = metered(reply.chunks, meter, booking, attempt, lambda: passing.__exit__(None, None, None))
        return Response(chunks, content_type=reply.content_type, headers={USED: str(reservation.used)})

    @app.post(COUNT)
    def count() -> Response:
        holder(guard)
        sent, route = asked(upstream, path=COUNT)
        return counted(sent, route)

    @app.get(MODELS)
    def models() -> Response:
        holder(guard)
        return jsonify(listing(upstream.names()))

    @app.get("/")
    def root() -> Response:
        return jsonify({"service": "the model gateway of a hive", "messages": MESSAGES})

    return app


def gate(guard: Guard) -> Gate:
    """The entrance of an agent's `model.sock`: what clients of the Messages API ask, and nothing of their makers' services."""
    return Gate(guard, lambda method, path: CALLS.get((method, path)), form)


def form(status: int, sentence: str) -> dict[str, Any]:
    """An error in the API's form."""
    return error_body(kind_of(status), sentence)


def holder(guard: Guard) -> Turn:
    """The turn whose token a request carries; raises Denied."""
    turn = middleware.bearer(guard.agent, guard.ledger.runs)
    if turn is None:
        raise Denied(401, NO_TOKEN)
    return turn


def asked(upstream: Upstream, *, path: str = MESSAGES) -> tuple[ModelRequest, ModelRoute]:
    """A request as it is passed on, and where to; raises Denied for one that asks for more than a model."""
    body = middleware.body(MAX_REQUEST)
    given = request.headers.get("anthropic-version", ""), request.headers.get("anthropic-beta", "")
    headers = passed_on(*given, upstream.server_tools | upstream.betas)
    sent = prepared(body, upstream.server_tools, counts=path == COUNT)
    query = "beta=true" if request.args.get("beta") == "true" else ""
    return ModelRequest(sent, headers, path, query), upstream.route(str(body.get("model") or ""))


def probed(guard: Guard, turn: Turn, route: ModelRoute, spending: Spending) -> bool:
    """Whether the server answers a small request; raises ModelFailed if there is no money for it."""
    reservation = spending.admit(turn, route.name, PROBE.body)
    used = route.probe()
    Booking(guard.ledger, guard.team, turn, middleware.request_id(), reservation).enter(used or TokenUsage())
    return used is not None


def counted(sent: ModelRequest, route: ModelRoute) -> Response:
    """How many tokens a request has: by the model's server, or estimated where that cannot count."""
    try:
        with route.ask(sent) as reply:
            return Response(b"".join(reply.chunks), content_type=reply.content_type)
    except ModelFailed as error:
        if error.status not in NO_COUNT and not error.unreachable.startswith("its address answers"):
            return refused(None, error)
    estimate = len(json.dumps(sent.body, ensure_ascii=False).encode()) // BYTES_OF_A_TOKEN
    return jsonify({"input_tokens": estimate})


def listing(names: Sequence[str]) -> dict[str, Any]:
    """The models of an agent, in the API's form."""
    data = [{"type": "model", "id": name, "display_name": name, "created_at": EPOCH} for name in names]
    return {"data": data, "has_more": False, "first_id": names[0], "last_id": names[-1]}


def refused(refusal: ModelRefusal | None, error: ModelFailed) -> Response:
    """The API's answer, and whether waiting there is of any use."""
    answer = jsonify(error.body)
    answer.status_code = error.status
    answer.headers.update(error.headers)
    if refusal is not None and refusal.at_once:
        answer.headers["x-hive"] = "rest"  # the turn should be paused
        answer.headers["x-should-retry"] = "false"  # other clients than the harness know this one
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
        # The next line of the transcript syncs it: a model's every answer need not wait for the disk twice.
        with self.ledger.transaction(durable=False):
            self.reservation.settle(usage)
            if usage.is_estimate:
                facts: dict[str, Any] = {"run": turn.run, "turn": turn.id, "request": self.request}
                facts |= {"tokens_in": usage.tokens_in, "tokens_out": usage.output}
                self.ledger.audit.add(turn.agent, Act.TOKENS_ESTIMATED, team=self.team, ref=turn.ref, **facts)


def metered(
    chunks: Iterator[bytes], meter: Meter, booking: Booking, attempt: Attempt, leave: Callable[[], object]
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
                attempt.answered()
            elif meter.error is not None or not left:
                attempt.failed(meter.error or unreachable("its answer broke off", was_sent=True))
        finally:
            booking.enter(meter.usage)
