"""A container of NixOS as a process of the hive: it lives as long as the container, prints its log, and passes SIGTERM on.

python -m hive.reconcile.nixos.attach SOCKET NAME SHA SYSTEM MEMORY_MB CPU_PERCENT TASKS ENTRY …

Reads the harness' key from its standard input. When it is killed, root ends the container: the connection is gone.
"""

from __future__ import annotations

import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hive.reconcile.nixos.client import RootClient, RootGone, RootRefused

T = TypeVar("T")

LOOK_SECONDS = 1.0
"""Between two looks at a container and its log: each starts two programs of root's."""

PATIENCE_SECONDS, AGAIN_SECONDS = 60.0, 0.2
"""How long root's helper may be away, as when it is upgraded, and between two tries to reach it."""

LINES = 1000
ALIVE = frozenset({"activating", "active", "reloading", "deactivating"})


def main(words: Sequence[str]) -> int:
    """Start a container and follow it to its end; returns the exit status, 0 if it was asked to end."""
    place, name, sha, system, memory, cpu, tasks, *entry = words
    client, asked = RootClient(Path(place)), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    key, since = sys.stdin.read(), int(time.time())
    try:
        client.ask("configure", name, sha=sha, memory_mb=int(memory), cpu_percent=int(cpu), tasks=int(tasks))
        client.ask("point", name, system=system)
        held, _ = client.begin("start", name, key=key, entry=entry, hold=True)
        return Followed(client, name, since, asked, held).follow()
    except RootRefused as error:
        _write(f"hive: {error}")
        return 1


@dataclass
class Followed:
    """A container that was started, and the connection with which it ends."""

    client: RootClient
    name: str
    since: int
    asked: threading.Event
    held: socket.socket

    def follow(self) -> int:
        """Print what is new until the container has ended; raises RootRefused if root is gone for long."""
        cursor, told = "", False
        while True:
            is_alive = self._patiently(lambda: self.client.ask("observe", self.name))["ActiveState"] in ALIVE
            cursor = _print(self.client, self.name, self.since, cursor)
            if not is_alive:
                return 0 if self.asked.is_set() else 1
            if self.asked.is_set() and not told:
                told = True
                self._patiently(lambda: self.client.ask("stop", self.name))
            elif not told:
                self._hold_on()
                self.asked.wait(LOOK_SECONDS)

    def _hold_on(self) -> None:
        """Hold it by another connection where the first one has ended, with the helper that accepted it."""
        ready, _, _ = select.select([self.held], [], [], 0)
        if ready:
            self.held.close()
            self.held = self._patiently(lambda: self.client.begin("hold", self.name))[0]

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Ask again while root's helper is started again."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return ask()
            except RootGone:
                if time.monotonic() > until:
                    raise
                time.sleep(AGAIN_SECONDS)


def _print(client: RootClient, name: str, since: int, cursor: str) -> str:
    """Print the log since a place; returns where it ends now. A container that is not up yet, or gone, has none."""
    try:
        said = client.ask("logs", name, lines=LINES, cursor=cursor, since=since)
    except RootRefused:
        return cursor
    if said["lines"]:
        _write("\n".join(said["lines"]))
    return str(said["cursor"])


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
