"""Processes below one: who they are, and the end of them all."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_SIGKILL = 9

_PAUSE = 0.005
"""Seconds between two rounds of killing."""


_beside: set[int] = set()
"""Processes that this one runs beside its commands: they outlive the end of a command."""


class RunningBeside:
    """A child that is not ended with what commands leave, as long as the context lasts."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def __enter__(self) -> None:
        _beside.add(self.pid)

    def __exit__(self, *_: object) -> None:
        _beside.discard(self.pid)


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


def began(pid: int) -> int:
    """When a process began, in ticks since the start of the machine; -1 if it has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return -1
    return -1 if fields[0] == b"Z" else int(fields[19])


def descendants(root: int, children: dict[int, list[int]] | None = None, *, without: Iterable[int] = ()) -> list[int]:
    """The living descendants of a process, nearest first; `without` some of them and theirs.

    They are found among all processes' `children`, if these are known already.
    """
    children = living() if children is None else children
    found, wave = [], [root]
    while wave:
        wave = [child for parent in wave for child in children.get(parent, []) if child not in without]
        found += wave
    return found


def end_all() -> None:
    """Kill and reap every descendant of this process, which must be a subreaper: then none can leave it."""
    if _beside:
        _end_others()
        return
    while True:
        for pid in descendants(os.getpid()):
            _kill(pid)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(_PAUSE)


def _end_others() -> None:
    """The same for all but those that run beside; these are reaped by the one who started them."""
    while found := descendants(os.getpid(), without=_beside):
        for pid in found:
            _kill(pid)
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:  # its parent has to go first
                continue
        time.sleep(_PAUSE)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, _SIGKILL)
    except OSError:  # it has ended in the meantime
        return
