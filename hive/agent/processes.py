"""Processes below one: who they are, and the end of them all."""

from __future__ import annotations

import os
import time

_SIGKILL = 9

_PAUSE = 0.005
"""Seconds between two rounds of killing."""


def living() -> dict[int, list[int]]:
    """The children of each process, none that has ended."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
            except OSError:  # it has ended in the meantime
                continue
            if state != b"Z":
                children.setdefault(int(parent), []).append(int(name))
    return children


def descendants(root: int, children: dict[int, list[int]] | None = None) -> list[int]:
    """The living descendants of a process, nearest first; of all processes' `children` if they are known already."""
    children = living() if children is None else children
    found, wave = [], [root]
    while wave:
        wave = [child for parent in wave for child in children.get(parent, [])]
        found += wave
    return found


def end_all() -> None:
    """Kill and reap every descendant of this process, which must be a subreaper: then none can leave it."""
    while True:
        for pid in descendants(os.getpid()):
            try:
                os.kill(pid, _SIGKILL)
            except OSError:  # it has ended in the meantime
                continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(_PAUSE)
