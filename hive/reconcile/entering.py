"""Puts a process into a running container, with the rights of who owns its namespaces, and there into a shell.

Performs the part that no `nsenter` can: where a user made the container, its namespaces belong to a chain of user
namespaces, and each can be entered only from the one above it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hive.agent import syscalls
from hive.agent.enter import AGENT, INSIDE, KEPT
from hive.agent.sandbox import python
from hive.reconcile.build import interpreter
from hive.reconcile.cgroup_hierarchies import hierarchies

NS_GET_PARENT = 0xB702
"""`ioctl_ns(2)`."""
KINDS = ("cgroup", "ipc", "uts", "net", "pid", "mnt")
"""The namespaces of a container beside its users; the mounts last, as the others are found by paths."""


class CannotEnter(Exception):
    """A container cannot be entered; the message is the reason, for people."""


def enter(harness: int, command: list[str], env: Mapping[str, str], rlimits: str) -> int:
    """Run a command in the container of a harness, confined as its commands are; returns the exit status.

    It reads and writes what this process does. Raises CannotEnter.
    """
    shell = _shell(harness, command, rlimits)
    child = os.fork()
    if not child:
        status = 1
        try:
            status = _inside(shell, env)
        except OSError as error:
            os.write(2, f"the container cannot be entered: {error}\n".encode())
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256


@dataclass(frozen=True, slots=True)
class _Shell:
    """What becomes a shell in a container: the process of its harness, the user and capabilities of that, and the words."""

    harness: int
    uid: int
    kept: tuple[int, ...]
    words: list[str]


def _shell(harness: int, command: list[str], rlimits: str) -> _Shell:
    """How to become a shell in a container; raises CannotEnter for one that has ended."""
    try:
        lines = Path(f"/proc/{harness}/status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        has_users = _id(harness, "user") != _id(os.getpid(), "user")
    except OSError as error:
        raise CannotEnter("it has ended") from error
    uid = AGENT if has_users else int(status["Uid"].split()[0])
    kept = tuple(KEPT.values()) if int(status["CapEff"], 16) else ()
    if not has_users and os.geteuid() != 0:
        raise CannotEnter("a setuid bubblewrap made it, and only root could enter it")
    words = python("hive.agent.operator_shell", interpreter=interpreter(), source=Path(INSIDE))
    return _Shell(harness, uid, kept, [*words, rlimits, *command])


def _inside(shell: _Shell, env: Mapping[str, str]) -> int:
    """Join everything and become the shell, as a child: a PID namespace is entered by the next one."""
    _join_groups(shell.harness)
    _join_namespaces(shell.harness)
    os.chdir("/")
    child = os.fork()
    if not child:
        try:
            syscalls.drop_bounding(shell.kept)
            if os.getuid() != shell.uid:
                os.setgroups([])
                os.setresgid(shell.uid, shell.uid, shell.uid)
                os.setresuid(shell.uid, shell.uid, shell.uid)
            syscalls.hold(shell.kept)
            os.execve(shell.words[0], shell.words, dict(env))  # noqa: S606
        finally:
            os._exit(127)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256


def _join_groups(harness: int) -> None:
    """Count for the container's limits."""
    for hierarchy in hierarchies(Path(f"/proc/{harness}/cgroup").read_text()):
        if any(part.startswith("hive-") for part in hierarchy.own.parts):
            with contextlib.suppress(OSError):
                (hierarchy.own / "cgroup.procs").write_text(str(os.getpid()))


def _join_namespaces(harness: int) -> None:
    """Enter the chain of user namespaces from the outermost on, and in each the others that it owns."""
    mine = os.getpid()
    others = {kind: _open(harness, kind) for kind in KINDS if _id(harness, kind) != _id(mine, kind)}
    chain = []
    if _id(harness, "user") != (own := _id(mine, "user")):
        user = _open(harness, "user")
        while os.fstat(user).st_ino != own:
            chain.append(user)
            user = fcntl.ioctl(user, NS_GET_PARENT)
    _join(others)
    for user in reversed(chain):
        syscalls.setns(user, syscalls.CLONE_NEWUSER)
        _join(others)
    if others:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM), f"the container's {', '.join(others)}")


def _join(others: dict[str, int]) -> None:
    """Enter the namespaces that may be entered from here, and forget them."""
    for kind in list(others):
        try:
            syscalls.setns(others[kind], 0)
        except PermissionError:
            continue
        del others[kind]


def _open(pid: int, kind: str) -> int:
    return os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)


def _id(pid: int, kind: str) -> int:
    return Path(f"/proc/{pid}/ns/{kind}").stat().st_ino
