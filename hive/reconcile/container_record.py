"""What the host writes down about a running container, for other processes: which process is its harness."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass

from hive.agent.processes import began
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.dir_handles import DirHandle, ForeignEntry

NAME = "container.json"


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """A container: its harness' process, when that began (in ticks since the machine's start), and its commit."""

    harness: int
    began: int
    sha: str

    @classmethod
    def load(cls, dirs: AgentDirs) -> ContainerRecord | None:
        """The record of a container that runs; None without one."""
        with contextlib.suppress(OSError, ValueError, TypeError, ForeignEntry):
            found = cls(**json.loads((dirs.root / NAME).read_text()))
            return found if began(int(found.harness)) == found.began else None
        return None

    @classmethod
    def save(cls, dirs: AgentDirs, harness: int, sha: str) -> None:
        """Write down which process is the harness; what a full disk does not take is left out."""
        with contextlib.suppress(OSError), DirHandle.at(dirs.root) as folder:
            folder.write(NAME, json.dumps(asdict(cls(harness, began(harness), sha))).encode())
