"""A wake-up between processes of one state directory, so that none has to poll.

It carries nothing, and may come for nothing or not at all: what is pending is in the ledger.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
from pathlib import Path

from hive.unix_socket import short_socket_path

log = logging.getLogger("hive.queue.wakeup")

HOST_WAKEUP = "host.wakeup"
"""The socket in the state directory that wakes those who wait in the host, for an effect or a turn."""

STOP_SECONDS = 0.5
"""How late a relay notices that it should stop."""

LISTEN_AGAIN_SECONDS = 10.0


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


class WakeupBroadcast:
    """Passes wake-ups on to all threads of a process that wait for one.

    A thread reads `seen`, looks into the ledger, and waits for anything newer than that: no wake-up is missed in between.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._seen = 0

    @property
    def seen(self) -> int:
        """How many wake-ups there were."""
        with self._changed:
            return self._seen

    def notify(self) -> None:
        """Wake all threads that wait."""
        with self._changed:
            self._seen += 1
            self._changed.notify_all()

    def wait(self, seen: int, seconds: float) -> None:
        """Wait for a wake-up after the first `seen`, at most so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._seen != seen, seconds)

    def relay(self, wakeup: Wakeup, stop: threading.Event) -> None:
        """Listen on a socket and pass on its wake-ups until `stop` is set, which wakes all threads too.

        As long as there is no socket, because the disk is full, nobody is woken.
        """
        while not stop.is_set():
            try:
                wakeup.listen()
                break
            except OSError as error:
                log.warning("no_wakeups error=%r", error)
                stop.wait(LISTEN_AGAIN_SECONDS)
        while not stop.is_set():
            if wakeup.wait(STOP_SECONDS):
                self.notify()
        wakeup.close()
        self.notify()
