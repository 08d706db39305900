"""What a backend is: how containers are made, told to end, and ended. Makes none itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hive.git_mirror.mirror import Mirror
from hive.ledger import Generation
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.backends.bounds import Bounds


class NoBackend(Exception):
    """A backend cannot be had on this machine; the message is the reason, for people."""


@dataclass(frozen=True, slots=True)
class Command:
    """What starts a container: an argument list, and the whole environment of it."""

    words: list[str]
    env: dict[str, str]


class Backend(Protocol):
    """One way to make the containers of this host."""

    @property
    def name(self) -> str:
        """The value of `sandbox` in `hive.yaml`."""

    @property
    def contained(self) -> bool:
        """Whether agents are confined at all."""

    @property
    def who(self) -> str:
        """Which user of the host an agent is, as the end of a sentence."""

    @property
    def has_groups(self) -> bool:
        """Whether it makes groups of its own with the limits, below the one that it is given."""

    def prepare(self, dirs: AgentDirs, sha: Generation, mirror: Mirror, packages: Sequence[str], /) -> bool:
        """Make what a container of an artifact needs beside it; False while that goes on. It may be asked again.

        What `mirror` knows is the commit of the artifact; `packages` are those of its base and its own.

        Raises BuildFailed, GitError and OSError.
        """

    def command(self, dirs: AgentDirs, sha: str, extra: Mapping[str, str], bounds: Bounds) -> Command:
        """What starts an agent's harness from an artifact; see `surroundings.starter` for what comes before it.

        It is started as a member of the group of `bounds`. `extra` are variables that the agent declared. Raises OSError if its directories cannot be used.
        """

    def harness(self, pid: int, dirs: AgentDirs, /) -> int | None:
        """The process of the harness in the container that a process started; None if it is not there yet."""

    def kill(self, pid: int, dirs: AgentDirs, /) -> None:
        """End everything in the container that a process started, at once, and that process."""

    def clean(self, dirs: AgentDirs, /) -> None:
        """Take away what a container that has ended left on this machine, also one of an earlier host."""

    def forget(self, dirs: AgentDirs, /) -> None:
        """Take away what this machine keeps of an agent's containers when there will be no more of them. It may be asked again; raises OSError."""

    def has_made(self, dirs: AgentDirs, sha: str, /) -> bool:
        """Whether what `prepare` makes for a commit is there."""
