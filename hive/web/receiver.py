"""The receiver: one socket, deliveries for the ingest handler, everything else for health checks."""

from __future__ import annotations

import socket
from collections.abc import Callable

from forge.webhook import MAX_BODY
from hive.ledger.rejection_log import RejectionLog
from hive.web.health import Health
from hive.web.http_loop import HTTPLoop
from hive.web.http_messages import PendingRequest
from hive.web.ingest import PREFIX, IngestDeps, IngestHandler
from hive.web.limits import ReceiverLimits

BACKLOG = 256
"""Connections that wait to be accepted."""


class Receiver:
    """Serves from `start` to `stop`, on a thread for deliveries and one for questions."""

    def __init__(
        self,
        sock: socket.socket,
        deps: IngestDeps,
        troubles: Callable[[], list[str]] = list,
        bounds: ReceiverLimits | None = None,
    ) -> None:
        """`troubles` returns what is wrong beside the ledger."""
        self._refusals = RejectionLog(deps.ledger)
        self._ingest = IngestHandler(deps, self._refusals)
        self._loop = HTTPLoop(
            sock, self._handle, self._ingest.settle, max_body=MAX_BODY, bounds=bounds or ReceiverLimits.here()
        )
        self._health = Health(deps.ledger, self._loop.answer, troubles)

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
        """Record repeated rejections of a past minute; any thread may call this."""
        self._refusals.flush()

    def _handle(self, pending: PendingRequest) -> None:
        whose = self._ingest if pending.request.path.startswith(PREFIX) else self._health
        whose.take(pending)


def listen_tcp(host: str, port: int) -> socket.socket:
    """A listening TCP socket; raises OSError if the port is taken."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
