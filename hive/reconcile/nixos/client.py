"""Asks root for what a hive may not do itself. Checks nothing: that is done where it counts.

What stands for a container is a process of its own: it has this and the standard library.
"""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hive.unix_socket import short_socket_path

SOCKET = Path("/run/forgehive/containers.sock")
"""Where `hive containers serve` listens, unless it is told otherwise."""

SECONDS = 600.0
"""How long an answer may take: four tools, each of which may take as long as `hive.reconcile.nixos.machines` lets it."""

MOST_BYTES = 1 << 20


class RootRefused(Exception):
    """Root did not do what was asked; the message is its reason, for people."""


class RootGone(RootRefused):
    """Nobody answered, or not to the end: root's helper is being started again, or is not there."""


@dataclass(frozen=True, slots=True)
class RootClient:
    """The socket of `hive containers serve`."""

    path: Path = SOCKET

    def ask(self, verb: str, name: str, **fields: Any) -> dict[str, Any]:
        """What root answers; raises RootRefused, and RootGone if nobody listens."""
        connection, answer = self.begin(verb, name, **fields)
        connection.close()
        return answer

    def begin(self, verb: str, name: str, **fields: Any) -> tuple[socket.socket, dict[str, Any]]:
        """The same, and the connection: while it is open, a container that was started with `hold` runs."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            with short_socket_path(self.path) as place:
                connection.connect(place)
            connection.settimeout(SECONDS)
            with suppress(
                BrokenPipeError, ConnectionResetError
            ):  # it may have refused before it read: its answer says why
                connection.sendall(json.dumps({"verb": verb, "name": name, **fields}).encode() + b"\n")
            answer = _read(connection)
        except (OSError, ValueError) as error:
            connection.close()
            raise RootGone(f"nobody answers at {self.path} ({error})") from error
        if "error" in answer:
            connection.close()
            raise RootRefused(str(answer["error"]))
        return connection, answer


def _read(connection: socket.socket) -> dict[str, Any]:
    said = b""
    while not said.endswith(b"\n"):
        chunk = connection.recv(1 << 16)
        if not chunk or len(said) > MOST_BYTES:
            raise ValueError("its answer has no end")
        said += chunk
    answer: dict[str, Any] = json.loads(said)
    return answer
