"""The tools of a turn on standard input and output: what a client of the Model Context Protocol starts. Reads no message.

python -I -S -c … SOCKET
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path

_CHUNK = 1 << 16


def main() -> None:
    """Carry bytes both ways until one side is over."""
    with connected(Path(sys.argv[1])) as server:
        threading.Thread(target=_send, args=(server,), daemon=True).start()
        while chunk := server.recv(_CHUNK):
            _write(chunk)
    os._exit(0)  # the thread waits for an input that may never end


def connected(path: Path) -> socket.socket:
    """A connection to a unix socket, whose path may be of any length."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(f"/proc/self/fd/{folder}/{path.name}")
        except OSError as error:
            server.close()
            raise SystemExit(f"the hive's tools cannot be reached: {error.strerror}") from error
    finally:
        os.close(folder)
    return server


def _send(server: socket.socket) -> None:
    try:
        while chunk := os.read(0, _CHUNK):
            server.sendall(chunk)
        server.shutdown(socket.SHUT_WR)
    except OSError:  # the other side is over
        return


def _write(chunk: bytes) -> None:
    try:
        while chunk:
            chunk = chunk[os.write(1, chunk) :]
    except BrokenPipeError:
        os._exit(0)
