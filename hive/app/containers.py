"""The process that does for a hive what only root may do. It opens no hive: it knows its user, and where its agents are."""

from __future__ import annotations

import logging
import os
import pwd
import threading
from pathlib import Path

from hive.instance.instance import StartupError
from hive.reconcile.nixos.machines import Machines, Places
from hive.reconcile.nixos.privileged import Privileged
from hive.supervisor.processes import inherited_socket
from hive.unix_socket import listen_unix

LOG_FORMAT = "%(levelname)s %(message)s"

TOOLS_ENV = {"LANG": "C.UTF-8", "NIX_REMOTE": "daemon"}
"""Of root, nix writes to the store itself unless it is told to ask the daemon, and its unit has that read-only."""


def serve(path: Path | None, agents: Path, user: str, stop: threading.Event) -> None:
    """Answer one user until `stop`, at a path or on systemd's socket; raises StartupError for what an operator has to change, OSError."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    try:
        uid = pwd.getpwnam(user).pw_uid
        places = Places(agents.resolve())
    except (KeyError, ValueError) as error:
        raise StartupError(f"there is no user {user!r}" if isinstance(error, KeyError) else str(error)) from error
    machines = Machines(places, {"PATH": os.environ.get("PATH", os.defpath), **TOOLS_ENV})
    if lacking := machines.lacking():
        raise StartupError(f"this is for NixOS; missing here: {', '.join(lacking)}")
    if (theirs := inherited_socket()) is None:
        if path is None:
            raise StartupError("there is no socket from systemd: say where to listen, by --socket")
        theirs = listen_unix(path)
        os.chown(path, uid, -1)
    listening = Privileged(machines, theirs, [uid])
    threading.Thread(target=listening.serve, name="containers", daemon=True).start()
    stop.wait()
    listening.close()
