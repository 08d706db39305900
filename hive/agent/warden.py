"""Stands above a container that is no child of what started it: ends everything below when its own parent ends.

python -I -S -c … PARENT -- COMMAND …

Runs on the host. What the command starts in the background comes to this process and cannot leave it.
"""

from __future__ import annotations

import os
import sys

from hive.agent import syscalls
from hive.agent.processes import end_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn
else:  # importing `signal` takes as long as everything else
    import _signal as signal


def main() -> NoReturn:
    """Run the command of the argument list, and end as it does."""
    parent, command = int(sys.argv[1]), sys.argv[3:]
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGTERM)
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if os.getppid() != parent:
        raise SystemExit("who wanted this is gone")
    try:
        child = os.fork()
        if not child:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.execv(command[0], command)  # noqa: S606
        status = _wait_for(child)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        end_all()
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


def _wait_for(child: int) -> int:
    """The wait status of a child; others are reaped as they end."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return status
