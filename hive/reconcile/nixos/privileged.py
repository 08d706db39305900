"""Listens for one hive, as root: a line in, a line out. Who asks is told by the kernel.

A container that was started with `hold` ends with the connection over which that was asked: its hive is gone. When this
process itself is started again, it is asked to `hold` what runs.
"""

from __future__ import annotations

import contextlib
import json
import logging
import select
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Collection
from typing import Any

from hive.reconcile.nixos.machines import Failed, Machines
from hive.reconcile.nixos.requests import MOST_BYTES, BadVerb, RootRequest

log = logging.getLogger("hive.containers")

MOST_AT_ONCE = 64
LINE_SECONDS = 10.0
"""How long a line may take to come, and an answer to be taken."""


class Privileged:
    """Answers on a socket until `close`; containers with different names do not wait for one another."""

    def __init__(self, machines: Machines, listening: socket.socket, uids: Collection[int]) -> None:
        """Listen at a socket, which may be shared with a service manager; only processes of the users are answered."""
        self._machines = machines
        self._uids = frozenset(uids)
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._holders: dict[str, socket.socket] = {}
        self._socket = listening
        self._ended, self._end = socket.socketpair()

    def serve(self) -> None:
        """Answer until `close`; who connects after that waits for the next one that listens, if there will be one."""
        with self._socket, self._ended:
            while True:
                ready, _, _ = select.select([self._socket, self._ended], [], [])
                if self._ended in ready:
                    return
                try:
                    connection, _ = self._socket.accept()
                except OSError as error:
                    log.warning("not_accepted error=%r", str(error)[:100])
                    continue
                self._places.acquire()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def close(self) -> None:
        """Take no more requests. The socket is not shut down, as that would end it for everybody who has it."""
        self._end.close()

    def _answer(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.settimeout(LINE_SECONDS)
                request, said = self._said(connection)
                is_held = request is not None and _holds(request)
                try:
                    connection.sendall(json.dumps(said).encode() + b"\n")
                finally:  # also for a hive that was gone before it heard that its container has started
                    if request is not None and is_held and "error" not in said:
                        self._hold(connection, request)
        except OSError as error:
            log.warning("peer_gone error=%r", str(error)[:100])
        finally:
            self._places.release()

    def _said(self, connection: socket.socket) -> tuple[RootRequest | None, dict[str, Any]]:
        uid = peer(connection)
        if uid not in self._uids:
            log.warning("refused uid=%d", uid)
            return None, {"error": f"user {uid} may not ask this"}
        try:
            request = RootRequest.parse(_line(connection))
        except BadVerb as error:
            log.warning("refused uid=%d error=%r", uid, str(error)[:200])
            return None, {"error": str(error)}
        with self._locks[request.name]:
            if request.verb in ("start", "hold", "stop", "kill", "destroy"):
                self._holders.pop(request.name, None)
            try:
                done = self._machines.do(request)
            except Failed as error:
                log.warning("failed verb=%s agent=%s error=%r", request.verb, request.name, str(error)[:200])
                return request, {"error": str(error)}
            if _holds(request):
                self._holders[request.name] = connection
        if request.verb not in ("observe", "logs"):
            log.info("done verb=%s agent=%s", request.verb, request.name)
        return request, {**done, "ok": True}

    def _hold(self, connection: socket.socket, request: RootRequest) -> None:
        """Wait for the end of a connection, and end its container, if that is still this one's."""
        connection.settimeout(None)
        with contextlib.suppress(OSError):
            while connection.recv(1024):
                pass
        with self._locks[request.name]:
            if self._holders.get(request.name) is not connection:
                return
            del self._holders[request.name]
            with contextlib.suppress(Failed):
                self._machines.do(RootRequest("kill", request.name, {}))
                log.info("ended agent=%s reason='its hive is gone'", request.name)


def _holds(request: RootRequest) -> bool:
    """Whether a container is to end with the connection over which this was asked."""
    return request.verb == "hold" or (request.verb == "start" and bool(request.fields["hold"]))


def peer(connection: socket.socket) -> int:
    """The user of the process that connected."""
    said = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", said)[1])


def _line(connection: socket.socket) -> bytes:
    """One line; raises BadVerb for one that is too long, or has no end."""
    said = b""
    while b"\n" not in said:
        chunk = connection.recv(1 << 16)
        said += chunk
        if not chunk or len(said) > MOST_BYTES:
            raise BadVerb(f"a request is one line of at most {MOST_BYTES} bytes")
    line, _, rest = said.partition(b"\n")
    if rest:
        raise BadVerb("a request is one line")
    return line
