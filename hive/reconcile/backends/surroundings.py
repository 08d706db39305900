"""What every container holds beside its agent's files: the harness, its Python, its variables, its way to the host's death."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import hive.agent
from hive.agent.enter import INSIDE
from hive.agent.processes import descendants
from hive.agent.sandbox import python
from hive.reconcile.build import interpreter

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/alternatives", "/etc/ld.so.cache", "/nix/store")
"""What commands need of the host, read-only; links of it stay links."""

CONFIG, STATE, SOCKETS = "/agent/config", "/agent/state", "/run/hive"
"""Where the directories of an agent are in a container."""

_WITH_PARENT = """\
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""
"""Runs a command that the kernel kills with its parent (1 is PR_SET_PDEATHSIG), unless that is gone already."""


def with_parent() -> list[str]:
    """The words before a command that is to be killed with this process."""
    return [sys.executable, "-I", "-S", "-c", _WITH_PARENT, str(os.getpid())]


def harness() -> list[str]:
    """The argument list of the harness."""
    return [interpreter(), "-P", "-m", "hive.agent"]


def entry(kind: str, uid: int) -> list[str]:
    """The argument list before that of the harness, which confines it from within: see `hive.agent.enter`."""
    return [*python("hive.agent.enter", interpreter=interpreter(), source=Path(INSIDE)), kind, str(uid)]


def variables(config: str, state: str, sockets: str, source: str, extra: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a harness; no variable that an agent declared replaces one of ours."""
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


def within(extra: Mapping[str, str]) -> dict[str, str]:
    """The same in a container, where the directories have their own names."""
    return variables(CONFIG, STATE, SOCKETS, INSIDE, extra)


def source() -> Path:
    """The directory that holds `hive/agent`."""
    return Path(hive.agent.__path__[0]).resolve().parent.parent


def system() -> list[Path]:
    """The directories and files of `SYSTEM` that there are, and the Python of this process if it lies elsewhere."""
    prefix = Path(interpreter()).parent.parent
    shared = [*SYSTEM, *([str(prefix)] if not prefix.is_relative_to("/usr") else [])]
    return [path for path in map(Path, shared) if path.is_symlink() or path.exists()]


def first_below(pid: int, *, except_for: str = "") -> int | None:
    """The first process, from one on downward, that does not have a name; None without one."""
    for found in (pid, *descendants(pid)):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{found}/comm").read_text().strip() != except_for:
                return found
    return None


def kill_tree(pid: int) -> None:
    """Kill a process and all that descends from it."""
    for found in (*descendants(pid), pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(found, signal.SIGKILL)
