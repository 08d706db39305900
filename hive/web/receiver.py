"""The receiver put together: one socket, deliveries to the clerk, the rest to the pages."""

from __future__ import annotations

import socket

from forge.webhook import MAX_BODY
from hive.web.clerk import PREFIX, Clerk, Desk
from hive.web.loop import Loop, Ticket
from hive.web.pages import Pages, pages


class Receiver:
    """Serves from `start` to `stop`, on threads of its own."""

    def __init__(self, sock: socket.socket, desk: Desk) -> None:
        self._loop = Loop(sock, self._handle, max_body=MAX_BODY)
        self._clerk = Clerk(desk, self._loop.answer)
        self._pages = Pages(pages(desk.ledger), self._loop.answer)

    def start(self) -> None:
        """Receive from now on."""
        self._clerk.start()
        self._pages.start()
        self._loop.start()

    def stop(self) -> None:
        """Answer what was asked, and end."""
        self._loop.stop()
        self._clerk.stop()
        self._pages.stop()

    def _handle(self, ticket: Ticket) -> None:
        whose = self._clerk if ticket.request.path.startswith(PREFIX) else self._pages
        whose.take(ticket)
