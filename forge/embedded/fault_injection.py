"""Injects faults into responses; site admins manage them at `/-/faults`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from flask import Flask, Response, request
from waitress.channel import ClientDisconnected
from werkzeug.test import run_wsgi_app

from forge.embedded.faults import Fault, InvalidRule, read
from forge.embedded.identity import identify
from forge.embedded.instance import ForgeInstance, Refusal

PLACE = "/-/faults"
_PAGE = b"<!DOCTYPE html>\n<html><head><title>Just a moment</title></head><body><p>Please wait.</p></body></html>\n"


class FaultInjector:
    """WSGI middleware that injects the faults of its forge."""

    def __init__(self, site: ForgeInstance, inner: Any) -> None:
        self._site = site
        self._inner = inner

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        """Answer one request."""
        path = str(environ["PATH_INFO"])
        rule = None if path == PLACE else self._site.faults.of_answer(environ["REQUEST_METHOD"], path)
        if rule is None:
            answer: Iterable[bytes] = self._inner(environ, start)
            return answer
        return self._break(rule, environ, start)

    def _break(self, rule: Fault, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        match rule.kind:
            case "hang":
                self._site.faults.over.wait(rule.seconds)
                raise ClientDisconnected
            case "cut":
                raise ClientDisconnected
            case "half":
                return self._half(environ, start)
            case "done":
                run_wsgi_app(self._inner, environ, buffered=True)
                answer = Response('{"message":"","url":""}\n', 500, content_type="application/json;charset=utf-8")
            case "429":
                seconds = {"Retry-After": f"{rule.seconds:g}"}
                answer = Response("Too Many Requests\n", 429, seconds, content_type="text/plain; charset=utf-8")
            case "502":
                answer = Response("<html><body><h1>502 Bad Gateway</h1></body></html>\n", 502, mimetype="text/html")
            case _:
                answer = Response(_PAGE, 200, mimetype="text/html")
        return answer(environ, start)

    def _half(self, environ: dict[str, Any], start: Any) -> Iterator[bytes]:
        """All headers of a response and the first half of its body."""
        chunks, status, headers = run_wsgi_app(self._inner, environ, buffered=True)
        body = b"".join(chunks) or _PAGE
        headers["Content-Length"] = str(len(body))
        start(status, list(headers))
        yield body[: len(body) // 2]
        raise ClientDisconnected


def mount(app: Flask, site: ForgeInstance) -> None:
    """Let site admins see, add and clear faults over HTTP, by password or token and never by a session."""

    def view() -> Response:
        try:
            _admin(site)
            return _view(site)
        except Refusal as refusal:
            return _json({"message": str(refusal)}, refusal.status)
        except InvalidRule as error:
            return _json({"message": str(error)}, 422)

    app.add_url_rule(PLACE, "faults", view, methods=["GET", "POST", "DELETE"])


def _admin(site: ForgeInstance) -> None:
    identity = identify(site, request.headers.get("Authorization", ""))
    if identity.user is None:
        raise Refusal(401, "a site admin is required")
    if not (identity.user["is_admin"] and identity.allows("write", "admin")):
        raise Refusal(403, "only site admins make faults")


def _view(site: ForgeInstance) -> Response:
    if request.method == "DELETE":
        site.faults.clear()
    if request.method == "POST":
        try:
            given = json.loads(request.get_data())
        except ValueError as error:
            raise InvalidRule(f"the body is no JSON: {error}") from error
        site.faults.put(*[read(one) for one in (given if isinstance(given, list) else [given])])
    return _json(site.faults.listed(), 200)


def _json(value: Any, status: int) -> Response:
    return Response(json.dumps(value) + "\n", status, content_type="application/json")
