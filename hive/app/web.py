"""`hive web`: the receiver on its socket."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from forge.gitea.decode import KINDS
from hive.app.house import House, NotReady
from hive.serve import tcp
from hive.vault import NoSecret
from hive.web import Desk, Door, Receiver

log = logging.getLogger("hive.web")

SECRET_SECONDS = 1.0
"""For so long a secret is remembered: one that was rotated counts from then on."""


def serve(house: House, stop: threading.Event) -> None:
    """Receive until `stop` is set; raises NotReady if the port is taken."""
    web = house.settings.web
    try:
        sock = tcp(web.host, web.port)
    except OSError as error:
        raise NotReady(f"{web.host}:{web.port} cannot be listened on ({error.strerror}); set web.port") from error
    doors = {name: Door(_remembered(house, name), KINDS) for name in house.settings.forges}
    receiver = Receiver(sock, Desk(house.ledger, doors, house.bell.ring))
    receiver.start()
    stop.wait()
    receiver.stop()


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
