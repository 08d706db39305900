"""A way for git to the broker: a port on the loopback whose bytes go to a unix socket. Reads none of them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_CHUNK = 65536


@contextmanager
def relay(path: Path) -> Iterator[int]:
    """Listen on a free port of 127.0.0.1 as long as the context lasts; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_accept, args=(server, path), daemon=True, name="relay")
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _accept(server: socket.socket, path: Path) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:  # shut down
            return
        threading.Thread(target=_connect, args=(client, path), daemon=True, name="relay").start()


def _connect(client: socket.socket, path: Path) -> None:
    """Carry one connection in both directions, each on a thread: git may send while it receives."""
    with client, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as broker:
        try:
            broker.connect(str(path))
        except OSError:  # no broker: git sees a closed connection and reports it
            return
        back = threading.Thread(target=_pump, args=(broker, client), daemon=True, name="relay")
        back.start()
        _pump(client, broker)
        back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Carry bytes until one end closes, then pass that on; a broken connection ends both ways."""
    try:
        while chunk := source.recv(_CHUNK):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
