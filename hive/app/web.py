"""`hive web`: the receiver on its socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from forge.gitea.decode import KINDS
from hive.app.house import House, NotReady
from hive.serve import tcp
from hive.web import Desk, Door, Receiver

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
            found, read_at = tuple(house.vault.hook_secrets(forge)), time.monotonic()
        return found

    return secrets
