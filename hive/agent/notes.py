"""An agent's own notes: a small file beside its runs that it changes itself, and is shown when a run begins."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from hive.agent.directory_trees import remove_path
from hive.agent.errors import ToolError
from hive.agent.text import visible

NAME = "notes.md"
"""The file below `state`: it survives rebuilds, as all of it does."""

MOST = 8_000
"""Characters of all notes together."""

_READ = 1 << 17
FULL = "There is no room for this: the notes would have {size} characters, and {most} is the most. Shorten them first."
ONCE = "The notes must hold what is to be replaced exactly once; they hold it {count} times. They are:\n{notes}"
NOTED = "Noted. Your notes have {size} of {most} characters."


class Notes:
    """The notes of one agent."""

    def __init__(self, state: Path) -> None:
        self._path = state / NAME

    @property
    def text(self) -> str:
        """All of them, without invisible characters; empty if there are none, or something else is in their place."""
        try:
            file = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            said = os.read(file, _READ) if stat.S_ISREG(os.fstat(file).st_mode) else b""
        finally:
            os.close(file)
        return visible(said.decode(errors="replace"))[:MOST].strip()

    def change(self, text: str, instead_of: str = "") -> str:
        """Add a text, or put it in the place of another; raises ToolError and OSError."""
        now, new = self.text, visible(text).strip()
        if not instead_of:
            has_it = f"\n{new}\n" in f"\n{now}\n"  # a call is made again after a crash
            changed = now if has_it else f"{now}\n{new}".strip()
        elif now.count(instead_of) == 1:
            changed = now.replace(instead_of, new).strip()
        elif new and now.count(new) == 1 and instead_of not in now:
            changed = now
        else:
            raise ToolError(ONCE.format(count=now.count(instead_of), notes=now))
        if len(changed) > MOST:
            raise ToolError(FULL.format(size=len(changed), most=MOST))
        self._write(changed)
        return NOTED.format(size=len(changed), most=MOST)

    def _write(self, text: str) -> None:
        draft = self._path.with_name(f"{NAME}.part")
        remove_path(draft)
        try:
            draft.write_text(f"{text}\n" if text else "", encoding="utf-8")
            if not self._path.is_file() or self._path.is_symlink():
                remove_path(self._path)
            draft.replace(self._path)
        except OSError:
            with suppress(OSError):
                remove_path(draft)
            raise
