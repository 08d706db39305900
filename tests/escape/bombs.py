"""Runs as a command of an agent and takes more than it may have; says as JSON how far it came. Standard library only."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import sys
from collections.abc import Callable

MB = 1 << 20
MOST = 1024
"""The megabytes, and processes, at which a bomb is satisfied: nothing has stopped it."""


def forked() -> int:
    """How many processes could be started."""
    ready, go = os.pipe()
    children: list[int] = []
    try:
        while len(children) < MOST:
            child = os.fork()
            if not child:
                os.close(go)
                os.read(ready, 1)
                os._exit(0)
            children.append(child)
    except OSError:
        pass
    os.close(go)
    os.close(ready)
    for child in children:
        os.waitpid(child, 0)
    return len(children)


def in_child(what: Callable[[int], None]) -> tuple[int, int]:
    """How many megabytes a child took, and the signal that ended it."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        try:
            for count in range(MOST):
                what(count)
                os.write(writing, b"x")
        except (OSError, MemoryError):
            pass
        os._exit(0)
    os.close(writing)
    taken = 0
    while chunk := os.read(reading, MOST):
        taken += len(chunk)
    os.close(reading)
    return taken, os.waitpid(child, 0)[1] & 0x7F


held: list[bytearray] = []


def take(count: int) -> None:
    held.append(bytearray(b"x") * MB)


def fill(folder: str) -> Callable[[int], None]:
    def more(count: int) -> None:
        with open(f"{folder}/bomb-{count // 32}", "ab") as file:
            file.write(b"x" * MB)

    return more


def sparse() -> str:
    """What becomes of a file that would be larger than the disk that there is."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with open("large", "wb") as file:
            os.ftruncate(file.fileno(), MOST * MB)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    finally:
        os.unlink("large")
    return "done"


seen: dict[str, object] = {"processes": forked(), "sparse": sparse(), "core": resource.getrlimit(resource.RLIMIT_CORE)}
for place in ("/dev/shm", "/tmp"):
    seen[place] = in_child(fill(place))[0]
    for name in os.listdir(place):
        os.unlink(f"{place}/{name}")
seen["memory"] = in_child(take)
json.dump(seen, sys.stdout)
