"""A container of NixOS as a process of the hive: it lives as long as the container, prints its log, and passes SIGTERM on.

python -m hive.reconcile.nixos.attach SOCKET NAME SHA SYSTEM MEMORY_MB CPU_PERCENT TASKS ENTRY …

Reads the harness' key from its standard input. When it is killed, root ends the container: the connection is gone.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from hive.reconcile.nixos.client import RootClient, RootRefused

LOOK_SECONDS = 1.0
"""Between two looks at a container and its log: each starts two programs of root's."""

LINES = 1000
ALIVE = frozenset({"activating", "active", "reloading", "deactivating"})


def main(words: Sequence[str]) -> int:
    """Start a container and follow it to its end; returns the exit status, 0 if it was asked to end."""
    socket, name, sha, system, memory, cpu, tasks, *entry = words
    client, asked = RootClient(Path(socket)), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    key, since = sys.stdin.read(), int(time.time())
    try:
        client.ask("configure", name, sha=sha, memory_mb=int(memory), cpu_percent=int(cpu), tasks=int(tasks))
        client.ask("point", name, system=system)
        connection, _ = client.begin("start", name, key=key, entry=entry, hold=True)
        with connection:
            return _follow(client, name, since, asked)
    except RootRefused as error:
        _write(f"hive: {error}")
        return 1


def _follow(client: RootClient, name: str, since: int, asked: threading.Event) -> int:
    """Print what is new until the container has ended; raises RootRefused if root is gone."""
    cursor, told = "", False
    while True:
        is_alive = client.ask("observe", name)["ActiveState"] in ALIVE
        cursor = _print(client, name, since, cursor)
        if not is_alive:
            return 0 if asked.is_set() else 1
        if asked.is_set() and not told:
            told = True
            client.ask("stop", name)
        elif not told:
            asked.wait(LOOK_SECONDS)


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
