"""What Linux tells of processes: their memory, their time, their children; and ports that are free."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

MEGABYTE = 1024.0
"""In kilobytes, which is what Linux counts memory in."""

TICKS = os.sysconf("SC_CLK_TCK")


def pss(pid: int) -> float:
    """The proportional set size of a process, in MB."""
    return _kilobytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss:") / MEGABYTE


def pss_of_all(pid: int) -> float:
    """The proportional set size of a process and of all below it, in MB."""
    return pss(pid) + sum(map(pss_of_all, children(pid)))


def resident(pid: int) -> float:
    """What a process holds in memory now, in MB."""
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmRSS:") / MEGABYTE


def peak(pid: int) -> float:
    """The most that a process has held in memory, in MB."""
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmHWM:") / MEGABYTE


def cpu_seconds(pid: int) -> float:
    """How long a process has worked."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def children(pid: int) -> list[int]:
    """The processes that a process has started, from whichever thread."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def innermost(pid: int) -> int:
    """The last of a chain of only children."""
    while below := children(pid):
        pid = below[0]
    return pid


def free_port() -> int:
    """A port of the loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(is_so: Callable[[], bool], *, seconds: float, step: float = 0.01) -> bool:
    """Wait until something is so; False if it is not by then."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(step)
    return True


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def responds(url: str) -> bool:
    """Whether somebody answers there."""
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310  our own process
            return True
    except OSError:
        return False


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a session of its own, and all that is in it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _kilobytes(path: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith(name))
