"""Starts processes of the hive by forking one that has imported their modules: they share its memory, and start at once.

The server has one thread and opens nothing; its client is the process tree. It ends with its client, and its
children live on.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

MAX_MESSAGE = 256 * 1024
MAX_FDS = 8
TITLE_BYTES = 4096
"""Room for the command line of a child in that of the server, which `ps` shows."""

ARENAS = {"MALLOC_ARENA_MAX": "1"}
"""glibc gives each thread a memory arena; under Python's lock that is wasted memory (mallopt(3))."""

LOST = -signal.SIGKILL
"""The exit status of a child that ended after its server, so that it could not be collected."""


class ForkServerError(OSError):
    """The fork server has ended; the next start creates another one."""


class Forked:
    """A child of the fork server, with as much of `subprocess.Popen` as its owner needs."""

    def __init__(self, pid: int, pidfd: int, server: ForkServer) -> None:
        self.pid = pid
        self._pidfd = pidfd
        self._server = server
        self._status: int | None = None

    def poll(self) -> int | None:
        """Exit status, negative for a signal; None while the process lives."""
        if self._status is None and select.select([self._pidfd], [], [], 0)[0]:
            self._status = self._server.status(self.pid)
            if self._status is not None:
                os.close(self._pidfd)
        return self._status

    def wait(self, timeout: float) -> int:
        """Wait for the end; raises subprocess.TimeoutExpired."""
        end = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(0.01)
        return status

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)


class ForkServer:
    """The client's side: starts the server when it is first needed, and again when it has ended."""

    def __init__(self, preload: Sequence[str] = ()) -> None:
        """`preload` names the modules that the children share; a missing one is reported by the child that needs it."""
        self._preload = preload
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None
        self._statuses: dict[int, int] = {}
        self._guard = threading.Lock()

    def start(
        self, words: Sequence[str], *, env: Mapping[str, str], fds: Mapping[str, int], log: IO[bytes], early: bool
    ) -> Forked:
        """Run `hive WORDS` in a session of its own, with its output in `log`.

        `fds` are descriptors for it, by the variables that hold their numbers there. An `early` one does not wait for the
        preloaded modules. Raises OSError if the process cannot be created.
        """
        request = {"words": list(words), "env": dict(env), "fds": list(fds), "early": early}
        message, sent = json.dumps(request).encode(), [log.fileno(), *fds.values()]
        with self._guard:
            try:
                answer = self._ask(message, sent, log)
            except ForkServerError:  # it was killed since the last start
                answer = self._ask(message, sent, log)
        if answer["errno"]:
            raise OSError(answer["errno"], os.strerror(answer["errno"]))
        return Forked(answer["started"], answer["pidfd"], self)

    def status(self, pid: int) -> int | None:
        """Exit status of a child that has ended; None until the server has collected it."""
        with self._guard:
            try:
                while pid not in self._statuses and self._sock and select.select([self._sock], [], [], 0)[0]:
                    self._note(self._receive(self._sock))
            except (ConnectionResetError, ForkServerError):
                self._part()
            return self._statuses.pop(pid, None if self._sock else LOST)

    def stop(self) -> None:
        """End the server; what it has started lives on."""
        with self._guard:
            self._part()

    def _ask(self, message: bytes, fds: Sequence[int], log: IO[bytes]) -> dict[str, Any]:
        sock = self._connected(log)
        try:
            socket.send_fds(sock, [message], fds)
            while "started" not in (answer := self._receive(sock)):
                self._note(answer)
        except (BrokenPipeError, ConnectionResetError, ForkServerError) as error:
            self._part()
            raise ForkServerError("the fork server has ended") from error
        return answer

    def _connected(self, log: IO[bytes]) -> socket.socket:
        if self._sock is None:
            self._sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            words = [sys.executable, "-P", "-m", "hive.supervisor.fork_server", str(theirs.fileno()), *self._preload]
            with theirs:
                self._process = subprocess.Popen(
                    [*words, " " * TITLE_BYTES],
                    env={**ARENAS, **os.environ},
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C reaches the parent alone, which ends the tree in order
                )
        return self._sock

    def _receive(self, sock: socket.socket) -> dict[str, Any]:
        data, fds, _, _ = socket.recv_fds(sock, MAX_MESSAGE, 1)
        if not data:
            raise ForkServerError("the fork server has ended")
        answer: dict[str, Any] = json.loads(data)
        if fds:
            os.set_inheritable(fds[0], False)
            answer["pidfd"] = fds[0]
        return answer

    def _note(self, answer: Mapping[str, int]) -> None:
        self._statuses[answer["ended"]] = answer["status"]

    def _part(self) -> None:
        if self._sock is not None and self._process is not None:
            self._sock.close()
            self._process.kill()  # it holds nothing, and may be busy importing
            self._process.wait()
        self._sock = self._process = None


class Preload:
    """Imports modules one by one while nothing else is to be done."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._left = deque(modules)

    @property
    def is_done(self) -> bool:
        """Whether all are imported."""
        return not self._left

    def step(self) -> None:
        """Import the next one."""
        with contextlib.suppress(ImportError):
            importlib.import_module(self._left.popleft())
        if not self._left:
            gc.collect()
            gc.freeze()  # a collection in a child would write into every page that it shares

    def finish(self) -> None:
        """Import all that is left."""
        while self._left:
            self.step()


def serve(sock: socket.socket, preload: Preload) -> list[str]:
    """Fork for each request until the client is gone; returns in a child, with the command to run."""
    woken, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker)
    sources: list[Any] = [sock, woken]
    while True:
        ready, _, _ = select.select(sources, [], [], None if preload.is_done else 0)
        if not ready:
            preload.step()
        if woken in ready:
            os.read(woken, 4096)
            _collect(sock)
        if sock in ready:
            data, fds, _, _ = socket.recv_fds(sock, MAX_MESSAGE, MAX_FDS)
            if not data:
                raise SystemExit(0)
            request = json.loads(data)
            if not request["early"]:
                preload.finish()
            if _fork(sock):
                for fd in fds:
                    os.close(fd)
                continue
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for end in (woken, waker):
                os.close(end)
            sock.close()
            return _become(request, fds)


def _fork(sock: socket.socket) -> bool:
    """Fork, and tell the client; True in the server."""
    try:
        pid = os.fork()
    except OSError as error:
        sock.send(json.dumps({"started": 0, "errno": error.errno}).encode())
        return True
    if pid:
        pidfd = os.pidfd_open(pid)  # it cannot be collected elsewhere, so its pid is valid, dead or alive
        socket.send_fds(sock, [json.dumps({"started": pid, "errno": 0}).encode()], [pidfd])
        os.close(pidfd)
    return bool(pid)


def _collect(sock: socket.socket) -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            sock.send(json.dumps({"ended": ended[0], "status": os.waitstatus_to_exitcode(ended[1])}).encode())


def _become(request: Mapping[str, Any], fds: list[int]) -> list[str]:
    """Make this process what was asked for: session, output, environment, descriptors, command line."""
    os.setsid()
    log, *given = fds
    for output in (1, 2):
        os.dup2(log, output)
    os.close(log)
    for fd in given:
        os.set_inheritable(fd, False)
    os.environ.clear()
    os.environ.update(request["env"] | dict(zip(request["fds"], map(str, given), strict=True)))
    words: list[str] = request["words"]
    _retitle([sys.executable, "-P", "-m", "hive", *words])
    return words


def _retitle(words: Sequence[str]) -> None:
    """Write a command line over that of this process, as far as there is room: `ps` and /proc show it (proc_pid_cmdline(5))."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    begin, end = int(fields[45]), int(fields[46])  # arg_start and arg_end: proc_pid_stat(5)
    room = end - begin
    if begin and room:
        title = b"".join(os.fsencode(word) + b"\0" for word in words)[: room - 1]
        ctypes.memmove(begin, title.ljust(room, b"\0"), room)


if __name__ == "__main__":
    sys.argv[1:] = serve(socket.socket(fileno=int(sys.argv[1])), Preload(sys.argv[2:-1]))
    runpy.run_module("hive", run_name="__main__", alter_sys=True)  # as `python -m hive WORDS`
