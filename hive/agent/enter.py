"""The last step into a container: sets the user, the system call filter and the limits of the harness.

Runs once, in what the backend made, and becomes the harness:

python -I -S -c … KIND UID RLIMITS VARIABLE=VALUE … -- COMMAND …

`USERS`      bubblewrap made a user namespace of one user, the hive's own
`RANGE`      root started it: a user namespace of two host users that nobody else has, UID and the next
`DEDICATED`  root started it where user namespaces are forbidden: the host user UID, and no capability
`PLAIN`      a bubblewrap that is setuid: the hive's own user, and no capability
`MAPPED`     root started a backend that made a user namespace, in which the same two users are `AGENT` and `TOOLS`

With any VARIABLE, these are the whole environment. RLIMITS are limits of each process, as `NPROC=256,FSIZE=4294967296`. Fails closed: a step that fails ends the process
before the harness runs. The last thing that it does is to print `READY`.
"""

from __future__ import annotations

import os
import resource
import sys

from hive.agent import seccomp, syscalls

USERS, RANGE, DEDICATED, PLAIN, MAPPED = "users", "range", "dedicated", "plain", "mapped"
AGENT, TOOLS = 1000, 1001
"""The user of the harness and that of its commands, as both see it; the second in a `RANGE` and where it is `MAPPED`."""

INSIDE = "/opt/hive"
"""Where the source of the harness lies in a container."""

KEPT = {
    "CAP_CHOWN": 0,
    "CAP_DAC_OVERRIDE": 1,
    "CAP_FOWNER": 3,
    "CAP_SETGID": 6,
    "CAP_SETUID": 7,
    "CAP_SETPCAP": 8,
    "CAP_SYS_ADMIN": 21,
}
"""The harness' capabilities in its own user namespace, to confine each command; commands have none."""

READY = "hive: the container is set up"
"""The line that tells the host that the harness begins; without it, the container never started."""

READ_ONLY = ("bus", "fs", "irq", "sys", "sysrq-trigger")
MASKED = (
    *("acpi", "asound", "kcore", "keys", "kmsg", "latency_stats", "sched_debug", "scsi", "timer_list", "timer_stats"),
)
"""What container runtimes show of /proc for reading only, and not at all (OCI runtime, `defaultReadonlyPaths`)."""

SIGKILL = 9
"""Importing `signal` takes as long as everything else."""

_PROC = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC


def main() -> None:
    """Confine this process and become the command."""
    kind, first, rlimits, *rest = sys.argv[1:]
    uid, end = int(first), rest.index("--")
    given, command = dict(word.split("=", 1) for word in rest[:end]), rest[end + 1 :]
    env = given or dict(os.environ)
    state = env["HIVE_STATE"]
    if kind == RANGE:
        own(state, uid, uid + 1)
        _enter_range(uid)
    elif kind == USERS:
        syscalls.unshare(syscalls.CLONE_NEWNS)
    if kind in (RANGE, USERS, MAPPED):
        if kind == MAPPED:
            _tidy()
        forbid_user_namespaces()
        mask_proc()
        syscalls.drop_bounding(KEPT.values())
        if kind == MAPPED:
            syscalls.prctl(syscalls.PR_SET_KEEPCAPS, 1)
            _become(AGENT)
        syscalls.hold(KEPT.values())
    elif kind == DEDICATED:
        own(state, uid, uid)
        mask_proc()
        syscalls.drop_bounding(())
        _become(uid)
        syscalls.hold(())
    limit(rlimits)
    syscalls.filter_calls(seccomp.program(seccomp.CONTAINER))
    if kind == MAPPED:  # bubblewrap sees to it for the others
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, SIGKILL)
    os.write(1, f"{READY}\n".encode())
    os.execve(command[0], command, env)


def forbid_user_namespaces() -> None:
    """Let no process of this user namespace make another one, whatever the filter lets through (`user_namespaces(7)`).

    The harness needs mount and PID namespaces for its commands, and no user namespace: what bubblewrap calls `--disable-userns`.
    """
    try:
        with open("/proc/sys/user/max_user_namespaces", "w", encoding="ascii") as file:
            file.write("0")
    except OSError:  # a kernel without the setting, or a /proc that is masked: the filter denies them to commands
        return


def mount_proc() -> None:
    """Mount a /proc of this process' own PID namespace."""
    syscalls.mount("proc", "/proc", "proc", _PROC)


def mask_proc() -> None:
    """Hide what /proc shows of the host, and make what would change it read-only."""
    syscalls.mount("", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    for name in MASKED:
        path = f"/proc/{name}"
        if os.path.isdir(path):
            syscalls.mount("tmpfs", path, "tmpfs", syscalls.MS_RDONLY | _PROC, "size=4k")
        elif os.path.exists(path):
            syscalls.mount("/dev/null", path, flags=syscalls.MS_BIND)
    for name in READ_ONLY:
        path = f"/proc/{name}"
        if os.path.exists(path):
            syscalls.mount(path, path, flags=syscalls.MS_BIND | syscalls.MS_REC)
            syscalls.mount("", path, flags=syscalls.MS_BIND | syscalls.MS_REMOUNT | syscalls.MS_RDONLY | _PROC)


def _enter_range(first: int) -> None:
    """Change from the host's root to two host users without rights, in a user namespace of their own.

    The kernel lets no namespace mount a /proc that has seen only a covered one, and bubblewrap covers parts
    of it when it is root (`mount_too_revealing` in fs/namespace.c): so a whole one is mounted before.
    """
    mount_proc()
    ready, go = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(go)
        os.read(ready, 1)
        for ids in ("uid_map", "gid_map"):
            with open(f"/proc/{parent}/{ids}", "wb") as file:
                file.write(f"{AGENT} {first} 1\n{TOOLS} {first + 1} 1\n".encode())
        os._exit(0)
    syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS)
    os.close(ready)
    os.close(go)
    if os.waitpid(child, 0)[1] != 0:
        raise SystemExit(f"the users {first} and {first + 1} cannot be mapped")
    _become(AGENT)


def own(state: str, harness: int, tools: int, *, at: int | None = None) -> None:
    """Give what survives to its users, if it is not theirs yet: its directory was made by root, or all of it by an older hive.

    `at` is a handle of the directory below which `state` is, if it is not named in full.
    """
    home = f"{state}/home"
    if os.stat(state, dir_fd=at).st_uid == harness and _owner(home, at) in (None, tools):
        return
    for folder, folders, files, handle in os.fwalk(state, dir_fd=at):
        parts = os.path.relpath(folder, state).split("/")
        for name in (*folders, *files):
            below = [part for part in (*parts, name) if part != "."]
            owner = tools if below[0] == "home" or len(below) > 3 or (len(below) == 3 and name in folders) else harness
            os.chown(name, owner, owner, dir_fd=handle, follow_symlinks=False)
    os.chown(state, harness, harness, dir_fd=at)


def _owner(path: str, at: int | None) -> int | None:
    try:
        return os.stat(path, dir_fd=at, follow_symlinks=False).st_uid
    except FileNotFoundError:
        return None


def _tidy() -> None:
    """Cover what a backend shows and nobody needs: devices, cgroups, its own notes on the container, a /proc with masks of its own."""
    syscalls.mount("", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    mount_proc()
    for place in ("/sys", "/run/host"):
        if os.path.isdir(place):
            syscalls.mount("tmpfs", place, "tmpfs", syscalls.MS_RDONLY | _PROC, "size=4k,mode=755")
    os.chmod("/tmp", 0o1777)  # noqa: S103, S108  runc 1.1 gives it the mode of the folder below, whatever it is asked for
    flags = syscalls.MS_BIND | syscalls.MS_REMOUNT | syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NOEXEC
    syscalls.mount("", "/dev", flags=flags)


def _become(uid: int) -> None:
    """Become another user, in no group but its own. Root loses every capability by that, others have none."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def limit(rlimits: str) -> None:
    """Limit each process: no core file, and what is given. Processes count for each user of this user namespace."""
    for word in ("CORE=0", *rlimits.split(",")):
        name, _, value = word.partition("=")
        what, most = getattr(resource, f"RLIMIT_{name}"), int(value)
        hard = resource.getrlimit(what)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (bound, bound))
