"""How this host enforces the limits of containers: by cgroups where it can make them, and what is left without."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from hive.config import Limits
from hive.reconcile.backends.bounds import Bounds
from hive.reconcile.cgroup_hierarchies import CPUS, MEMORY, PROCESSES
from hive.reconcile.cgroups import Cgroups, NoCgroup

LACKING = {
    MEMORY: "memory is limited for each process, and the host looks at the sum",
    PROCESSES: "processes are limited for each user in a container",
    CPUS: "CPU time is not limited",
}
"""What holds where a controller does not."""

REPORT = "limits.json"
"""The file in the state directory in which a host writes down what it found."""

FIX = "run the hive as root, or as a systemd service with Delegate=yes"


@dataclass(frozen=True, slots=True)
class Limiter:
    """The limits of `hive.yaml`, and the groups that enforce them; `why_not` is why there are none.

    `by_unit` is whether the service manager enforces them, by the unit of each container, and not this process.
    """

    limits: Limits
    groups: Cgroups | None = None
    why_not: str = ""
    by_unit: bool = False

    @classmethod
    def find(cls, limits: Limits, *, moving: bool = True, by_unit: bool = False) -> Limiter:
        """Probe what this process can have; it moves itself into a group below its own only if it may."""
        try:
            return cls(limits, Cgroups.find(moving=moving), by_unit=by_unit)
        except NoCgroup as error:
            return cls(limits, None, str(error), by_unit)

    def bounds(self, agent: str, *, has_groups: bool = False) -> Bounds:
        """The bounds of an agent's next container, whose backend may have groups of its own; raises OSError."""
        if self.groups is None:
            return Bounds(self.limits)
        make = self.groups.make_parent if has_groups else self.groups.make
        return Bounds(self.limits, make(agent, self.limits), self.groups.limited)

    def holding(self) -> str:
        """The limits and what enforces them, as a sentence's end."""
        limits = self.limits
        how = f"cgroups {self.groups.version}" if self.groups is not None else "each process' own limits"
        how = "the systemd unit of its container" if self.by_unit else how
        return (
            f"{limits.memory_mb} MB of memory, {limits.cpus:g} CPUs, {limits.processes} processes, by {how};"
            f" {limits.disk_mb} MB of disk, by a look every few seconds"
        )

    def lacking(self) -> list[str]:
        """What cannot be limited as it should be, and why."""
        if self.by_unit:
            return []
        why = dict.fromkeys(LACKING, self.why_not) if self.groups is None else self.groups.why_not
        return [f"{what} ({why[name]})" for name, what in LACKING.items() if name in why]

    def save(self, file: Path) -> None:
        """Write down what this process found, for `hive doctor`: in another process' place that may be different."""
        draft = file.with_name(f".{file.name}.new")
        text = json.dumps({"pid": os.getpid(), "holding": self.holding(), "lacking": self.lacking()})
        with contextlib.suppress(OSError):
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as written:
                written.write(text + "\n")
            draft.replace(file)

    def close(self) -> None:
        """Remove what is left of the groups."""
        if self.groups is not None:
            self.groups.close()


@dataclass(frozen=True, slots=True)
class LimitsReport:
    """What a running host found: how limits are enforced, and which ones are not, with the reasons."""

    holding: str
    lacking: tuple[str, ...]

    @classmethod
    def of(cls, limits: Limits, file: Path, *, by_unit: bool = False) -> LimitsReport:
        """The report of the host that runs now; without one, what this process itself could have, changing nothing."""
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            found = json.loads(file.read_text())
            os.kill(int(found["pid"]), 0)
            return cls(str(found["holding"]), tuple(map(str, found["lacking"])))
        limiter = Limiter.find(limits, moving=False, by_unit=by_unit)
        return cls(limiter.holding(), tuple(limiter.lacking()))
