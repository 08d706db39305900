"""Runs one command; nothing of it is left when it ends or when this process gets SIGTERM.

python -I -S -c … KIND PARENT READY UID HIDE… -- SHOW… -- COMMAND …

`namespaces`  a PID namespace, with its own /proc, without what is hidden, as another user if there is one,
without any capability, behind the filter for commands: the kernel ends what is left
`processes`   behind the filter, and every descendant is killed: none can leave a subreaper
`bare`        the same without the filter: what `sandbox: none` means

This process ends like the command did, with the same status or signal. SIGINT is passed on to it. READY is a descriptor that gets a byte
when the command starts, or -1. PARENT is the process that started this one; if it dies, everything ends.
What is shown as `ro:FOLDER` is read-only.
"""

from __future__ import annotations

import os
import sys

from hive.agent import enter, seccomp, syscalls
from hive.agent.processes import end_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn
else:  # importing `signal` takes as long as everything else
    import _signal as signal

NAMESPACES, PROCESSES, BARE = "namespaces", "processes", "bare"
READ_ONLY = "ro:"
LIKELY = "500"
"""How much sooner than others a command is killed for want of memory, of 1000."""


class Launch:
    """What to run and how, as an argument list describes it; see the module."""

    def __init__(self, words: list[str]) -> None:
        self.kind, parent, ready, uid, *rest = words
        self.parent, self.ready, self.uid = int(parent), int(ready), int(uid)
        first = rest.index("--")
        second = rest.index("--", first + 1)
        self.hide, self.show, self.command = rest[:first], rest[first + 1 : second], rest[second + 1 :]


def main() -> None:
    """Run the command of the argument list."""
    launch = Launch(sys.argv[1:])
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != launch.parent:
        raise SystemExit("who wanted this is gone")
    if launch.ready >= 0:
        os.set_inheritable(launch.ready, False)  # it is not the command's
    try:
        status = _in_namespaces(launch) if launch.kind == NAMESPACES else _among_processes(launch)
    except OSError as error:
        raise SystemExit(f"the command cannot be confined: {error}") from None
    _end_like(status)


def _in_namespaces(launch: Launch) -> int:
    """Be the parent of a PID namespace; returns the command's wait status."""
    cwd = os.getcwd()
    syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID | syscalls.CLONE_NEWIPC)
    alive, end_of_epoch = os.pipe()
    told, tell = os.pipe()
    first = os.fork()
    if first == 0:
        os.close(end_of_epoch)
        os.close(told)
        _be_init(launch, cwd, alive, tell)
    os.close(alive)
    os.close(tell)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(first, signal.SIGKILL))
    signal.signal(signal.SIGINT, lambda *_: os.kill(first, signal.SIGINT))
    os.write(end_of_epoch, b"1")
    _, status = os.waitpid(first, 0)  # it is not over before everything in the namespace is
    return int(os.read(told, 16) or status)


def _be_init(launch: Launch, cwd: str, alive: int, tell: int) -> NoReturn:
    """The first process of the namespace: when it ends, everything in there does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    if not os.read(alive, 1):
        os._exit(1)
    enter.mount_proc()
    enter.mask_proc()
    _hide(launch)
    os.chdir(cwd)
    command = _fork(launch)
    signal.signal(signal.SIGINT, lambda *_: _interrupt(launch, command))
    while True:
        pid, status = os.wait()
        if pid == command:
            os.write(tell, str(status).encode())
            os._exit(0)


def _interrupt(launch: Launch, command: int) -> None:
    """Send the command SIGINT; as its user, which is another one than ours."""
    if os.fork() == 0:
        try:
            _become(launch)
            os.kill(command, signal.SIGINT)
        finally:
            os._exit(0)


def _hide(launch: Launch) -> None:
    """Cover folders by empty ones; what is shown lies in them as before."""
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
    shown = {path.removeprefix(READ_ONLY): path.startswith(READ_ONLY) for path in launch.show}
    for folder in launch.hide:
        kept = {path: os.open(path, os.O_PATH | os.O_DIRECTORY) for path in shown if _lies_in(path, folder)}
        syscalls.mount("tmpfs", folder, "tmpfs", flags, "size=64k,mode=755")
        for path, handle in kept.items():
            os.makedirs(path)
            syscalls.mount(f"/proc/self/fd/{handle}", path, flags=syscalls.MS_BIND)
            if shown[path]:
                syscalls.mount("", path, flags=syscalls.MS_BIND | syscalls.MS_REMOUNT | syscalls.MS_RDONLY | flags)
            os.close(handle)
        syscalls.mount("", folder, flags=syscalls.MS_REMOUNT | syscalls.MS_RDONLY | flags)


def _lies_in(path: str, folder: str) -> bool:
    return os.path.commonpath((path, folder)) == folder


def _among_processes(launch: Launch) -> int:
    """Be the parent to whom every orphan comes; returns the command's wait status."""
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        command = _fork(launch)
        signal.signal(signal.SIGINT, lambda *_: os.kill(command, signal.SIGINT))
        while True:
            pid, status = os.wait()
            if pid == command:
                return status
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        end_all()


def _fork(launch: Launch) -> int:
    """Start the command; returns its process id."""
    pid = os.fork()
    if pid:
        if launch.ready >= 0:
            os.write(launch.ready, b"1")
        return pid
    try:
        _exec(launch)
    except OSError as error:
        os.write(2, f"{launch.command[0]}: {error}\n".encode())
    os._exit(127)


def _exec(launch: Launch) -> NoReturn:
    os.setsid()
    if os.isatty(0):  # an operator's shell
        syscalls.take_terminal(0)
    _be_the_first_to_go()
    if launch.kind == NAMESPACES:
        _become(launch)
        syscalls.drop_bounding(())
        syscalls.hold(())
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    if launch.kind != BARE:
        calls = seccomp.COMMAND if launch.kind == NAMESPACES else seccomp.AMONG_OTHERS
        syscalls.filter_calls(seccomp.program(calls))
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # Python ignores or handles these, and what is ignored stays so
    os.execvp(launch.command[0], launch.command)


def _be_the_first_to_go() -> None:
    """Let the kernel choose commands, and not their harness, when the container has no memory left."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(LIKELY)
    except OSError:  # no /proc, or one that is masked
        return


def _become(launch: Launch) -> None:
    if launch.uid != os.getuid():
        os.setgroups([])
        os.setresgid(launch.uid, launch.uid, launch.uid)
        os.setresuid(launch.uid, launch.uid, launch.uid)


def _end_like(status: int) -> NoReturn:
    """End as a process did that had this wait status."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))
