"""Health checks for monitors and people, never in the way of a delivery.

`/livez` says that the receiver answers; `/healthz` whether the ledger is writable and every loop runs.
"""

from __future__ import annotations

import json
import math
import queue
import sqlite3
import threading
import time
from collections.abc import Callable

from hive.ledger import Ledger
from hive.ledger.errors import describe
from hive.web.http_messages import PendingRequest, Request, Response

HEALTH, LIFE = "/healthz", "/livez"
PROBE_SECONDS = 1.0
"""How long the result of a probe of the ledger is reused, so that frequent checks do not write more."""


class Health:
    """Answers health checks, one after another on a thread of its own, since the ledger may block it."""

    def __init__(
        self,
        ledger: Ledger,
        answer: Callable[[list[tuple[PendingRequest, Response]]], None],
        troubles: Callable[[], list[str]],
    ) -> None:
        """`troubles` returns what is wrong beside the ledger, a sentence each."""
        self._ledger = ledger
        self._answer = answer
        self._troubles = troubles
        self._probed = -math.inf
        self._found: list[str] = []
        self._waiting: queue.SimpleQueue[PendingRequest | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def start(self) -> None:
        """Work from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what waits, and end."""
        self._waiting.put(None)
        self._thread.join()

    def take(self, pending: PendingRequest) -> None:
        """One more request."""
        self._waiting.put(pending)

    def _run(self) -> None:
        while (pending := self._waiting.get()) is not None:
            self._answer([(pending, self._said(pending.request))])

    def _said(self, request: Request) -> Response:
        if request.fault is not None:
            return _say(request.fault[0], error=request.fault[1])
        path = request.path.partition("?")[0]
        if path not in (HEALTH, LIFE):
            return _say(404, error="no page of that name")
        if request.method != "GET":
            return _say(405, error=f"{path} is asked by GET")
        return _say(200, status="ok") if path == LIFE else self._health()

    def _health(self) -> Response:
        problems = [*self._probe(), *self._troubles()]
        try:
            suspended = "; ".join(map(str, self._ledger.suspensions.all()))
        except sqlite3.Error as error:
            problems, suspended = [f"the ledger cannot be read: {describe(error)}", *problems], ""
        more = {"suspended": suspended} if suspended else {}
        if problems:
            return _say(503, status="degraded", problems=problems, **more)
        return _say(200, status="ok", **more)

    def _probe(self) -> list[str]:
        """What is wrong with the ledger, found out by writing to it."""
        now = time.monotonic()
        if now - self._probed < PROBE_SECONDS:
            return self._found
        self._found = []
        try:
            self._ledger.probe()
        except sqlite3.Error as error:
            self._found = [f"the ledger cannot be written: {describe(error)}"]
        self._probed = time.monotonic()
        return self._found


def _say(code: int, **words: str | list[str]) -> Response:
    return Response(code, json.dumps(words, ensure_ascii=False).encode() + b"\n")
