"""The log of an agent's container: read from a pipe, limited, and safe to print.

The agent holds one end of a pipe and never the file. The host reads at its own pace, drops what is too much, and logs
how much that was.
"""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from hive.agent.enter import READY
from hive.reconcile.dir_handles import DirHandle, ForeignEntry

LOG_BYTES = 1 << 20
"""Of `log` as of `log.old`, which is what `log` was before it had grown to that."""

BYTES_PER_SECOND = 64 << 10
BURST_BYTES = 256 << 10
PAUSE_SECONDS = 0.05
"""Between two reads of a pipe whose writer is ahead of us: that bounds what it can make the host do."""

PIPE_BYTES = 1 << 20
TAIL_BYTES, LINE_BYTES = 16_384, 400
DROPPED = "[{count} bytes were dropped here: more than {limit} KiB a second]\n"
_UNUSUAL = re.compile(r"[^\n\t -~]")


@dataclass(slots=True)
class Allowance:
    """How many bytes may be written now: so many a second, and some at once after a silence."""

    now: float
    left: float = BURST_BYTES

    def take(self, wanted: int, now: float) -> int:
        """The part of what is wanted that may be written; that much is used up."""
        self.left = min(BURST_BYTES, self.left + (now - self.now) * BYTES_PER_SECOND)
        self.now = now
        granted = min(wanted, int(self.left))
        self.left -= granted
        return granted


@dataclass(slots=True)
class Log:
    """The log of one agent, in its directory on the host."""

    root: Path
    is_ready: bool = False
    """Whether the container said that it is set up: what it wrote before that are the words of what makes it."""
    _reader: threading.Thread | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def follow(self, pipe: IO[bytes]) -> None:
        """Keep what comes out of a pipe until its last writer is gone; returns at once."""
        with contextlib.suppress(OSError):  # a bigger pipe is more than this user may have: then it is a small one
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._reader = threading.Thread(target=self._read, args=(pipe,), name="log", daemon=True)
        self._reader.start()

    def wait(self, seconds: float) -> None:
        """Wait until all that the container wrote is in the log; it has ended, so that comes soon."""
        if self._reader is not None:
            self._reader.join(seconds)

    def note(self, line: str) -> None:
        """Add a line of the host's own."""
        self._write(f"{line}\n")

    def tail(self, lines: int) -> str:
        """The last lines, of about 400 characters at most."""
        with DirHandle.at(self.root) as folder:
            text = folder.read_end("log", max(TAIL_BYTES, lines * LINE_BYTES)).decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-lines:])

    def _read(self, pipe: IO[bytes]) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        allowance = Allowance(time.monotonic())
        dropped = 0
        head = b""
        with pipe:
            while chunk := os.read(pipe.fileno(), PIPE_BYTES):
                if not self.is_ready and len(head) < TAIL_BYTES:
                    head += chunk[:TAIL_BYTES]
                    self.is_ready = READY.encode() in head.splitlines()
                granted = allowance.take(len(chunk), time.monotonic())
                if dropped and granted == len(chunk):
                    self._say_dropped(dropped)
                    dropped = 0
                self._write(decoder.decode(chunk[:granted]))
                dropped += len(chunk) - granted
                if dropped:
                    time.sleep(PAUSE_SECONDS)
        self._write(decoder.decode(b"", final=True))
        if dropped:
            self._say_dropped(dropped)

    def _say_dropped(self, count: int) -> None:
        self._write("\n" + DROPPED.format(count=count, limit=BYTES_PER_SECOND >> 10))

    def _write(self, text: str) -> None:
        """Add text to the file, which is put aside when it is full; what a full disk does not take is lost."""
        data = shown(text).encode("utf-8", "backslashreplace")
        with self._guard, contextlib.suppress(OSError), DirHandle.at(self.root) as folder:
            if (size := folder.size("log")) and size + len(data) > LOG_BYTES:
                folder.rename("log", "log.old")
            with os.fdopen(_opened(folder), "wb") as file:
                file.write(data)


def _opened(folder: DirHandle) -> int:
    """The handle of the log; anything else of its name is removed."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    try:
        return folder.open("log", flags)
    except ForeignEntry:
        folder.remove("log")
        return folder.open("log", flags)


def shown(text: str) -> str:
    r"""Text for a terminal: what would move, colour, hide or reorder is written out, as `\x1b`."""
    return _UNUSUAL.sub(lambda found: found[0] if found[0].isprintable() else _escaped(found[0]), text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
