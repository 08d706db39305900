"""Runs a child process under watch: it may run as long as it makes progress, and its descendants end with it.

GitPython's own time limit (3.2.1) kills git alone where neither `ps` nor `pgrep` is installed, and then waits
for helpers such as git-remote-http; so git gets a process group of its own here, which is killed as one.
"""

from __future__ import annotations

import os
import re
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, cast

CHUNK = 1 << 16
_LOOK = 0.1
"""Seconds between two checks of an ended process whose helper still holds its output open."""

MOST_SAID = 64 << 20
"""The most bytes of output that are read."""

_GRACE = 5.0
"""Seconds that a process has to end after SIGTERM."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How many seconds a process may be silent, and how long it may take in all."""

    silence: float
    longest: float


@dataclass(frozen=True, slots=True)
class Share:
    """Limits of one process: bytes of memory, of one file that it writes and of output, and seconds of CPU.

    Memory is counted as data, not address space: git maps packs of any size, and Haskell's runtime reserves a terabyte.
    """

    memory: int
    file: int
    output: int
    cpu: int


@dataclass(frozen=True, slots=True)
class ChildResult:
    """The result of a run. `status` is negative for a signal; `stopped` is why it was killed from here, if it was.

    `overflowed` is whether that was because of too much output.
    """

    status: int
    out: bytes
    errors: bytes
    stopped: str = ""
    overflowed: bool = False


class _SaidTooMuch(Exception):
    """A process wrote more than its limit."""


class Running(Protocol):
    """A process that leads its own group, with both outputs as pipes."""

    pid: int

    def poll(self) -> int | None:
        """Its status, once it has ended."""

    def wait(self) -> int:
        """Its status, when it has ended."""


def confine(pid: int, share: Share) -> None:
    """Bound what a process may use that was just started, and what it starts.

    From outside, as code between fork and exec can deadlock in a process that has threads.
    """
    for each in (pid, *_children(pid)):  # a child that it made already has not inherited anything
        for kind, soft, hard in (
            (resource.RLIMIT_DATA, share.memory, share.memory),
            (resource.RLIMIT_FSIZE, share.file, share.file),
            (resource.RLIMIT_CPU, share.cpu, share.cpu + 1),  # at the hard limit comes SIGKILL, which gives no reason
            (resource.RLIMIT_CORE, 0, 0),
        ):
            with suppress(ProcessLookupError):
                resource.prlimit(each, kind, (soft, hard))


def _children(pid: int) -> Iterator[int]:
    with suppress(OSError):
        yield from map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def watch(
    process: Running, out: IO[bytes], errors: IO[bytes], deadlines: Deadlines, *, most: int = MOST_SAID
) -> ChildResult:
    """Read the output until the process ends, exceeds a deadline, or writes more than `most` bytes.

    Kills all of its group at the end. One that was stopped has taken along what held its output, if that takes less than
    a few seconds: the kernel ends the namespace of a killed bwrap a moment later than bwrap.
    """
    said: dict[int, list[bytes]] = {out.fileno(): [], errors.fileno(): []}
    stopped, overflowed = "", False
    try:
        stopped = _read(process, said, deadlines, most)
    except _SaidTooMuch as error:
        stopped, overflowed = str(error), True
    finally:
        _ask_to_end(process)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
    if stopped:
        _await_silence(said)
    return ChildResult(status, b"".join(said[out.fileno()]), b"".join(said[errors.fileno()]), stopped, overflowed)


def run_watched(
    words: Sequence[str],
    env: Mapping[str, str],
    deadlines: Deadlines,
    *,
    most: int = MOST_SAID,
    user: int | None = None,
) -> ChildResult:
    """Run a program under watch, at `/`, without input and in a group of its own; raises OSError if it cannot be started.

    It runs as this user, or as a `user` that is in no group but its own; only root can do that.
    """
    process = subprocess.Popen(
        words,
        env=env,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        user=user,
        group=user,
        extra_groups=None if user is None else (),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        return watch(process, process.stdout, process.stderr, deadlines, most=most)


def _ask_to_end(process: Running) -> None:
    """Give a process that has not ended a moment to take along what left its group: `hive.agent.launch` does."""
    until = time.monotonic() + _GRACE
    for pause in _pauses():
        if process.poll() is not None or time.monotonic() >= until:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, signal.SIGTERM)
        time.sleep(pause)


def _await_silence(pipes: Iterable[int]) -> None:
    """Wait until nobody holds the other ends of the pipes any more; what is still written is thrown away."""
    until = time.monotonic() + _GRACE
    with selectors.DefaultSelector() as open_ones:
        for pipe in pipes:
            open_ones.register(pipe, selectors.EVENT_READ)
        while open_ones.get_map() and time.monotonic() < until:
            for key, _ in open_ones.select(_LOOK):
                if not os.read(key.fd, CHUNK):
                    open_ones.unregister(key.fd)


def _read(process: Running, said: dict[int, list[bytes]], deadlines: Deadlines, most: int) -> str:
    begun = heard = time.monotonic()
    left = most
    with selectors.DefaultSelector() as pipes:
        for pipe in said:
            pipes.register(pipe, selectors.EVENT_READ)
        while pipes.get_map():
            now = time.monotonic()
            if now - begun >= deadlines.longest:
                return f"it took more than {deadlines.longest:.0f} s"
            if now - heard >= deadlines.silence:
                return f"it said nothing for {deadlines.silence:.0f} s"
            has_ended = process.poll() is not None  # asked first: all that it said is in the pipes then
            ready = pipes.select(0 if has_ended else _LOOK)
            for key, _ in ready:
                pipe = cast("int", key.fileobj)
                chunk = os.read(pipe, CHUNK)
                if chunk:
                    heard = time.monotonic()
                    said[pipe].append(chunk)
                    left -= len(chunk)
                    if left < 0:
                        raise _SaidTooMuch(f"it said more than {most} bytes")
                else:
                    pipes.unregister(pipe)
            if not ready and has_ended:
                return ""  # it has ended, and what holds its output open is a helper that did not
    for pause in _pauses():
        if process.poll() is not None:
            return ""
        if time.monotonic() - heard >= deadlines.silence:
            break
        time.sleep(pause)
    return f"it did not end for {deadlines.silence:.0f} s"


def _pauses() -> Iterator[float]:
    """Seconds between looks at a process that has closed its output: most end in the same millisecond."""
    pause = _LOOK / 400
    while True:
        yield pause
        pause = min(2 * pause, _LOOK / 10)


def complaint(errors: str) -> str:
    """What git complained of, without the progress that it showed on the way."""
    lines = (line.rstrip() for line in re.split(r"[\r\n]+", errors))
    return "\n".join(line for line in lines if line and not _PROGRESS.match(line))


_PROGRESS = re.compile(
    r"(?:remote: +)?(?:Enumerating|Counting|Compressing|Receiving|Writing|Unpacking|Total|Delta compression)\b"
    r"|(?:remote: +)?Resolving deltas|Cloning into|From https?://|To https?://"
)
