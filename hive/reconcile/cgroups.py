"""cgroups of containers, below the group of the hive: made with limits, counted, ended, removed. Starts no process.

Works in both versions and in the mix of both ("hybrid"). A hive's groups lie in one folder whose name says which
process made it: what a host left that was killed is removed by the next one.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hive.agent.processes import began
from hive.config import Limits
from hive.reconcile.cgroup_hierarchies import (
    CONTROLLERS,
    MEMORY,
    Hierarchy,
    delegate,
    enable,
    hierarchies,
    set_limit,
)

ALSO = ("name=systemd",)
"""A hierarchy without a controller, in which systemd-nspawn makes groups of its own beside the process that starts it."""

END_SECONDS = 10.0
PAUSE = 0.005
_NAME = re.compile(r"hive-(\d+)\.(\d+)\.(\d+)")


class NoCgroup(Exception):
    """No group can be made here; the message is the reason, for people."""


@dataclass(frozen=True, slots=True)
class ContainerGroup:
    """The group of one container, as its folder in each hierarchy; `memory` is the one that counts memory, if any does."""

    folders: tuple[Path, ...]
    memory: Path | None = None
    path: str = ""
    """How a program that makes groups with limits below it has to name it."""
    is_parent: bool = False
    """Whether such a program does."""
    also: tuple[Path, ...] = ()
    """The folders that it makes in other hierarchies."""

    @property
    def joined_by(self) -> list[str]:
        """The files that a process writes its number to, to join."""
        return [str(folder / "cgroup.procs") for folder in self.folders]

    @property
    def memory_events(self) -> Path | None:
        """The file in which the kernel counts `oom_kill`."""
        if self.memory is None:
            return None
        return next(
            (path for name in ("memory.events", "memory.oom_control") if (path := self.memory / name).exists()), None
        )

    def oom_kills(self) -> int:
        """How many processes the kernel killed because the group, or one below it, had no memory left."""
        events, count = self.memory_events, 0
        if self.memory is None or events is None:
            return 0
        folders = [self.memory] if events.name == "memory.events" else [*map(Path, _below_all(self.memory))]
        for folder in folders:  # version 1 counts in each group only what was killed in that one
            with contextlib.suppress(OSError):
                count += _count((folder / events.name).read_text(), "oom_kill")
        return count

    def processes(self) -> set[int]:
        """All processes in the group and below, as this PID namespace numbers them."""
        found: set[int] = set()
        for top in (*self.folders, *self.also):
            for folder in _below_all(top):
                with contextlib.suppress(OSError):
                    found.update(map(int, Path(folder, "cgroup.procs").read_text().split()))
        return found - {0}

    def kill(self) -> None:
        """Kill everything in it and wait until it is gone; what cannot be killed is left after a while."""
        for folder in self.folders:
            with contextlib.suppress(OSError):
                (folder / "pids.max").write_text("0")
            with contextlib.suppress(OSError):
                if (folder / "cgroup.kill").exists():
                    (folder / "cgroup.kill").write_text("1")
        until = time.monotonic() + END_SECONDS
        while (left := self.processes()) and time.monotonic() < until:
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(PAUSE)

    def remove(self) -> None:
        """Remove its folders, with those that were made within; they have to be empty."""
        for folder in (*self.folders, *self.also):
            remove_tree(folder)
            if folder in self.also:
                with contextlib.suppress(OSError):
                    folder.parent.rmdir()


class Cgroups:
    """The groups of one hive. `limited` are the controllers whose limits hold here."""

    def __init__(self, found: list[Hierarchy], why_not: Mapping[str, str]) -> None:
        self._hierarchies = found
        self._name = own_name()
        self._made = 0
        self.why_not = why_not
        self.limited = frozenset(CONTROLLERS) - why_not.keys()

    @classmethod
    def find(cls, *, moving: bool = True) -> Cgroups:
        """Probe by making a group with limits; raises NoCgroup if not one limit can be had.

        In version 2 that may need that this process, with all others of the hive, moves into a group below its own.
        """
        found, why_not = [], dict.fromkeys(CONTROLLERS, "the kernel offers no such controller")
        for hierarchy in hierarchies():
            useful = hierarchy.controllers & {*CONTROLLERS, *ALSO}
            try:
                if hierarchy.version == 2:
                    delegate(hierarchy, moving=moving)
                _try(hierarchy)
            except OSError as error:
                for name in useful & {*CONTROLLERS}:
                    why_not[name] = f"{error.strerror}: {error.filename or hierarchy.own}"
                continue
            if useful or hierarchy.version == 2:
                found.append(hierarchy)
            for name in useful & {*CONTROLLERS}:
                del why_not[name]
        if len(why_not) == len(CONTROLLERS):
            raise NoCgroup(why_not[MEMORY])
        return cls(found, why_not)

    @property
    def version(self) -> str:
        """In which version limits are set, for people."""
        limiting = {each.version for each in self._hierarchies if each.controllers & self.limited}
        return " and ".join(f"v{version}" for version in sorted(limiting))

    def make(self, agent: str, limits: Limits) -> ContainerGroup:
        """Make the group of an agent's next container; raises OSError."""
        return self._make(agent, limits, is_parent=False)

    def make_parent(self, agent: str, _: Limits) -> ContainerGroup:
        """Make a group without limits in which a program makes those of a container; raises OSError."""
        return self._make(agent, None, is_parent=True)

    def _make(self, agent: str, limits: Limits | None, *, is_parent: bool) -> ContainerGroup:
        self._made += 1
        folders, memory, path = [], None, f"/{self._name}/{agent}-{self._made}"
        try:
            for hierarchy in self._hierarchies:
                parent = hierarchy.group(self._name, is_parent=is_parent)
                _folder(parent)
                if hierarchy.version == 2:
                    enable(parent, hierarchy.controllers & self.limited)
                folder = parent / f"{agent}-{self._made}"
                _folder(folder)
                folders.append(folder)
                for controller in hierarchy.controllers & self.limited:
                    if limits is not None:
                        set_limit(folder, hierarchy.version, controller, limits)
                    if controller == MEMORY:
                        memory, path = folder, f"/{folder.relative_to(hierarchy.top)}"
        except OSError:
            ContainerGroup(tuple(folders)).remove()
            raise
        others = [each.top for each in hierarchies() if is_parent and each.version == 1]
        also = [folder for top in others if (folder := top / path.lstrip("/")) not in folders]
        return ContainerGroup(tuple(folders), memory, path, is_parent, tuple(also))

    def sweep(self) -> None:
        """End and remove the groups of hosts that are gone."""
        for place in {place for each in hierarchies() for place in (each.own, each.top)}:
            with contextlib.suppress(OSError):
                for folder in place.iterdir():
                    if folder.is_dir() and _is_orphan(folder.name):
                        ContainerGroup((folder,)).kill()
                        remove_tree(folder)

    def close(self) -> None:
        """Remove the folder of this process' groups, unless one of them is in use."""
        for hierarchy in self._hierarchies:
            for place in {hierarchy.own, hierarchy.top}:
                with contextlib.suppress(OSError):
                    (place / self._name).rmdir()


def own_name() -> str:
    """The name of the folder of this process' groups: its PID namespace, itself, and when it began."""
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    return f"hive-{namespace}.{os.getpid()}.{began(os.getpid())}"


def remove_tree(folder: Path) -> None:
    """Remove a group with those below it, as soon as the kernel lets go of them."""
    until = time.monotonic() + END_SECONDS / 5
    for path in [Path(below) for below, _, _ in os.walk(folder, topdown=False)]:
        while path.exists():
            with contextlib.suppress(OSError):
                path.rmdir()
                break
            if time.monotonic() > until:
                return
            time.sleep(PAUSE)


def _folder(folder: Path) -> None:
    """Make a group that others may pass through, whatever the umask: the users of a container do when its groups are mounted."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)


def _try(hierarchy: Hierarchy) -> None:
    """Make and limit a group, and remove it; raises OSError."""
    folder = hierarchy.own / own_name()
    _folder(folder)
    trial = folder / "trial"
    try:
        if hierarchy.version == 2:
            enable(folder, hierarchy.controllers & {*CONTROLLERS})
        _folder(trial)
        for controller in hierarchy.controllers & {*CONTROLLERS}:
            set_limit(trial, hierarchy.version, controller, Limits())
    finally:
        remove_tree(trial)
        with contextlib.suppress(OSError):
            folder.rmdir()


def _is_orphan(name: str) -> bool:
    """Whether a folder is of a process of this PID namespace that has ended."""
    found = _NAME.fullmatch(name)
    if found is None or int(found[1]) != Path("/proc/self/ns/pid").stat().st_ino:
        return False
    return began(int(found[2])) != int(found[3])


def _below_all(top: Path) -> Iterator[str]:
    """A folder and all below it."""
    return (folder for folder, _, _ in os.walk(top))


def _count(text: str, name: str) -> int:
    return next((int(line.split()[1]) for line in text.splitlines() if line.split()[:1] == [name]), 0)
