"""What people and monitors ask of the receiver: read only, and never in the way of a delivery."""

from __future__ import annotations

import queue
import sqlite3
import sys
import threading
from collections.abc import Callable
from io import BytesIO
from urllib.parse import unquote_to_bytes

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as Answered

from hive.ledger import Ledger
from hive.web.loop import Answer, Request, Ticket


def pages(ledger: Ledger) -> Flask:
    """The WSGI application."""
    app = Flask("hive.web", static_folder=None)

    @app.get("/healthz")
    def health() -> tuple[dict[str, str], int]:
        try:
            resting = "; ".join(map(str, ledger.parking.all()))
        except sqlite3.Error as error:
            return {"status": "the ledger cannot be read", "error": str(error)}, 503
        return {"status": "ok"} | ({"waiting": resting} if resting else {}), 200

    @app.errorhandler(HTTPException)
    def failed(error: HTTPException) -> tuple[Response, int]:
        return jsonify(error=error.name), error.code or 500

    return app


class Pages:
    """Answers requests by a WSGI application, one after another on a thread of its own."""

    def __init__(self, app: Flask, answer: Callable[[list[tuple[Ticket, Answer]]], None]) -> None:
        self._app = app
        self._answer = answer
        self._waiting: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="pages", daemon=True)

    def start(self) -> None:
        """Work from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what waits, and end."""
        self._waiting.put(None)
        self._thread.join()

    def take(self, ticket: Ticket) -> None:
        """One more request."""
        self._waiting.put(ticket)

    def _run(self) -> None:
        while (ticket := self._waiting.get()) is not None:
            self._answer([(ticket, self._page(ticket.request))])

    def _page(self, request: Request) -> Answer:
        if request.fault is not None:
            return Answer(request.fault[0])
        page = Answered.from_app(self._app, _environ(request), buffered=True)
        return Answer(page.status_code, page.get_data(), page.headers.get("Content-Type", "text/plain"))


def _environ(request: Request) -> dict[str, object]:
    path, _, query = request.path.partition("?")
    return {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "hive",
        "SERVER_PORT": "0",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.peer,
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()},
    }
