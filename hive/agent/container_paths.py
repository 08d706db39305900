"""Where a container has its sockets, its configuration and its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hive.agent.directory_trees import ensure_directory
from hive.agent.sandbox import NONE, Sandbox


@dataclass(frozen=True, slots=True)
class ContainerPaths:
    """The paths of a container: sockets, built configuration, persistent state; and its sandbox."""

    sockets: Path
    config: Path
    state: Path
    sandbox: Sandbox = NONE

    @classmethod
    def of(cls, env: Mapping[str, str]) -> ContainerPaths:
        """The place that the environment names; the variables are in `docs/harness.md`."""
        sockets = Path(env.get("HIVE_SOCKETS", "/run/hive"))
        state = Path(env.get("HIVE_STATE", "/agent/state"))
        sandbox = Sandbox.found((sockets, state), state / "home")
        return cls(sockets, Path(env.get("HIVE_CONFIG", "/agent/config")), state, sandbox)

    def prepare(self) -> None:
        """Make what is missing below `state`, or was put in its place by a command of an earlier turn."""
        for folder in (self.state, self.state / "home", self.state / "runs"):
            ensure_directory(folder)

    def folder(self, run: int) -> Path:
        """The directory of a run."""
        return ensure_directory(ensure_directory(self.state / "runs") / str(run))

    @property
    def forge(self) -> Path:
        """The broker's socket."""
        return self.sockets / "forge.sock"

    @property
    def model(self) -> Path:
        """The model gateway's socket."""
        return self.sockets / "model.sock"
