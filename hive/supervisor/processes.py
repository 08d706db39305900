"""One process tree: children that are started, watched, started again, and ended with their parent.

Each child holds the reading end of a pipe whose other end only the parent has: when the parent is
gone, however it went, the child reads an end and stops itself.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hive.backoff import PROCESSES
from hive.supervisor.fork_server import Forked, ForkServer

log = logging.getLogger("hive.supervisor.processes")

LIFELINE = "HIVE_LIFELINE"
EPOCH = "HIVE_LIFE"
"""Tells the children of one tree from those of another: one that is started again is none that a person started."""
LISTENING = "HIVE_LISTENING"
"""The variable with the descriptor of a listening socket that outlives its process: clients wait in the meantime."""
SYSTEMD_FIRST = 3
"""The descriptor that systemd hands over (sd_listen_fds(3))."""
STOP_SECONDS = 20.0
LATE_SECONDS = 15.0
STEADY_SECONDS = 10.0
POLL_SECONDS = 0.1
HOPELESS_DEATHS = 3
LAST_BYTES = 8192
LAST_CHARACTERS = 400
ERROR_PREFIX = "hive: "
"""How a command's last sentence starts when it exits with an error."""


class CrashLoop(Exception):
    """A child keeps ending right after its start; the message is the end of its output."""


@dataclass(slots=True)
class Child:
    """One process of the tree, and how to start it again."""

    name: str
    words: Sequence[str]
    env: Mapping[str, str]
    sock: socket.socket | None = None
    early: bool = False
    process: Forked | None = None
    started: float = 0.0
    deaths: int = 0
    failures: int = 0
    """How often in a row it ended by itself, with a status, soon after its start; a signal from outside does not count."""
    said_from: int = 0
    """The offset in its log where its current run started, in bytes."""
    not_before: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """Runs child processes. `on_death` gets the name and exit status of one that ended by itself."""

    logs: Path
    on_death: Callable[[str, int], None]
    longest_delay: float = PROCESSES.longest
    """Seconds that a child waits for its next life at the most, however often it dies."""
    preload: Sequence[str] = ()
    """Modules whose memory the children share."""

    _children: dict[str, Child] = field(default_factory=dict)
    _pipe: tuple[int, int] = field(default_factory=os.pipe)
    _stop: threading.Event = field(default_factory=threading.Event)
    _epoch: str = field(default_factory=lambda: secrets.token_hex(8))
    _watcher: threading.Thread | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _server: ForkServer = field(init=False)

    def __post_init__(self) -> None:
        self._server = ForkServer(self.preload)

    def add(
        self,
        name: str,
        *words: str,
        env: Mapping[str, str] | None = None,
        sock: socket.socket | None = None,
        early: bool = False,
    ) -> None:
        """Start `hive WORDS` as a child, with `env` added to its environment. An `early` one shares no modules.

        A listening `sock` belongs to the supervisor from now on, and is passed to each run of the child: no client is refused
        between two of them.
        """
        child = Child(name, words, {**os.environ, **(env or {})}, sock, early)
        with self._guard:
            self._children[name] = child
            self._start(child)
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name="tree", daemon=True)
            self._watcher.start()

    def pid(self, name: str) -> int:
        """The process that plays a part now; 0 while it is between two lives."""
        process = self._children[name].process
        return process.pid if process is not None else 0

    def last_words(self, name: str) -> str:
        """With what a part gave up in the life that it had last, or its last line; empty if it wrote nothing."""
        child = self._children[name]
        log = self.logs / f"{name}.log"
        try:
            with log.open("rb") as file:
                file.seek(max(child.said_from, log.stat().st_size - LAST_BYTES))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        told = [line for line in lines if line.strip()]
        begins = max(
            (number for number, line in enumerate(told) if line.startswith(ERROR_PREFIX)), default=len(told) - 1
        )
        words = " ".join(told[begins:]).removeprefix(ERROR_PREFIX) if told else ""
        return "".join(c if c.isprintable() else " " for c in words.strip())[:LAST_CHARACTERS]

    def check(self) -> None:
        """Raise CrashLoop for a child that keeps ending right after its start."""
        for child in list(self._children.values()):
            if child.failures >= HOPELESS_DEATHS:
                words = self.last_words(child.name) or f"it said nothing; see {self.logs / child.name}.log"
                raise CrashLoop(f"{child.name} ended {child.failures} times as soon as it was started: {words}")

    def names(self) -> list[str]:
        """The parts, in the order in which they were started."""
        return list(self._children)

    def stop(self) -> None:
        """End every child, the youngest first, and wait until all are gone."""
        self._stop.set()
        if self._watcher is not None:
            self._watcher.join()
        with self._guard:
            for child in reversed(self._children.values()):
                _end(child)
                if child.sock is not None:
                    child.sock.close()
            self._server.stop()
            for end in self._pipe:
                with contextlib.suppress(OSError):
                    os.close(end)

    def _start(self, child: Child) -> None:
        self.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        reading, _ = self._pipe
        fds = {LIFELINE: reading} | ({} if child.sock is None else {LISTENING: child.sock.fileno()})
        with (self.logs / f"{child.name}.log").open("ab") as log:
            child.said_from = log.tell()
            env = {**child.env, EPOCH: self._epoch}
            child.process = self._server.start(child.words, env=env, fds=fds, log=log, early=child.early)
        child.started = time.monotonic()

    def _watch(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            with self._guard:
                for child in self._children.values():
                    self._revive(child)

    def _revive(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is not None and (status := child.process.poll()) is not None:
            steady = now - child.started > STEADY_SECONDS
            child.deaths = 0 if steady else child.deaths + 1
            child.failures = 0 if steady or status <= 0 else child.failures + 1
            child.not_before = now + replace(PROCESSES, longest=self.longest_delay).delay(child.deaths)
            child.process = None
            self.on_death(child.name, status)
        if child.process is None and now >= child.not_before and child.failures < HOPELESS_DEATHS:
            try:
                self._start(child)
            except OSError as error:  # no room for its log, no process to be had: what watches the others lives on
                child.not_before = now + self.longest_delay
                log.warning("not_started name=%s error=%r", child.name, error.strerror)


def stop_event() -> threading.Event:
    """An event that is set by SIGTERM, by SIGINT, or when the parent's end of the lifeline is gone."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    lifeline = os.environ.pop(LIFELINE, "")
    if lifeline.isdigit():
        threading.Thread(target=_hold, args=(int(lifeline), stop), name="lifeline", daemon=True).start()
    return stop


def inherited_socket() -> socket.socket | None:
    """The listening socket that this process was started with, by our tree or by systemd; None without one."""
    ours = os.environ.pop(LISTENING, "")
    theirs = os.environ.pop("LISTEN_FDS", ""), os.environ.pop("LISTEN_PID", "")
    if ours.isdigit():
        return socket.socket(fileno=int(ours))
    if theirs == ("1", str(os.getpid())):
        return socket.socket(fileno=SYSTEMD_FIRST)
    return None


def _hold(reading: int, stop: threading.Event) -> None:
    with contextlib.suppress(OSError):
        os.read(reading, 1)
    stop.set()
    time.sleep(LATE_SECONDS)
    os._exit(1)  # a process that is still here by now hangs


def _end(child: Child) -> None:
    if child.process is None:
        return
    child.process.terminate()
    try:
        child.process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.process.kill()
        child.process.wait(STOP_SECONDS)
