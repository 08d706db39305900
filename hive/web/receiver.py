"""The receiver put together: one socket, deliveries to the clerk, the rest to those who say how it is."""

from __future__ import annotations

import socket
from collections.abc import Callable

from forge.webhook import MAX_BODY
from hive.web.clerk import PREFIX, Clerk, Desk
from hive.web.health import Health
from hive.web.loop import Loop, Ticket


class Receiver:
    """Serves from `start` to `stop`, on a thread for deliveries and one for questions."""

    def __init__(self, sock: socket.socket, desk: Desk, troubles: Callable[[], list[str]] = list) -> None:
        """`troubles` says what is wrong with the house, beside the ledger."""
        self._clerk = Clerk(desk)
        self._loop = Loop(sock, self._handle, self._clerk.settle, max_body=MAX_BODY)
        self._health = Health(desk.ledger, self._loop.answer, troubles)

    def start(self) -> None:
        """Receive from now on."""
        self._health.start()
        self._loop.start()

    def stop(self) -> None:
        """Answer what was asked, and end."""
        self._loop.stop()
        self._health.stop()

    def _handle(self, ticket: Ticket) -> None:
        whose = self._clerk if ticket.request.path.startswith(PREFIX) else self._health
        whose.take(ticket)
