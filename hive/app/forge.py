"""`hive forge`: the small forge for trying out, on its socket."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from forge.embedded import EmbeddedForge
from hive.app.house import NotReady
from hive.processes import until_told

PASSWORD = "HIVE_ADMIN_PASSWORD"  # noqa: S105  the name of a variable


def serve(state: Path, host: str, port: int, admin: str | None, say: Callable[[str], None]) -> None:
    """Serve until told to stop; raises NotReady if the port is taken or the admin has no password."""
    password = os.environ.pop(PASSWORD, "")
    if admin and not password:
        raise NotReady(f"set the password of {admin} in {PASSWORD}")
    stop = until_told()
    forge = EmbeddedForge(state, host=host, port=port)
    if admin:
        forge.create_admin(admin, password)
    try:
        forge.start()
    except OSError as error:
        raise NotReady(f"{host}:{port} cannot be listened on ({error.strerror}); choose another --port") from error
    say(forge.url)
    stop.wait()
    forge.stop()
