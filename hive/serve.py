"""WSGI applications on sockets, over waitress; short names for unix sockets whose path is long."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import waitress
from waitress import wasyncore

# Requests that wait for a thread are no fault; waitress would write a line for each.
logging.getLogger("waitress.queue").setLevel(logging.ERROR)

App = Callable[..., Any]
BACKLOG = 256


class Server:
    """One application on one socket, served by threads of this process."""

    def __init__(self, app: App, sock: socket.socket, *, threads: int = 8, max_body: int = 1 << 30) -> None:
        self._server = waitress.create_server(
            app,
            sockets=[sock],
            threads=threads,
            ident="",
            clear_untrusted_proxy_headers=True,
            max_request_body_size=max_body,
            channel_timeout=300,
        )
        self._thread = threading.Thread(target=self._server.run, name="serve", daemon=True)

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is being answered, then close every connection."""
        self._server.task_dispatcher.shutdown(timeout=5)
        # waitress' loop ends when nothing is left to watch; the map may be touched by its thread only.
        watched = self._server._map  # noqa: SLF001  it offers no other end
        self._server.trigger.pull_trigger(lambda: wasyncore.close_all(watched, ignore_all=True))
        self._thread.join(timeout=10)


def tcp(host: str, port: int) -> socket.socket:
    """A listening TCP socket; raises OSError if the port is taken."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def unix(path: Path) -> socket.socket:
    """A listening unix socket in place of an older one; only its owner may connect."""
    with short(path) as name:
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
def short(path: Path) -> Iterator[str]:
    """A name for a path that fits into the 108 bytes of a unix socket's address."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
