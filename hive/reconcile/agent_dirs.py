"""The directories of one agent on the host. Makes them; never looks into what belongs to the agent."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from hive.reconcile.dir_handles import DirHandle


@dataclass(frozen=True, slots=True)
class AgentDirs:
    """The directories of one agent on the host."""

    name: str
    root: Path

    @property
    def gens(self) -> Path:
        """Artifacts, one directory for each commit."""
        return self.root / "gens"

    @property
    def state(self) -> Path:
        """What survives every rebuild."""
        return self.root / "state"

    @property
    def sockets(self) -> Path:
        """The two sockets of the container."""
        return self.root / "run"

    @property
    def current(self) -> Path:
        """The link to the artifact that the container starts from."""
        return self.root / "current"

    def pointed(self) -> str:
        """The commit that `current` points to; empty without one."""
        with contextlib.suppress(OSError):
            return self.current.readlink().name
        return ""

    def built(self) -> frozenset[str]:
        """The commits whose artifacts exist."""
        if not self.gens.is_dir():
            return frozenset()
        return frozenset(path.name for path in self.gens.iterdir() if not path.name.startswith("."))

    def point(self, sha: str) -> None:
        """Switch the link in one step of the file system."""
        draft = self.root / ".current.new"
        draft.unlink(missing_ok=True)
        draft.symlink_to(Path("gens") / sha)
        draft.replace(self.current)

    def prepare(self) -> None:
        """Create the directories; only the hive may enter them.

        Nothing is created below `state`, which belongs to the agent: the harness does that from within.
        """
        with DirHandle.at(self.root) as root:
            for directory in (self.gens, self.state, self.sockets):
                with root.folder(directory.name):
                    pass
