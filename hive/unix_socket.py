"""Unix sockets whose path may be longer than a socket's address holds. Decides nothing."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

BACKLOG = 256
"""Connections that wait to be accepted."""


def listen_unix(path: Path) -> socket.socket:
    """A listening unix socket in place of an older one; only its owner may connect."""
    with short_socket_path(path) as name:
        path.unlink(missing_ok=True)
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.bind(name)
            path.chmod(0o600)
            sock.listen(BACKLOG)
        except OSError:
            sock.close()
            raise
    return sock


@contextlib.contextmanager
def short_socket_path(path: Path) -> Iterator[str]:
    """A name for a path that fits into the 108 bytes of a unix socket's address."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
