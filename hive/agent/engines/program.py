"""A program that works on a turn: started in the work tree, watched, served with tools, and ended with all that it started.

It is confined as every command is. It has the hive's tools by the Model Context Protocol and its model by a relay; what it says
goes to a journal, line by line. Judges nothing of what it did.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Protocol

from hive.agent.directory_trees import ensure_directory, remove_path
from hive.agent.engines.engine import Workplace
from hive.agent.errors import ToolError, TurnEnded
from hive.agent.log import log
from hive.agent.loop import OUT_OF_STEPS, OUT_OF_TIME
from hive.agent.mcp_protocol import McpSession
from hive.agent.mcp_server import SCRIPT, ToolServer
from hive.agent.model_relay import ModelRelay, model_relay
from hive.agent.processes import RunningBeside
from hive.agent.sandbox import command_environment
from hive.agent.shell import end_process
from hive.agent.unix_http import UnixHTTPClient

LOOK = 0.1
"""Seconds between two looks at the clock and at what the host wants."""

TO_HEAR = 2.0
"""Seconds that a program may take to say what it did before it is asked for, or to hear that it is over."""

TO_END = 3.0
"""Seconds that a program may take to end after SIGINT."""

MAX_LINE = 4 << 20
COMPLAINT = 4_000
"""Characters that are kept of the end of what a program complained."""

NOT_STARTED = "I could not start {name}: {why}"
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Program:
    """What to start: its words, variables beside those of a command, and what it reads from its input."""

    words: Sequence[str]
    env: Mapping[str, str]
    task: str


@dataclass(frozen=True, slots=True)
class ProgramEnd:
    """How a program ended by itself: its status, negative for a signal, and the end of what it complained."""

    status: int
    complaint: str


class Journal(Protocol):
    """Writes down in the transcript what a program does, before anything is done with it."""

    def heard(self, line: bytes) -> None:
        """The program said a line."""

    def looked(self) -> None:
        """A moment has passed."""

    def has_heard_of(self, meta: Mapping[str, Any]) -> bool:
        """Whether the program has said that it makes the call with this `_meta`, as far as it says such things."""

    def calls(self, name: str, given: Mapping[str, Any], meta: Mapping[str, Any], /) -> None:
        """The program calls a tool of the hive, which is executed when this returns."""

    def called(self, said: str, *, is_error: bool = False, end: TurnEnded | None = None) -> None:
        """What the call came to."""

    @property
    def is_settled(self) -> bool:
        """Whether the program has said that it knows what the last call came to, as far as it says such things."""

    def over(self) -> None:
        """The program has ended."""


class Workbench:
    """What a program of one turn has: a folder of its own, the hive's tools, and a relay to its model.

    `home` is what the program keeps between turns of a run: its own. `door` is shown to it, and it cannot change it.
    """

    def __init__(self, place: Workplace, journal: Journal, relay: ModelRelay, selector: selectors.BaseSelector) -> None:
        self.place = place
        self.journal = journal
        self.relay = relay
        self.selector = selector
        self.session = McpSession(place.toolbox.tools, self.call)
        self.home = ensure_directory(place.folder / "engine")
        self.door = place.folder / "door"
        place.sandbox.give(self.home)
        remove_path(self.door)
        self.door.mkdir()
        self.door.chmod(0o755)

    @property
    def script(self) -> Path:
        """The program that is a server of the hive's tools on its input and output."""
        return self.door / SCRIPT

    def run(self, program: Program) -> ProgramEnd:
        """Let a program work until it ends by itself. Raises what ends the turn, or puts it down."""
        sandbox = self.place.sandbox
        sandbox = replace(sandbox, readable=(*sandbox.readable, self.door), writable=(*sandbox.writable, self.home))
        begun, ready = os.pipe()
        with tempfile.TemporaryFile() as task, os.fdopen(begun, "rb", buffering=0) as is_begun:
            task.write(program.task.encode())
            task.seek(0)
            try:
                process = subprocess.Popen(
                    sandbox.words(program.words, self.place.tree, ready=ready),
                    cwd=self.place.tree,
                    env={**command_environment(os.environ), **self.place.env, **program.env},
                    stdin=task,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                    pass_fds=(ready,),
                )
            finally:
                os.close(ready)
            with process, RunningBeside(process.pid):
                watch = _Watch(self, process)
                try:
                    is_confined = is_begun.read(1) == b"1"
                    watch.until_it_ends()
                finally:
                    watch.end()
        if not is_confined:
            raise TurnEnded("failed", NOT_STARTED.format(name=program.words[0], why=watch.complaint[-500:]))
        self.journal.over()
        return ProgramEnd(process.returncode, watch.complaint)

    def call(self, name: str, given: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
        """Execute a call of the program, between what it said before and what it says then."""
        until = time.monotonic() + TO_HEAR
        while not self.journal.has_heard_of(meta) and time.monotonic() < until:
            self.hear(LOOK / 10)
        self.hear(0)
        self.journal.calls(name, given, meta)
        log("call", turn=self.place.turn.id, step=self.place.transcript.steps, tool=name[:40])
        try:
            said = self.place.toolbox.call(name, given)
        except ToolError as error:
            self.journal.called(str(error), is_error=True)
            raise
        except TurnEnded as reached:
            self.journal.called(reached.message, end=reached)
            self.relay.is_over = True
            raise
        self.journal.called(said)
        return said

    def hear(self, seconds: float) -> None:
        """Read what the program has said, and wait for it at most so long."""
        for key, _ in self.selector.select(seconds):
            if isinstance(key.data, _Reader):
                key.data()

    def check(self) -> None:
        """Raise what ends the turn or puts it down."""
        turn, place = self.place.turn, self.place
        if self.session.end is not None:
            raise self.session.end
        place.between()
        self.relay.check()
        if self.relay.is_spent:
            until = time.monotonic() + TO_HEAR  # what it was answered last, it may not have told yet
            while place.transcript.steps < turn.max_steps and time.monotonic() < until:
                self.hear(LOOK / 10)
            raise TurnEnded("blocked", OUT_OF_STEPS.format(steps=turn.max_steps))
        if place.is_late():
            raise TurnEnded("blocked", OUT_OF_TIME.format(minutes=turn.minutes))


@contextmanager
def workbench(place: Workplace, journal: Journal) -> Iterator[Workbench]:
    """A workbench as long as the context lasts."""
    door = UnixHTTPClient(place.model_socket, place.silence)
    with model_relay(door, place.turn.token) as relay, selectors.DefaultSelector() as selector:
        relay.most = max(0, place.turn.max_steps - place.transcript.steps)
        bench = Workbench(place, journal, relay, selector)
        with ToolServer(bench.door, bench.session, selector):
            yield bench


class _Watch:
    """One process of a program."""

    def __init__(self, bench: Workbench, process: subprocess.Popen[bytes]) -> None:
        self._bench = bench
        self._process = process
        self._said = b""
        self._is_skipping = False
        self._complaint = b""
        self._open: list[_Reader] = []
        self._attach(process.stdout, self._hear)
        self._attach(process.stderr, self._complain)

    @property
    def complaint(self) -> str:
        """The end of what it complained."""
        return self._complaint.decode(errors="replace").strip()

    def until_it_ends(self) -> None:
        """Serve it until it has ended; raises what ends the turn, or puts it down."""
        bench = self._bench
        while True:
            has_ended = self._process.poll() is not None  # asked first: all that it said is in the pipes then
            ready = bench.selector.select(0 if has_ended else LOOK)
            for key, _ in ready:
                key.data()
            bench.journal.looked()
            if bench.session.end is not None:
                self._let_hear()
            bench.check()
            if has_ended and (not self._open or not ready):
                return  # what holds its output open is something that it left

    def _let_hear(self) -> None:
        """Let it write down that the turn is over: its memory of the run has no open call then."""
        until = time.monotonic() + TO_HEAR
        while not self._bench.journal.is_settled and self._process.poll() is None and time.monotonic() < until:
            self._bench.hear(LOOK / 10)

    def end(self) -> None:
        """End it with all that it started: by SIGINT first, at which Claude Code writes down what it did."""
        process = self._process
        for reader in [*self._open]:
            self._detach(reader)
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                _wait_reading(process, TO_END)
        end_process(process)

    def _attach(self, pipe: IO[bytes] | None, take: _Taker) -> None:
        assert pipe is not None
        os.set_blocking(pipe.fileno(), False)
        reader = _Reader(pipe, take, self._detach)
        self._open.append(reader)
        self._bench.selector.register(pipe, selectors.EVENT_READ, reader)

    def _detach(self, reader: _Reader) -> None:
        self._open.remove(reader)
        self._bench.selector.unregister(reader.pipe)

    def _hear(self, chunk: bytes) -> None:
        """Cut what it says into lines; one that is longer than anything in use is left out."""
        *lines, self._said = (self._said + chunk).split(b"\n")
        for line in lines:
            if not self._is_skipping:
                self._bench.journal.heard(line)
            self._is_skipping = False
        if len(self._said) > MAX_LINE:
            self._said, self._is_skipping = b"", True
        if not chunk and self._said:
            self._bench.journal.heard(self._said)
            self._said = b""

    def _complain(self, chunk: bytes) -> None:
        self._complaint = (self._complaint + chunk)[-COMPLAINT:]


class _Taker(Protocol):
    def __call__(self, chunk: bytes, /) -> None: ...


class _Reader:
    """One output of a process; to be called when there may be something to read."""

    def __init__(self, pipe: IO[bytes], take: _Taker, ended: _Ended) -> None:
        self.pipe = pipe
        self._take = take
        self._ended = ended

    def __call__(self) -> None:
        try:
            chunk = os.read(self.pipe.fileno(), _CHUNK)
        except BlockingIOError:  # it was read already
            return
        self._take(chunk)
        if not chunk:
            self._ended(self)


class _Ended(Protocol):
    def __call__(self, reader: _Reader, /) -> None: ...


def _wait_reading(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for a process to end, and throw away what it still says."""
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            with suppress(BlockingIOError):
                os.read(pipe.fileno(), _CHUNK)
        time.sleep(LOOK / 10)
