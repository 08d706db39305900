"""Whether the receiver is well, for monitors and people: read only, and never in the way of a delivery."""

from __future__ import annotations

import json
import queue
import sqlite3
import threading
from collections.abc import Callable

from hive.ledger import Ledger
from hive.web.loop import Answer, Request, Ticket

PATH = "/healthz"


class Health:
    """Answers what is asked beside deliveries, one after another on a thread of its own: the ledger may let it wait."""

    def __init__(self, ledger: Ledger, answer: Callable[[list[tuple[Ticket, Answer]]], None]) -> None:
        self._ledger = ledger
        self._answer = answer
        self._waiting: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

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
            self._answer([(ticket, self._said(ticket.request))])

    def _said(self, request: Request) -> Answer:
        if request.fault is not None:
            return _say(request.fault[0], error=request.fault[1])
        if request.path.partition("?")[0] != PATH:
            return _say(404, error="no page of that name")
        if request.method != "GET":
            return _say(405, error=f"{PATH} is asked by GET")
        try:
            resting = "; ".join(map(str, self._ledger.parking.all()))
        except sqlite3.Error as error:
            return _say(503, status="the ledger cannot be read", error=str(error))
        return _say(200, status="ok", **({"waiting": resting} if resting else {}))


def _say(code: int, **words: str) -> Answer:
    return Answer(code, json.dumps(words, ensure_ascii=False).encode() + b"\n")
