"""One host keeps an agent: a lock on its directory, which the kernel takes back when the host ends, however it ends."""

from __future__ import annotations

import errno
import fcntl
import os
import weakref

from hive.reconcile.agent_dirs import AgentDirs

TAKEN = "another `hive host` keeps this agent"


class AgentLocks:
    """The agents that this host keeps.

    The lock is on the directory itself, not on a file in it: somebody who deletes a file does not let a second host in.
    """

    def __init__(self) -> None:
        self._held: dict[str, int] = {}
        self._end = weakref.finalize(self, _close, self._held)

    def take(self, dirs: AgentDirs) -> None:
        """Keep an agent, unless it is kept already; raises BlockingIOError while another host does, OSError."""
        if dirs.name in self._held:
            return
        handle = os.open(dirs.root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise BlockingIOError(errno.EWOULDBLOCK, TAKEN, str(dirs.root)) from error
            raise
        self._held[dirs.name] = handle

    def release(self) -> None:
        """Leave all agents to other hosts."""
        _close(self._held)


def _close(held: dict[str, int]) -> None:
    while held:
        os.close(held.popitem()[1])
