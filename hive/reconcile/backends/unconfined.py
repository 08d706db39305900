"""`sandbox: none`: agents are plain processes of the hive's own user, with its rights. Confines nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from hive.agent.launch import BARE
from hive.agent.sandbox import python
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.backends.backend import Command
from hive.reconcile.backends.bounds import Bounds
from hive.reconcile.backends.surroundings import first_below, harness, kill_tree, source, variables
from hive.reconcile.build import interpreter


@dataclass(frozen=True, slots=True)
class Unconfined:
    """No container: a process that can do all that the hive can."""

    name: str = "none"
    contained: bool = False
    has_groups: bool = False
    who: str = "as the hive's user, with all of its rights"

    @classmethod
    def find(cls) -> Unconfined:
        """It can be had everywhere."""
        return cls()

    def prepare(self, *_: object) -> bool:
        """The artifact is all that it needs."""
        return True

    def command(self, dirs: AgentDirs, sha: str, extra: Mapping[str, str], bounds: Bounds) -> Command:
        """A launcher that ends everything below the harness when it or this process ends."""
        places = map(str, (dirs.gens / sha, dirs.state, dirs.sockets))
        env = variables(*places, source=str(source()), bounds=bounds, extra=extra)
        options = [BARE, str(os.getpid()), "-1", str(os.getuid()), "--", "--"]
        launch = python("hive.agent.launch", interpreter=interpreter(), source=source())
        return Command([*launch, *options, *harness()], env)

    def harness(self, pid: int, _: AgentDirs, /) -> int | None:
        """The launcher, which passes the end on."""
        return first_below(pid)

    def kill(self, pid: int, _: AgentDirs, /) -> None:
        """Kill it and its descendants."""
        kill_tree(pid)

    def clean(self, _: AgentDirs, /) -> None:
        """It leaves nothing."""

    def forget(self, _: AgentDirs, /) -> None:
        """It keeps nothing."""

    def has_made(self, *_: object) -> bool:
        """It needs nothing but the artifact."""
        return True
