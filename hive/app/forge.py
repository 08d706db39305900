"""`hive forge`: the small forge for trying out, on its socket."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from forge.embedded import serve as serve_forge
from hive.app.house import NotReady
from hive.processes import until_told

PASSWORD = "HIVE_ADMIN_PASSWORD"  # noqa: S105  the name of a variable


def serve(state: Path, host: str, port: int, admin: str | None, say: Callable[[str], None]) -> None:
    """Serve until told to stop; raises NotReady if the port is taken or the admin has no password."""
    password = os.environ.pop(PASSWORD, "")
    if admin and not password:
        raise NotReady(f"set the password of {admin} in {PASSWORD}")
    try:
        serve_forge(state, host, port, admin=(admin, password) if admin else None, ready=say, stop=until_told())
    except OSError as error:
        raise NotReady(f"{host}:{port} cannot be listened on ({error.strerror}); choose another --port") from error
