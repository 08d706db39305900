"""What every container holds beside its agent's files: the harness, its Python, its variables, its way to the host's death."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import hive.agent
from hive.agent.enter import INSIDE
from hive.agent.limits import VARIABLE
from hive.agent.processes import began, descendants
from hive.agent.sandbox import python
from hive.reconcile.backends.bounds import Bounds
from hive.reconcile.build import interpreter

AGENTS_UMASK = 0o022
"""Agents make files as people do: their directory lies below one that only the hive can enter."""

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/alternatives", "/etc/ld.so.cache", "/nix/store")
"""What commands need of the host, read-only; links of it stay links."""

CONFIG, STATE, SOCKETS = "/agent/config", "/agent/state", "/run/hive"
"""Where the directories of an agent are in a container."""

KILL_SECONDS, KILL_PAUSE = 5.0, 0.002
"""How long what is killed is looked at for further processes, and between two looks: dead ones count as gone."""

_STARTER = """\
import ctypes, os, sys
parent, *words = sys.argv[1:]
end = words.index("--")
for file in words[:end]:
    with open(file, "w") as group:
        group.write(str(os.getpid()))
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == int(parent):
    os.execvp(words[end + 1], words[end + 1:])
"""
"""Joins groups and becomes a command that the kernel kills with its parent (1 is PR_SET_PDEATHSIG), unless that is gone already."""


def starter(bounds: Bounds) -> list[str]:
    """The words before a command that is to be limited, and to be killed with the thread that starts it."""
    files = bounds.group.joined_by if bounds.group is not None else []
    return [sys.executable, "-I", "-S", "-c", _STARTER, str(os.getpid()), *files, "--"]


def harness(runs_on: str = "") -> list[str]:
    """The argument list of the harness; it needs no site-packages, whose hooks would cost it a third of its start.

    `runs_on` is the Python of a container that does not see this host's.
    """
    return [runs_on or interpreter(), "-S", "-P", "-m", "hive.agent"]


def entry(kind: str, uid: int, bounds: Bounds, variables: Sequence[str] = (), *, runs_on: str = "") -> list[str]:
    """The argument list before that of the harness, which confines it from within: see `hive.agent.enter`."""
    enter = python("hive.agent.enter", interpreter=runs_on or interpreter(), source=Path(INSIDE))
    return [*enter, kind, str(uid), bounds.rlimits, *variables, "--"]


def variables(
    config: str, state: str, sockets: str, *, source: str, bounds: Bounds, extra: Mapping[str, str]
) -> dict[str, str]:
    """The whole environment of a harness; no variable that an agent declared replaces one of ours."""
    return {
        **extra,
        VARIABLE: bounds.variable,
        "HIVE_CONFIG": config,
        "HIVE_STATE": state,
        "HIVE_SOCKETS": sockets,
        "HOME": f"{state}/home",
        "LANG": "C.UTF-8",
        "PATH": f"{config}/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": source,
    }


def within(bounds: Bounds, extra: Mapping[str, str]) -> dict[str, str]:
    """The same in a container, where the directories have their own names."""
    return variables(CONFIG, STATE, SOCKETS, source=INSIDE, bounds=bounds, extra=extra)


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


def namespace_of(pid: int) -> str | None:
    """The PID namespace of a process; None if it has ended or may not be looked at."""
    with contextlib.suppress(OSError):
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    return None


def is_first_of_its_namespace(pid: int) -> bool:
    """Whether a process is the first one of another PID namespace than ours."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        numbers = next((line.split()[1:] for line in lines if line.startswith("NSpid:")), [])
        return len(numbers) > 1 and numbers[-1] == "1"
    return False


def kill_tree(pid: int) -> None:
    """Kill a process and all that descends from it; of one that has ended nothing descends.

    It is stopped first and goes last: what others start in the meantime comes to it, if it is a subreaper, and cannot be
    left behind, and it starts nothing itself.
    """
    if began(pid) < 0:
        return
    _send(pid, signal.SIGSTOP)
    until = time.monotonic() + KILL_SECONDS
    while (found := descendants(pid)) and time.monotonic() < until:
        for each in found:
            _send(each, signal.SIGKILL)
        time.sleep(KILL_PAUSE)
    _send(pid, signal.SIGKILL)


def kill_those_of(place: Path) -> None:
    """Kill all processes with a path below a directory among their arguments, and what descends from them."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{place}/".encode() in (entry / "cmdline").read_bytes() and int(entry.name) != os.getpid():
                kill_tree(int(entry.name))


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
