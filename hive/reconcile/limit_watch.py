"""Looks whether containers keep to their limits where the kernel does not, and kills what is beyond them.

Kills commands, never their harness: that tells the model why. Says nothing to a forge.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hive.agent.limits import DISK_EVENTS, EVENTS
from hive.agent.processes import descendants, living
from hive.config import Limits
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.backends.bounds import Bounds
from hive.reconcile.cgroup_hierarchies import MEMORY
from hive.reconcile.dir_handles import DirHandle

log = logging.getLogger("hive.limits")

LOOK_SECONDS = 1.0
DISK_SECONDS = 2.0
"""Between two looks at how much of the file system is used; only growth makes the directory be measured."""
MEASURE_SECONDS = 20.0
"""After which a directory is measured in any case."""
SHARE = 20
"""A measurement that took a second is followed by so many seconds without one."""
TIMEOUT_SECONDS = 600.0
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class _Watched:
    """What is known of one running container."""

    bounds: Bounds
    dirs: AgentDirs
    oom_kills: int = 0
    disk_kills: int = 0
    disk_at_kill: int = 0


class LimitWatch:
    """Watches the containers of one host; all but `DiskMeter`'s thread is the thread of the containers."""

    def __init__(self, limits: Limits, note: Callable[[str, str], None]) -> None:
        """`note` adds a line to an agent's log."""
        self._limits = limits
        self._note = note
        self._watched: dict[str, _Watched] = {}
        self._next = 0.0
        self._meter = DiskMeter(limits.disk_mb << 20)

    def begin(self, dirs: AgentDirs, bounds: Bounds) -> None:
        """Watch a container that is about to start; raises OSError."""
        with DirHandle.at(dirs.sockets) as folder:
            for name in (EVENTS, DISK_EVENTS):
                folder.write(name, _line(name, 0), mode=0o644)
        self._watched[dirs.name] = _Watched(bounds, dirs)
        self._meter.add(dirs.name, dirs.state)

    def end(self, agent: str) -> str:
        """Forget a container that has ended; why the kernel killed something of it that was not known yet."""
        self._meter.drop(agent)
        watched = self._watched.pop(agent, None)
        if watched is None or watched.bounds.group is None:
            return ""
        late = watched.bounds.group.oom_kills() > watched.oom_kills
        return f"killed: memory limit of {self._limits.memory_mb} MB" if late else ""

    def look(self, harness: Callable[[str], int | None]) -> None:
        """Look at all of them, once in a while; `harness` is the process of an agent's harness."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LOOK_SECONDS
        is_counted = all(MEMORY in watched.bounds.limited for watched in self._watched.values())
        children = None if is_counted else living()
        for agent, watched in self._watched.items():
            with contextlib.suppress(OSError):
                before = watched.oom_kills
                if MEMORY in watched.bounds.limited and watched.bounds.group is not None:
                    watched.oom_kills = watched.bounds.group.oom_kills()
                elif (pid := harness(agent)) is not None:
                    self._memory(watched, pid, descendants(pid, children))
                if watched.oom_kills > before:
                    self._count(watched.dirs, EVENTS, watched.oom_kills)
                    self._say(agent, f"memory limit of {self._limits.memory_mb} MB")
                size = self._meter.measured(agent)
                if size is not None:
                    self._disk(agent, watched, size, harness)

    def _memory(self, watched: _Watched, harness: int, running: list[int]) -> None:
        """Kill the largest process below a harness if all together are too large."""
        sizes = {pid: _resident(pid) for pid in running}
        if sizes and sum(sizes.values()) + _resident(harness) > self._limits.memory_mb << 20:
            watched.oom_kills += 1
            self._count(watched.dirs, EVENTS, watched.oom_kills)  # before it is killed: its harness looks then
            _kill(max(sizes, key=lambda pid: sizes[pid]))

    def _disk(self, agent: str, watched: _Watched, size: int, harness: Callable[[str], int | None]) -> None:
        """Kill what runs in a container whose state is too large, and grows."""
        if size <= self._limits.disk_mb << 20:
            watched.disk_at_kill = 0
            return
        pid = harness(agent)
        running = descendants(pid) if pid is not None else []
        if not running or size <= watched.disk_at_kill:  # it does not grow: what runs may be what deletes
            return
        watched.disk_at_kill = size
        watched.disk_kills += 1
        self._count(watched.dirs, DISK_EVENTS, watched.disk_kills)
        for each in running:
            _kill(each)
        self._say(agent, f"disk limit of {self._limits.disk_mb} MB: its state directory holds {size >> 20} MB")

    def _count(self, dirs: AgentDirs, name: str, count: int) -> None:
        with DirHandle.at(dirs.sockets) as folder:
            folder.write(name, _line(name, count), mode=0o644)

    def _say(self, agent: str, what: str) -> None:
        log.warning("limit_reached agent=%s limit=%r", agent, what)
        self._note(agent, f"hive: a command was killed: {what}")


@dataclass(frozen=True, slots=True)
class _Measured:
    """The size of a directory, how much of its file system was used then, when that was, and until when it is not repeated."""

    size: int
    used: int
    at: float
    rests_until: float


@dataclass(slots=True)
class DiskMeter:
    """Measures directories on a thread of its own, as seldom as will do."""

    limit: int
    _places: dict[str, Path] = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict)
    _thread: threading.Thread | None = None

    def add(self, agent: str, place: Path) -> None:
        """Measure a directory from now on."""
        self._places[agent] = place
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="disk", daemon=True)
            self._thread.start()

    def drop(self, agent: str) -> None:
        """Measure it no longer."""
        self._places.pop(agent, None)
        self._sizes.pop(agent, None)

    def measured(self, agent: str) -> int | None:
        """The bytes that a new measurement found; None if there was none since the last call."""
        return self._sizes.pop(agent, None)

    def _run(self) -> None:
        known: dict[Path, _Measured] = {}
        while True:
            for agent, place in list(self._places.items()):
                with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
                    self._look(agent, place, known)
            time.sleep(DISK_SECONDS)

    def _look(self, agent: str, place: Path, known: dict[Path, _Measured]) -> None:
        used, now = _used(place), time.monotonic()
        last = known.get(place)
        if last is not None:
            has_room = last.size + max(0, used - last.used) <= self.limit
            if now < last.rests_until or (has_room and now < last.at + MEASURE_SECONDS):
                return
        size, then = measure(place), time.monotonic()
        known[place] = _Measured(size, used, then, then + SHARE * (then - now))
        if agent in self._places:
            self._sizes[agent] = size


def measure(place: Path) -> int:
    """The bytes that a directory holds on its file system; below what its owner made unreadable, too."""
    words = ["du", "-sx", "-B1", "--", str(place)]
    done = _run(words)
    if "Permission denied" in done.stderr:
        _run(["find", str(place), "-xdev", "-type", "d", "!", "-perm", "-u=rx", "-exec", "chmod", "u+rx", "{}", ";"])
        done = _run(words)
    return int(done.stdout.split()[0])


def _run(words: list[str]) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    return subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_SECONDS, env=env)


def _used(place: Path) -> int:
    seen = os.statvfs(place)
    return (seen.f_blocks - seen.f_bfree) * seen.f_frsize


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    return 0


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _line(name: str, count: int) -> bytes:
    return f"{'oom_kill' if name == EVENTS else 'disk_kill'} {count}\n".encode()
