"""What the hive keeps on a disk is its own: made so that nobody else can read it, looked at, and put right.

Private code, comments and transcripts lie below the state directory; its secrets belong to the secret store.
Only what the hive makes there is touched, and no link is followed.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

OTHERS = 0o077
"""What group and others may."""

OURS = ("agents", "heartbeats", "ledger.db*", "logs", "mirrors", "queue.db*", "work.wakeup", "*.lock")
"""What the hive makes in its state directory; forges of its own come to that.

Not its secrets: an exposed one may be known to others, and the secret store refuses it instead of closing it.
"""

THEIRS = frozenset({"gens", "run", "state"})
"""Directories of an agent that are handed over to it, below one that only the hive can enter."""


def be_private() -> None:
    """What this process and its children make from now on is nobody else's."""
    os.umask(OTHERS)


def exposed(state: Path, forges: tuple[str, ...] = ()) -> Iterator[Path]:
    """What others may read, enter or write; `forges` are the names of those that are kept here too."""
    if not state.is_dir():
        return
    for path in _ours(state, forges):
        with contextlib.suppress(OSError):  # it is gone by now
            mode = path.lstat().st_mode
            if mode & OTHERS and not stat.S_ISLNK(mode):
                yield path


def make_private(state: Path, forges: tuple[str, ...] = ()) -> list[Path]:
    """Close what is open to others; returns what could not be closed."""
    stayed = []
    for path in exposed(state, forges):
        try:
            _close(path)
        except FileNotFoundError:
            continue
        except OSError:
            stayed.append(path)
    return stayed


def _ours(state: Path, forges: tuple[str, ...]) -> Iterator[Path]:
    yield state
    for pattern in (*OURS, *forges):
        for path in sorted(state.glob(pattern)):
            yield path
            if path.is_dir() and not path.is_symlink():
                yield from _below(path)


def _below(root: Path) -> Iterator[Path]:
    is_agents = root.name == "agents"
    for folder, folders, files in os.walk(root):  # links to directories are listed, not entered
        here = Path(folder)
        if is_agents and here.parent == root:
            folders[:] = [name for name in folders if name not in THEIRS]
        for name in (*folders, *files):
            yield here / name


def _close(path: Path) -> None:
    """Take from others what they may: of the very file that is looked at, which no link can be put before."""
    file = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        mode = os.fstat(file).st_mode
        if not stat.S_ISLNK(mode):
            Path(f"/proc/self/fd/{file}").chmod(stat.S_IMODE(mode) & ~OTHERS)
    finally:
        os.close(file)
