"""The hierarchies of cgroups that are mounted here, our place in them, and limits in the words of each version."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hive.agent.processes import descendants
from hive.config import Limits

MEMORY, CPUS, PROCESSES = "memory", "cpu", "pids"
"""The controllers that are used, by the kernel's names."""

CONTROLLERS = (MEMORY, CPUS, PROCESSES)

OURS = "hive-self"
"""The group into which the hive moves itself: in version 2 a group with limits for its children holds no process."""

PERIOD = 100_000
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted tree of groups, its controllers, and the folder of this process' group in it."""

    version: int
    controllers: frozenset[str]
    own: Path
    top: Path

    def group(self, name: str, *, is_parent: bool) -> Path:
        """The folder of a group of ours: below our own, or for one that others find by its path, where that is the same everywhere."""
        return (self.top if is_parent and self.version == 1 else self.own) / name


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
                found.setdefault(own, Hierarchy(2 if kind == "cgroup2" else 1, controllers, own, _top(point)))
    return [*found.values()]


def _below(point: str, root: str, path: str) -> Path | None:
    """The folder of a group; None if the mount does not show it."""
    if ".." in Path(path).parts or not Path(path).is_relative_to(root):
        return None
    own = _top(point) / Path(path).relative_to(root)
    return own.parent if own.name == OURS else own


def _top(point: str) -> Path:
    """Where a hierarchy is mounted; `mountinfo` writes blanks as numbers."""
    return Path(_OCTAL.sub(lambda found: chr(int(found[1], 8)), point))


def delegate(hierarchy: Hierarchy, *, moving: bool) -> None:
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
    enable(own, wanted)


def enable(folder: Path, controllers: frozenset[str]) -> None:
    """Let the groups below one have limits, in version 2; raises OSError."""
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


def set_limit(folder: Path, version: int, controller: str, limits: Limits) -> None:
    """Write the limit of one controller into a group; raises OSError."""
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


def _words(file: Path) -> frozenset[str]:
    with contextlib.suppress(OSError):
        return frozenset(file.read_text().split())
    return frozenset()


def _parent(pid: int) -> int:
    return int([*process_fields(pid), "", "0"][1])


def process_fields(pid: int) -> Iterator[str]:
    """The fields of a process from the third on; none if it has ended."""
    with contextlib.suppress(OSError):
        yield from Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
