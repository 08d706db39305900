"""`hive web`: the receiver on its socket."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable

from forge.gitea.decode import KINDS
from hive.app.house import House, NotReady
from hive.processes import handed_over
from hive.serve import tcp
from hive.vault import NoSecret
from hive.web import Desk, Door, Receiver

log = logging.getLogger("hive.web")

TIDY_SECONDS, QUIET_SECONDS = 0.1, 1.0
"""How often what was received is brought from the log into the file, aside from those who wait for an answer: little at
a time while there is some, since a sync that has much to write holds up theirs."""

SECRET_SECONDS = 1.0
"""For so long a secret is remembered: one that was rotated counts from then on."""


def serve(house: House, stop: threading.Event) -> None:
    """Receive until `stop` is set; raises NotReady if the port is taken."""
    sock = handed_over() or listen(house)
    doors = {name: Door(_remembered(house, name), KINDS) for name in house.settings.forges}
    receiver = Receiver(sock, Desk(house.ledger, doors, house.bell.ring))
    receiver.start()
    before, now = 0, 0
    while not stop.wait(TIDY_SECONDS if now != before else QUIET_SECONDS):
        before, now = now, house.ledger.checkpoint()
    receiver.stop()


def listen(house: House) -> socket.socket:
    """The receiver's socket; raises NotReady if the port is taken."""
    web = house.settings.web
    try:
        return tcp(web.host, web.port)
    except OSError as error:
        raise NotReady(f"{web.host}:{web.port} cannot be listened on ({error.strerror}); set web.port") from error


def _remembered(house: House, forge: str) -> Callable[[], tuple[bytes, ...]]:
    found = tuple(house.vault.hook_secrets(forge))
    read_at = time.monotonic()

    def secrets() -> tuple[bytes, ...]:
        nonlocal found, read_at
        if time.monotonic() - read_at > SECRET_SECONDS:
            read_at = time.monotonic()
            try:
                found = tuple(house.vault.hook_secrets(forge))
            except NoSecret as error:  # what was known counts on
                log.warning("secret_unusable error=%r", str(error))
        return found

    return secrets
