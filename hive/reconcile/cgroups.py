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

from hive.agent.processes import descendants
from hive.config import Limits

MEMORY, CPUS, PROCESSES = "memory", "cpu", "pids"
"""The controllers that are used, by the kernel's names."""

CONTROLLERS = (MEMORY, CPUS, PROCESSES)
ALSO = ("name=systemd",)
"""A hierarchy without a controller, in which systemd-nspawn makes groups of its own beside the process that starts it."""

OURS = "hive-self"
"""The group into which the hive moves itself: in version 2 a group with limits for its children holds no process."""

PERIOD = 100_000
END_SECONDS = 10.0
PAUSE = 0.005
_NAME = re.compile(r"hive-(\d+)\.(\d+)\.(\d+)")
_OCTAL = re.compile(r"\\([0-7]{3})")


class NoCgroup(Exception):
    """No group can be made here; the message is the reason, for people."""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted tree of groups, its controllers, and the folder of this process' group in it."""

    version: int
    controllers: frozenset[str]
    own: Path


@dataclass(frozen=True, slots=True)
class ContainerGroup:
    """The group of one container, as its folder in each hierarchy; `memory` is the one that counts memory, if any does."""

    folders: tuple[Path, ...]
    memory: Path | None = None

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
        """How many processes the kernel killed because the group had no memory left."""
        events = self.memory_events
        with contextlib.suppress(OSError):
            return _count(events.read_text(), "oom_kill") if events else 0
        return 0

    def processes(self) -> set[int]:
        """All processes in the group and below, as this PID namespace numbers them."""
        found: set[int] = set()
        for top in self.folders:
            for folder, _, _ in os.walk(top):
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
        for folder in self.folders:
            remove_tree(folder)


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
                    _delegate(hierarchy, moving=moving)
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
        self._made += 1
        folders, memory = [], None
        try:
            for hierarchy in self._hierarchies:
                parent = hierarchy.own / self._name
                parent.mkdir(exist_ok=True)
                if hierarchy.version == 2:
                    _enable(parent, hierarchy.controllers & self.limited)
                folder = parent / f"{agent}-{self._made}"
                folder.mkdir()
                folders.append(folder)
                for controller in hierarchy.controllers & self.limited:
                    _limit(folder, hierarchy.version, controller, limits)
                    memory = folder if controller == MEMORY else memory
        except OSError:
            ContainerGroup(tuple(folders)).remove()
            raise
        return ContainerGroup(tuple(folders), memory)

    def sweep(self) -> None:
        """End and remove the groups of hosts that are gone."""
        for hierarchy in self._hierarchies:
            with contextlib.suppress(OSError):
                for folder in hierarchy.own.iterdir():
                    if folder.is_dir() and _is_orphan(folder.name):
                        ContainerGroup((folder,)).kill()
                        remove_tree(folder)

    def close(self) -> None:
        """Remove the folder of this process' groups, unless one of them is in use."""
        for hierarchy in self._hierarchies:
            with contextlib.suppress(OSError):
                (hierarchy.own / self._name).rmdir()


def hierarchies(groups: str | None = None, mounts: str | None = None) -> list[Hierarchy]:
    """The mounted hierarchies and our place in them: of `/proc/self/cgroup` and `/proc/self/mountinfo`, or of these texts."""
    groups = Path("/proc/self/cgroup").read_text() if groups is None else groups
    mounts = Path("/proc/self/mountinfo").read_text() if mounts is None else mounts
    places = {names: path for _, names, path in (line.split(":", 2) for line in groups.splitlines())}
    found: dict[Path, Hierarchy] = {}
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        root, point = before.split(" ")[3:5]
        kind, _, options = after.split(" ", 2)
        if kind not in {"cgroup", "cgroup2"}:
            continue
        names = next((each for each in places if each and {*each.split(",")} <= {*options.split(",")}), "")
        if kind == "cgroup2" or names:
            own = _below(point, root, places.get("" if kind == "cgroup2" else names, ".."))
            if own is not None:
                controllers = frozenset(names.split(",")) if names else _words(own / "cgroup.controllers")
                found.setdefault(own, Hierarchy(2 if kind == "cgroup2" else 1, controllers, own))
    return [*found.values()]


def own_name() -> str:
    """The name of the folder of this process' groups: its PID namespace, itself, and when it began."""
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    return f"hive-{namespace}.{os.getpid()}.{_began(os.getpid())}"


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


def _below(point: str, root: str, path: str) -> Path | None:
    """The folder of a group; None if the mount does not show it."""
    if ".." in Path(path).parts or not Path(path).is_relative_to(root):
        return None
    own = Path(_OCTAL.sub(lambda found: chr(int(found[1], 8)), point)) / Path(path).relative_to(root)
    return own.parent if own.name == OURS else own


def _try(hierarchy: Hierarchy) -> None:
    """Make and limit a group, and remove it; raises OSError."""
    folder = hierarchy.own / own_name()
    folder.mkdir(exist_ok=True)
    trial = folder / "trial"
    try:
        if hierarchy.version == 2:
            _enable(folder, hierarchy.controllers & {*CONTROLLERS})
        trial.mkdir(exist_ok=True)
        for controller in hierarchy.controllers & {*CONTROLLERS}:
            _limit(trial, hierarchy.version, controller, Limits())
    finally:
        remove_tree(trial)
        with contextlib.suppress(OSError):
            folder.rmdir()


def _delegate(hierarchy: Hierarchy, *, moving: bool) -> None:
    """Let the children of our group have limits: for that, it may hold no process itself. Raises OSError."""
    wanted = hierarchy.controllers & {*CONTROLLERS}
    own = hierarchy.own
    if wanted <= _words(own / "cgroup.subtree_control"):
        return
    if (own / "cgroup.type").exists():  # the root of all groups has none, and may hold processes
        here = {*map(int, (own / "cgroup.procs").read_text().split())}
        if here - _family(here) or not moving:
            raise OSError(0, "other processes share the group", str(own))
        (own / OURS).mkdir(exist_ok=True)
        for pid in here:
            with contextlib.suppress(ProcessLookupError):
                (own / OURS / "cgroup.procs").write_text(str(pid))
    _enable(own, wanted)


def _enable(folder: Path, controllers: frozenset[str]) -> None:
    missing = controllers - _words(folder / "cgroup.subtree_control")
    if missing:
        (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in sorted(missing)))


def _family(here: set[int]) -> set[int]:
    """This process, its ancestors in a group, and all that descends from the first of these."""
    top = os.getpid()
    family = {top}
    while (parent := _parent(top)) in here:
        top = parent
        family.add(top)
    return family | {*descendants(top)}


def _limit(folder: Path, version: int, controller: str, limits: Limits) -> None:
    memory, quota = str(limits.memory_mb << 20), str(int(limits.cpus * PERIOD))
    if version == 2:
        settings = {
            MEMORY: [("memory.max", memory)],
            PROCESSES: [("pids.max", str(limits.processes))],
            CPUS: [("cpu.max", f"{quota} {PERIOD}")],
        }
        also = ("memory.swap.max", "0")
    else:
        settings = {
            MEMORY: [("memory.limit_in_bytes", memory)],
            PROCESSES: [("pids.max", str(limits.processes))],
            CPUS: [("cpu.cfs_period_us", str(PERIOD)), ("cpu.cfs_quota_us", quota)],
        }
        also = ("memory.memsw.limit_in_bytes", memory)
    for name, value in settings[controller]:
        (folder / name).write_text(value)
    if controller == MEMORY:
        with contextlib.suppress(OSError):  # a kernel that does not count swap
            (folder / also[0]).write_text(also[1])


def _is_orphan(name: str) -> bool:
    """Whether a folder is of a process of this PID namespace that has ended."""
    found = _NAME.fullmatch(name)
    if found is None or int(found[1]) != Path("/proc/self/ns/pid").stat().st_ino:
        return False
    return _began(int(found[2])) != int(found[3])


def _stat(pid: int) -> Iterator[str]:
    """The fields of a process from the third on; none if it has ended."""
    with contextlib.suppress(OSError):
        yield from Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _began(pid: int) -> int:
    """When a process began, in ticks since the start of the machine; -1 if it has ended."""
    fields = [*_stat(pid)]
    return int(fields[19]) if fields and fields[0] != "Z" else -1


def _parent(pid: int) -> int:
    return int([*_stat(pid), "", "0"][1])


def _words(file: Path) -> frozenset[str]:
    with contextlib.suppress(OSError):
        return frozenset(file.read_text().split())
    return frozenset()


def _count(text: str, name: str) -> int:
    return next((int(line.split()[1]) for line in text.splitlines() if line.split()[:1] == [name]), 0)
