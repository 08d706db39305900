"""`hive web`: the receiver on its socket."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable

from forge.gitea.decode import KINDS
from hive.app.house import House, NotReady, wait_for_store
from hive.processes import handed_over
from hive.pulse import BEATS, Pulse, Watch
from hive.serve import tcp
from hive.vault import NoSecret
from hive.web import Desk, Door, Receiver

log = logging.getLogger("hive.web")

SECRET_SECONDS = 1.0
"""For so long a secret is remembered: one that was rotated counts from then on. As often the ledger's log is looked after."""

LOOPS = ("host.gc", "host.tick", "web.minder", "work.backstop", "work.gc", "work.looks", "work.sweep")
"""What has to go round in a house that is well."""

PATIENCE_SECONDS = 3.0
"""For so long a delivery waits for others who write: its forge waits for five (Forgejo and Gitea)."""


def serve(house: House, stop: threading.Event) -> None:
    """Receive until `stop` is set; raises NotReady if the port is taken."""
    sock = handed_over() or listen(house)
    wait_for_store(house, stop)
    house.close_to_others()
    house.ledger.wait_at_most(PATIENCE_SECONDS)
    keys = {name: Keys(house, name) for name in house.settings.forges}
    doors = {name: Door(mine.known, KINDS) for name, mine in keys.items()}
    receiver = Receiver(sock, Desk(house.ledger, doors, house.bell.ring), watching(house))
    receiver.start()
    loops = house.loops("web", stop)

    def look_after(pulse: Pulse) -> float:
        for mine in keys.values():
            mine.refresh()
        receiver.look_after()
        house.ledger.checkpoint()
        pulse.beat()
        return SECRET_SECONDS

    try:
        loops.run("minder", look_after)
    finally:
        receiver.stop()
    loops.last_words(house.ledger_path)


def watching(house: House) -> Callable[[], list[str]]:
    """What is wrong with the loops of this house."""
    late = float(house.settings.limits.late_seconds)
    return Watch(house.settings.state / BEATS, LOOPS, grace=late).troubles


def listen(house: House) -> socket.socket:
    """The receiver's socket; raises NotReady if the port is taken."""
    web = house.settings.web
    try:
        return tcp(web.host, web.port)
    except OSError as error:
        raise NotReady(f"{web.host}:{web.port} cannot be listened on ({error.strerror}); set web.port") from error


class Keys:
    """A forge's hook secrets, read aside from deliveries: one that was rotated counts within a second."""

    def __init__(self, house: House, forge: str) -> None:
        """Read them; raises NoSecret if there are none."""
        self._house = house
        self._forge = forge
        self._found = tuple(house.vault.hook_secrets(forge))

    def known(self) -> tuple[bytes, ...]:
        """Those that were there a moment ago."""
        return self._found

    def refresh(self) -> None:
        """Read them anew; as long as they cannot be read, what was known counts on."""
        try:
            self._found = tuple(self._house.vault.hook_secrets(self._forge))
        except NoSecret as error:
            log.warning("secret_unusable error=%r", str(error))
