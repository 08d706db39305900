"""Serves the tools of a turn to the program that works on it: by the Model Context Protocol, over a unix socket.

The socket lies in a folder that only this program is shown, under a name that nobody can guess. There are no threads: what
waits for the program serves its calls meanwhile, so that a call is executed where the turn is worked on.
"""

from __future__ import annotations

import os
import secrets
import selectors
import shlex
import socket
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from hive.agent.mcp_protocol import McpSession
from hive.agent.sandbox import python

SCRIPT = "hive-mcp"
MAX_CLIENTS = 8
MAX_LINE = 8 << 20
_CHUNK = 1 << 16
_PATIENCE = 10.0
"""Seconds that a client may take to read an answer."""


class ToolServer:
    """A listening socket in a folder, and its clients; `script` there starts a client on standard input and output."""

    def __init__(self, folder: Path, session: McpSession, selector: selectors.BaseSelector) -> None:
        """`selector` gets its sockets; what is ready is handled by calling the `data` of its key."""
        self.path = folder / f"{secrets.token_hex(16)}.sock"
        self.script = folder / SCRIPT
        self._session = session
        self._selector = selector
        self._clients: dict[socket.socket, bytes] = {}
        self._socket = listen(self.path)
        words = [*python("hive.agent.mcp_shim"), str(self.path)]
        self.script.write_text(f"#!/bin/sh\nexec {shlex.join(words)}\n")
        self.script.chmod(0o755)
        selector.register(self._socket, selectors.EVENT_READ, self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for client in [*self._clients]:
            self._drop(client)
        self._selector.unregister(self._socket)
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def _accept(self) -> None:
        client, _ = self._socket.accept()
        if len(self._clients) >= MAX_CLIENTS:
            client.close()
            return
        client.settimeout(_PATIENCE)
        self._clients[client] = b""
        self._selector.register(client, selectors.EVENT_READ, lambda: self._read(client))

    def _read(self, client: socket.socket) -> None:
        """Answer the lines that have come, one after the other."""
        try:
            chunk = client.recv(_CHUNK)
            *lines, rest = (self._clients[client] + chunk).split(b"\n")
            self._clients[client] = rest
            for line in lines:
                answer = self._session.answer(line) if line.strip() else None
                if answer is not None:
                    client.sendall(answer)
        except OSError:  # it has gone, or does not read
            chunk = b""
        if not chunk or len(self._clients[client]) > MAX_LINE:
            self._drop(client)

    def _drop(self, client: socket.socket) -> None:
        del self._clients[client]
        self._selector.unregister(client)
        with suppress(OSError):
            client.close()


def listen(path: Path) -> socket.socket:
    """A listening socket that every user may connect to who can see its folder; the path may be of any length."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        server = socket.socket(socket.AF_UNIX)
        try:
            server.bind(f"/proc/self/fd/{folder}/{path.name}")
            path.chmod(0o666)
            server.listen()
        except OSError:
            server.close()
            raise
    finally:
        os.close(folder)
    return server
