"""The long outputs of commands, in files that can be read page by page. Never more than some of them, nor larger ones."""

from __future__ import annotations

import os
import stat
from collections import deque
from contextlib import suppress
from pathlib import Path

from hive.agent.directory_trees import ensure_directory, remove_path

MAX_HEAD, MAX_TAIL = 8 << 20, 1 << 18
"""The bytes that are kept of one output, from its start and from its end."""

MAX_FILES, MAX_BYTES = 20, 48 << 20
"""How many files of a run are kept, and how large they are together; the oldest go first."""

NAME = "output"
"""The folder below that of a run; commands may read it where they have namespaces of their own."""

GAP = "\n… {count} bytes were not kept …\n"


class OutputFolder:
    """Files named 1, 2, 3 …, the newest last."""

    def __init__(self, run: Path) -> None:
        self.path = ensure_directory(run / NAME)
        self.path.chmod(0o755)  # commands may be another user

    def begin(self) -> OutputFile:
        """A file for one more output; raises OSError."""
        numbers = sorted(self._numbers())
        return OutputFile(self.path / str(numbers[-1] + 1 if numbers else 1))

    def prune(self) -> None:
        """Remove the oldest beyond what is kept."""
        size = 0
        for count, number in enumerate(sorted(self._numbers(), reverse=True)):
            path = self.path / str(number)
            with suppress(OSError):
                size += path.lstat().st_size
                if count >= MAX_FILES or size > MAX_BYTES:
                    remove_path(path)

    def find(self, path: str) -> Path | None:
        """The file of that path, if it is one of these."""
        asked = Path(path)
        if asked.parent != self.path or not asked.name.isdecimal():
            return None
        with suppress(OSError):
            return asked if stat.S_ISREG(asked.lstat().st_mode) else None
        return None

    def _numbers(self) -> list[int]:
        with os.scandir(self.path) as entries:
            return [int(entry.name) for entry in entries if entry.name.isascii() and entry.name.isdecimal()]


class OutputFile:
    """One output as it is written: its head goes to disk at once, the end of what is too long when it is over."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self._room = MAX_HEAD
        self._tail: deque[bytes] = deque()
        self._held = self._left_out = 0

    def add(self, chunk: bytes) -> None:
        """Write more of it."""
        now, later = chunk[: self._room], chunk[self._room :]
        self._write(now)
        self._room -= len(now)
        if not later:
            return
        self._tail.append(later)
        self._held += len(later)
        while self._held - len(self._tail[0]) >= MAX_TAIL:
            oldest = self._tail.popleft()
            self._held -= len(oldest)
            self._left_out += len(oldest)

    def close(self) -> None:
        """Write what is left; `problem` says afterwards what kept it from being written, if anything did."""
        if self._left_out:
            self._write(GAP.format(count=self._left_out).encode())
        for chunk in self._tail:
            self._write(chunk)
        os.close(self._file)

    def _write(self, data: bytes) -> None:
        if self.problem:
            return
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            self.problem = error.strerror or str(error)
