"""What a container may use, and whether something in it was killed for using more. Enforces nothing.

The kernel counts in the container's cgroup, and the host shows that file; where there is no cgroup, and for the
disk, the host counts itself, in files of the same form.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

EVENTS = "memory.events"
"""The file beside the sockets with the line `oom_kill N`."""

DISK_EVENTS = "disk.events"
"""The file beside the sockets with the line `disk_kill N`."""

VARIABLE = "HIVE_LIMITS"
KILLED = (-9, 137)
"""How a command ends that was killed, or whose last process was."""
SHELLS_WORD = "Killed"
"""What a shell prints of a process that was killed before its last one."""
LATE_SECONDS = 10.0
PAUSE = 0.1

MEMORY_KILL = "killed: memory limit of {memory} MB"
DISK_KILL = "killed: disk limit of {disk} MB for work trees and home; delete what is not needed"


@dataclass(frozen=True, slots=True)
class KillCounts:
    """How many processes of the container were killed so far, by reason."""

    memory: int = 0
    disk: int = 0


@dataclass(frozen=True, slots=True)
class ContainerLimits:
    """The limits that the host told; without any, nothing is known and nothing is said."""

    sockets: Path
    memory: int = 0
    disk: int = 0
    is_counted: bool = True
    """Whether the kernel counts at once; if the host does, its count may be late."""

    @classmethod
    def of(cls, env: Mapping[str, str]) -> ContainerLimits:
        """The limits of the environment."""
        said = dict(word.split("=", 1) for word in env.get(VARIABLE, "").split())
        sockets = Path(env.get("HIVE_SOCKETS", "/run/hive"))
        return cls(sockets, int(said.get("memory_mb", 0)), int(said.get("disk_mb", 0)), said.get("counted") == "1")

    def counts(self) -> KillCounts:
        """What was counted until now."""
        return KillCounts(_count(self.sockets / EVENTS, "oom_kill"), _count(self.sockets / DISK_EVENTS, "disk_kill"))

    def since(self, before: KillCounts, status: int | None = 0, output: str = "") -> str:
        """Why something was killed since then, for the model; empty if nothing was.

        `status` and `output` are those of a command: if they speak of a kill, a count that may be late is waited for.
        """
        now, until = self.counts(), time.monotonic() + LATE_SECONDS
        was_killed = status in KILLED or SHELLS_WORD in output
        while now == before and was_killed and self.memory and not self.is_counted and time.monotonic() < until:
            time.sleep(PAUSE)
            now = self.counts()
        said = [MEMORY_KILL.format(memory=self.memory)] if now.memory > before.memory else []
        said += [DISK_KILL.format(disk=self.disk)] if now.disk > before.disk else []
        return "; ".join(said)


def as_variable(memory: int, disk: int, *, is_counted: bool) -> str:
    """The value of the variable that tells a harness its limits."""
    return f"memory_mb={memory} disk_mb={disk} counted={int(is_counted)}"


def own() -> ContainerLimits:
    """The limits of this process' container."""
    return ContainerLimits.of(os.environ)


def _count(file: Path, name: str) -> int:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.split()[:1] == [name]), 0)
