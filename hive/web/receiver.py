"""The receiver put together: one socket, deliveries to the clerk, the rest to those who say how it is."""

from __future__ import annotations

import socket
from collections.abc import Callable

from forge.webhook import MAX_BODY
from hive.refusals import Refusals
from hive.web.clerk import PREFIX, Clerk, Desk
from hive.web.exchange import Ticket
from hive.web.health import Health
from hive.web.loop import Loop
from hive.web.room import Bounds


class Receiver:
    """Serves from `start` to `stop`, on a thread for deliveries and one for questions."""

    def __init__(
        self, sock: socket.socket, desk: Desk, troubles: Callable[[], list[str]] = list, bounds: Bounds | None = None
    ) -> None:
        """`troubles` says what is wrong with the house, beside the ledger."""
        self._refusals = Refusals(desk.ledger)
        self._clerk = Clerk(desk, self._refusals)
        self._loop = Loop(sock, self._handle, self._clerk.settle, max_body=MAX_BODY, bounds=bounds or Bounds.here())
        self._health = Health(desk.ledger, self._loop.answer, troubles)

    def start(self) -> None:
        """Receive from now on."""
        self._health.start()
        self._loop.start()

    def stop(self) -> None:
        """Answer what was asked, and end."""
        self._loop.stop()
        self._health.stop()
        self._refusals.flush(now=True)

    def look_after(self) -> None:
        """Record what was refused again and again in a minute that is over; any thread may call this."""
        self._refusals.flush()

    def _handle(self, ticket: Ticket) -> None:
        whose = self._clerk if ticket.request.path.startswith(PREFIX) else self._health
        whose.take(ticket)
