"""What one container may use: the limits of `hive.yaml`, and the group that enforces them, if there is one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hive.agent.limits import EVENTS, as_variable
from hive.config import Limits
from hive.reconcile.cgroup_hierarchies import MEMORY
from hive.reconcile.cgroups import ContainerGroup

TMP_BYTES = 1 << 30
SHM_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of one container; without a group they hold for each process alone, and the host looks at the sum."""

    limits: Limits
    group: ContainerGroup | None = None
    limited: frozenset[str] = frozenset()

    @property
    def tmp(self) -> int:
        """Bytes of `/tmp`, which are memory: less than half of what there is."""
        return min(TMP_BYTES, (self.limits.memory_mb << 20) // 2)

    @property
    def shm(self) -> int:
        """Bytes of `/dev/shm`."""
        return min(SHM_BYTES, (self.limits.memory_mb << 20) // 8)

    def end(self) -> None:
        """End what is left in the group, and remove it."""
        if self.group is not None:
            self.group.kill()
            self.group.remove()

    @property
    def rlimits(self) -> str:
        """What `hive.agent.enter` sets for each process, as it reads it."""
        said = {"NPROC": self.limits.processes, "FSIZE": self.limits.disk_mb << 20}
        if MEMORY not in self.limited:
            said["DATA"] = self.limits.memory_mb << 20
        return ",".join(f"{name}={value}" for name, value in said.items())

    @property
    def variable(self) -> str:
        """What the harness is told of them."""
        return as_variable(self.limits.memory_mb, self.limits.disk_mb, is_counted=bool(self.events(Path())))

    def events(self, sockets: Path) -> list[tuple[str, str]]:
        """Which files of the host to bind read-only over which ones in the container, by their full names on the host."""
        found = self.group.memory_events if self.group is not None and not self.group.is_parent else None
        return [(str(found), str(sockets / EVENTS))] if found is not None else []
