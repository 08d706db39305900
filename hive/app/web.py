"""`hive web`: the receiver on its socket."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable

from forge.gitea.decode_deliveries import KINDS
from hive.instance.instance import Instance, StartupError, wait_for_store
from hive.secret_store import REREAD_SECONDS, NoSecret
from hive.supervisor.heartbeat import HEARTBEATS, Heartbeat, HeartbeatMonitor
from hive.supervisor.processes import inherited_socket
from hive.web import IngestDeps, Receiver, WebhookEndpoint
from hive.web.receiver import listen_tcp

log = logging.getLogger("hive.web")

LOOPS = (
    "host.gc",
    "host.tick",
    "web.minder",
    "work.backstop",
    "work.gc",
    "work.jobs",
    "work.lessons",
    "work.roster",
    "work.sweep",
)
"""The loops that a healthy instance has."""

PATIENCE_SECONDS = 3.0
"""For so long a delivery waits for others who write: its forge waits for five (Forgejo and Gitea)."""


def serve(instance: Instance, stop: threading.Event) -> None:
    """Receive until `stop` is set; raises StartupError if the port is taken."""
    sock = inherited_socket() or listen(instance)
    wait_for_store(instance, stop)
    instance.close_to_others()
    instance.ledger.wait_at_most(PATIENCE_SECONDS)
    keys = {name: WebhookSecrets(instance, name) for name in instance.settings.forges}
    doors = {name: WebhookEndpoint(mine.known, KINDS) for name, mine in keys.items()}
    receiver = Receiver(sock, IngestDeps(instance.ledger, doors, instance.wakeup.notify), watching(instance))
    receiver.start()
    loops = instance.loops("web", stop)

    def look_after(heartbeat: Heartbeat) -> float:
        for mine in keys.values():
            mine.refresh()
        receiver.look_after()
        instance.ledger.checkpoint()
        heartbeat.beat()
        return REREAD_SECONDS

    try:
        loops.run("minder", look_after)
    finally:
        receiver.stop()
    loops.last_words(instance.ledger_path)


def watching(instance: Instance) -> Callable[[], list[str]]:
    """What is wrong with the loops of this instance."""
    late = float(instance.settings.limits.late_seconds)
    return HeartbeatMonitor(instance.settings.state / HEARTBEATS, LOOPS, grace=late).troubles


def listen(instance: Instance) -> socket.socket:
    """The receiver's socket; raises StartupError if the port is taken."""
    web = instance.settings.web
    try:
        return listen_tcp(web.host, web.port)
    except OSError as error:
        raise StartupError(f"{web.host}:{web.port} cannot be listened on ({error.strerror}); set web.port") from error


class WebhookSecrets:
    """A forge's hook secrets, read aside from deliveries: one that was rotated counts within a second."""

    def __init__(self, instance: Instance, forge: str) -> None:
        """Read them; raises NoSecret if there are none."""
        self._instance = instance
        self._forge = forge
        self._found = tuple(instance.secret_store.hook_secrets(forge))

    def known(self) -> tuple[bytes, ...]:
        """Those that were there a moment ago."""
        return self._found

    def refresh(self) -> None:
        """Read them again; while that fails, the last known ones are used."""
        try:
            self._found = tuple(self._instance.secret_store.hook_secrets(self._forge))
        except NoSecret as error:
            log.warning("secret_unusable error=%r", str(error))
