"""Runs a command in the work tree: with a time limit, short output, and no process left."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hive.agent.limits import own
from hive.agent.outputs import OutputFile, OutputFolder
from hive.agent.sandbox import NONE, Sandbox, command_environment, end_orphans

HEAD = TAIL = 5_000
"""The bytes of a command's output that its result has from its start and from its end."""

LEFT_OUT = "\n… {count} bytes left out{where} …\n"
KEPT = ": all of it is in {path}"
NOT_KEPT = ", and not kept: {problem}"

_LOOK = 0.05
"""Seconds between two checks of an ended shell whose output is still held open."""

_TO_END = 20.0
"""Seconds that the launcher may take to end what a command left."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What came of a command; without a status if its time was up. `killed` is the limit that something was killed for."""

    status: int | None
    output: str
    killed: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the command ended, and well."""
        return self.status == 0

    def __str__(self) -> str:
        how = "stopped: its time was up" if self.status is None else f"exit status {self.status}"
        why = f"; {self.killed}" if self.killed else ""
        return f"{self.output}\n[{how}{why}]".lstrip("\n")


def run(
    command: str,
    tree: Path,
    *,
    seconds: float,
    sandbox: Sandbox = NONE,
    more: Mapping[str, str] | None = None,
    outputs: OutputFolder | None = None,
    is_over: Callable[[], bool] = bool,
) -> CommandResult:
    """Run a command with `sh`; nothing that it started is left when it ends or its time is up.

    `more` are variables beside those of the harness, `outputs` is where an output goes that is too long for its result. Its
    time starts when it does, and is up as soon as `is_over`. Raises OSError if it cannot be confined.
    """
    output = _Output(outputs)
    limits = own()
    before = limits.counts()
    begun, ready = os.pipe()
    with os.fdopen(begun, "rb", buffering=0) as pipe:
        try:
            process = subprocess.Popen(
                sandbox.words(["sh", "-c", command], tree, ready=ready),
                cwd=tree,
                env={**command_environment(os.environ), **(more or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(ready,),
            )
        finally:
            os.close(ready)
        with process:
            try:
                is_confined = pipe.read(1) == b"1"
                in_time = _watch(process, output, is_over, until=time.monotonic() + seconds)
            finally:
                end_process(process)
                output.close()
    if not is_confined:
        raise OSError(f"the command could not be confined: {output.text()[-500:]}")
    status = process.returncode if in_time else None
    said = output.text()
    return CommandResult(status, said, limits.since(before, status, said))


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Have the launcher end what is left, and see to it if it cannot."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_TO_END)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    end_orphans()


def _watch(process: subprocess.Popen[bytes], output: _Output, is_over: Callable[[], bool], *, until: float) -> bool:
    """Read until the shell has ended; False if it has not by then."""
    assert process.stdout is not None
    pipe = process.stdout.fileno()
    while (left := until - time.monotonic()) > 0 and not is_over():
        has_ended = process.poll() is not None  # asked first: all that it said is in the pipe then
        if select.select([pipe], [], [], 0 if has_ended else min(left, _LOOK))[0]:
            chunk = os.read(pipe, 65536)
            output.add(chunk)
            if not chunk:
                return _wait(process, left)
        elif has_ended:
            return True
    return False


def _wait(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


class _Output:
    """The head and the tail of what was written, however much it was; all of it goes to a file if it is too long."""

    def __init__(self, folder: OutputFolder | None) -> None:
        self._folder = folder
        self._file: OutputFile | None = None
        self._where = ""
        self._head = self._tail = b""
        self._left_out = 0

    def add(self, chunk: bytes) -> None:
        room = HEAD - len(self._head)
        tail = self._tail + chunk[room:]
        if len(tail) > TAIL and not self._left_out:
            self._begin(self._head + self._tail)
        if self._file is not None:
            self._file.add(chunk)
        self._head += chunk[:room]
        self._left_out += max(0, len(tail) - TAIL)
        self._tail = tail[-TAIL:]

    def close(self) -> None:
        if self._file is not None and self._folder is not None:
            self._file.close()
            problem = self._file.problem
            self._where = NOT_KEPT.format(problem=problem) if problem else KEPT.format(path=self._file.path)
            self._folder.prune()

    def text(self) -> str:
        gap = LEFT_OUT.format(count=self._left_out, where=self._where).encode() if self._left_out else b""
        return (self._head + gap + self._tail).decode(errors="replace").rstrip()

    def _begin(self, so_far: bytes) -> None:
        if self._folder is None:
            return
        try:
            self._file = self._folder.begin()
        except OSError as error:
            self._where = NOT_KEPT.format(problem=error.strerror)
        else:
            self._file.add(so_far)
