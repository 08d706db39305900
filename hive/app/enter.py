"""`hive enter`: a shell for the operator in an agent's running container, on a terminal of its own."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hive.instance.instance import Instance
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.backends import Bounds
from hive.reconcile.backends.surroundings import within
from hive.reconcile.build import environment
from hive.reconcile.container_record import ContainerRecord
from hive.reconcile.entering import CannotEnter, enter

CHUNK = 1 << 16
NOT_RUNNING = "{agent} has no running container; hive queue shows what its turns wait for"
UNCONFINED = "agents are not contained here (sandbox: none), so there is no container to enter"
SHELL = ("bash", "--norc", "-i")


def open_shell(instance: Instance, agent: str, command: str) -> int:
    """Run a command in the agent's container, or a shell if it is empty; returns the exit status. Raises CannotEnter."""
    settings = instance.settings
    if settings.sandbox == "none":
        raise CannotEnter(UNCONFINED)
    dirs = AgentDirs(agent, instance.agents / agent)
    record = ContainerRecord.load(dirs)
    if record is None:
        raise CannotEnter(NOT_RUNNING.format(agent=agent))
    bounds = Bounds(settings.limits)
    env = within(bounds, environment(dirs.gens / record.sha)) | {"TERM": os.environ.get("TERM", "dumb")}
    words = ["sh", "-c", command] if command else [*SHELL]

    def run() -> int:
        return enter(record.harness, words, env, bounds.rlimits)

    return on_terminal(run) if sys.stdin.isatty() else run()


def on_terminal(run: Callable[[], int]) -> int:
    """Run something on a terminal of its own, whose other end is shown on ours: nothing inside holds ours."""
    ours, theirs = os.openpty()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.close(ours)
            for number in (0, 1, 2):  # the session that takes it as its own is the shell's
                os.dup2(theirs, number)
            status = run()
        except CannotEnter as error:
            os.write(2, f"{error}\n".encode())
        finally:
            os._exit(status)
    os.close(theirs)
    with _raw(ours):
        _relay(ours)
    os.close(ours)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256


def _relay(terminal: int) -> None:
    """Carry what is typed and what is shown, until the other end is closed."""
    while True:
        for ready in select.select([0, terminal], [], [])[0]:
            try:
                chunk = os.read(ready, CHUNK)
            except OSError:  # EIO: nobody holds the other end any more
                return
            if not chunk:
                return
            os.write(terminal if ready == 0 else 1, chunk)


@contextmanager
def _raw(terminal: int) -> Iterator[None]:
    """Our terminal passes every key on, and its size."""

    def resize(*_: object) -> None:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))

    resize()
    before = termios.tcgetattr(0)
    handler = signal.signal(signal.SIGWINCH, resize)
    tty.setraw(0, termios.TCSADRAIN)  # what was typed already is not lost
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, handler)
