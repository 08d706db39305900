"""A wake-up between processes of one state directory, so that none has to poll.

It carries nothing, and may come for nothing or not at all: what is pending is in the ledger.
"""

from __future__ import annotations

import contextlib
import select
import socket
from pathlib import Path

from hive.unix_socket import short_socket_path


class Wakeup:
    """One unix datagram socket, owned by the listener."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sock: socket.socket | None = None

    def notify(self) -> None:
        """Wake the listener, if there is one; wake-ups that it has not read yet are coalesced."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            with short_socket_path(self._path) as name:
                sock.sendto(b"!", name)

    def listen(self) -> None:
        """Own the socket from now on; raises OSError."""
        self._path.unlink(missing_ok=True)
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        with short_socket_path(self._path) as name:
            self._sock.bind(name)
        self._path.chmod(0o600)

    def wait(self, seconds: float) -> bool:
        """Wait for a wake-up, at most so many seconds; returns whether there was one. Missed ones count as one."""
        assert self._sock is not None, "listen first"
        if not select.select([self._sock], [], [], seconds)[0]:
            return False
        with contextlib.suppress(BlockingIOError):
            while True:
                self._sock.recv(16)
        return True

    def close(self) -> None:
        """Give the bell up."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None
