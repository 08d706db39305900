"""What the broker and the model proxy do with each call: its id, its token, its body, its refusal."""

from __future__ import annotations

import logging
import secrets
import sqlite3
import time
from typing import Any

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from hive.gateway.admission import Denied, Form, Guard, json_object
from hive.gateway.wsgi_server import REQUEST_ID
from hive.ledger import Runs, Turn

log = logging.getLogger("hive.gateway.middleware")


def install(app: Flask, guard: Guard, form: Form) -> None:
    """Give each call an id, a line in the log, and its errors their form; what is refused is recorded."""

    @app.before_request
    def begin() -> None:
        g.began = time.monotonic()

    @app.after_request
    def end(answer: Response) -> Response:
        answer.headers[REQUEST_ID] = request_id()
        seconds = time.monotonic() - g.began
        facts = (guard.agent, request_id(), request.method, request.path[:200], answer.status_code, seconds)
        log.info("call agent=%s request=%s method=%s path=%r status=%d seconds=%.3f", *facts)
        return answer

    @app.errorhandler(Denied)
    def denied(error: Denied) -> Response:
        guard.refuse(f"{request.method} {request.path}", request_id(), error)
        if error.raw is not None:
            kind, said = error.raw
            return Response(said, 200, content_type=kind)
        answer = jsonify(form(error.status, str(error)))
        answer.status_code = error.status
        answer.headers.update(error.headers)
        return answer

    @app.errorhandler(HTTPException)
    def failed(error: HTTPException) -> Response:
        return denied(Denied(error.code or 500, error.name.lower()))

    @app.errorhandler(sqlite3.Error)
    def unstored(error: sqlite3.Error) -> Response:
        log.error("ledger_failed agent=%s request=%s error=%r", guard.agent, request_id(), str(error))
        return denied(Denied(503, "the ledger cannot be used; ask again later", retry_after=1))


def request_id() -> str:
    """The id of the call; the host's server gives it one before anything of it is believed."""
    if "request" not in g:
        given = request.headers.get(REQUEST_ID, "")
        g.request = given if given.isalnum() and len(given) <= 32 else secrets.token_hex(8)
    return str(g.request)


def body(limit: int) -> dict[str, Any]:
    """The JSON object of the request; raises Denied."""
    request.max_content_length = limit
    return json_object(request.get_data(cache=False))


def bearer(agent: str, runs: Runs) -> Turn | None:
    """The turn of a request's token; SDKs send it in either header."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ") or request.headers.get("x-api-key", "")
    return runs.by_token(agent, given) if given else None
