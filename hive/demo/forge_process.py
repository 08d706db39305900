"""`hive forge`: the embedded forge as a process of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from forge.embedded import FLAVOURS, EmbeddedForge
from hive.instance.instance import StartupError
from hive.supervisor.processes import stop_event

PASSWORD = "HIVE_ADMIN_PASSWORD"  # noqa: S105  the name of a variable


def serve(
    state: Path, place: tuple[str, int], say: Callable[[str], None], *, admin: str | None, flavour: str = "forgejo-17"
) -> None:
    """Serve until stopped; raises StartupError if the port is taken, the admin has no password, or the flavour is unknown."""
    if flavour not in FLAVOURS:
        raise StartupError(f"--flavour {flavour} is none of {', '.join(FLAVOURS)}")
    host, port = place
    password = os.environ.pop(PASSWORD, "")
    if admin and not password:
        raise StartupError(f"set the password of {admin} in {PASSWORD}")
    stop = stop_event()
    forge = EmbeddedForge(state, host=host, port=port, flavour=FLAVOURS[flavour])
    if admin:
        forge.create_admin(admin, password)
    try:
        forge.start()
    except OSError as error:
        raise StartupError(f"{host}:{port} cannot be listened on ({error.strerror}); choose another --port") from error
    say(forge.url)
    stop.wait()
    forge.stop()
