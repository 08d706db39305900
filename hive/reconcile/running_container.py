"""One container that was started: its process, its log, its group, and its end."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

from hive.agent.processes import began
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.backends import Backend, Bounds, Command
from hive.reconcile.backends.surroundings import AGENTS_UMASK, starter
from hive.reconcile.container_record import ContainerRecord
from hive.reconcile.logs import Log

LOG_SECONDS = 2.0
"""How long what a container wrote at last may take to be in its log."""
POLL_SECONDS = 0.1
AGAIN_SECONDS = 1.0


@dataclass(slots=True)
class RunningContainer:
    """A container of a commit, since when (`time.monotonic`); the thread that started it is the one that calls this."""

    sha: str
    backend: Backend
    dirs: AgentDirs
    bounds: Bounds
    process: subprocess.Popen[bytes]
    since: float
    log: Log
    _harness: int | None = None
    _harness_began: int = -1

    @classmethod
    def start(
        cls, backend: Backend, dirs: AgentDirs, command: Command, *, sha: str, bounds: Bounds, key: str
    ) -> RunningContainer:
        """Start a command that joins its group; `key` is what the harness reads. Raises OSError and ValueError."""
        process = subprocess.Popen(
            [*starter(bounds), *command.words],
            env=command.env,
            cwd=dirs.root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            bufsize=0,
            umask=AGENTS_UMASK,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError), process.stdin as told:
            told.write(key.encode())  # an argument or a file could be read by others
        log = Log(dirs.root)
        log.follow(process.stdout)
        return cls(sha, backend, dirs, bounds, process, time.monotonic(), log)

    @property
    def is_alive(self) -> bool:
        """Whether its process has not ended."""
        return self.process.poll() is None

    @property
    def began(self) -> bool:
        """Whether it was set up, so that its harness began."""
        return self.log.is_ready or not self.backend.contained

    def harness(self) -> int | None:
        """The process of the harness, once it is one."""
        if not self.is_alive:
            return None
        if self._harness is None and self.began:
            self._harness = self.backend.harness(self.process.pid, self.dirs)
            if self._harness is not None:
                self._harness_began = began(self._harness)
                ContainerRecord.save(self.dirs, self._harness, self.sha)
        return self._harness

    def tell(self) -> bool:
        """Ask the harness to end; False if it is not there yet."""
        pid = self._harness  # to search for it among all processes takes longer than its end
        if pid is None or began(pid) != self._harness_began:
            pid = self.backend.harness(self.process.pid, self.dirs)
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        return True

    def stop(self, seconds: float) -> None:
        """Ask it to end, and wait for that; one that has not begun has nothing to end.

        It is asked again each second: the first process of a PID namespace ignores what it has no handler for yet.
        """
        until, again = time.monotonic() + seconds, 0.0
        with _end_of(self.process) as end:
            while self.is_alive and self.began and (now := time.monotonic()) < until:
                if now >= again and self.tell():
                    again = now + AGAIN_SECONDS
                end.poll(POLL_SECONDS * 1000)

    def kill(self) -> None:
        """End it with everything in it, at once."""
        self.backend.kill(self.process.pid, self.dirs)
        self.process.wait()

    def clear(self, last_word: str) -> None:
        """Take away what is left when its process has ended; `last_word` goes to its log, if there is one."""
        self.bounds.end()
        self.backend.clean(self.dirs)
        self.log.wait(LOG_SECONDS)
        if last_word:
            self.log.note(f"hive: {last_word}")


@contextlib.contextmanager
def _end_of(process: subprocess.Popen[bytes]) -> Iterator[select.poll]:
    """What is ready as soon as a child that was not waited for has ended: `Popen.wait` looks up to 50 ms later."""
    watched = select.poll()
    if process.returncode is not None:
        yield watched
        return
    handle = os.pidfd_open(process.pid)
    try:
        watched.register(handle, select.POLLIN)
        yield watched
    finally:
        os.close(handle)
