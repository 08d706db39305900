"""Keeps the state directory private: creates files with private modes, checks and corrects them.

Private code, comments and transcripts lie below the state directory; its secrets belong to the secret store.
Only what the hive creates there is touched, and no link is followed.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

OTHERS = 0o077
"""What group and others may."""

OURS = (
    *(
        "agents",
        "heartbeats",
        "ledger.db*",
        "limits.json",
        "logs",
        "mirrors",
        "pushes",
        "queue.db*",
        "*.wakeup",
        "*.lock",
    ),
)
"""What the hive creates in its state directory, beside embedded forges.

Not its secrets: an exposed one may be known to others, and the secret store refuses it instead of closing it.
"""

THEIRS = frozenset({"gens", "root", "run", "state"})
"""Directories of an agent that are handed over or shown to it, below one that only the hive can enter."""


def be_private() -> None:
    """Files that this process and its children create from now on are private."""
    os.umask(OTHERS)


def exposed(state: Path, forges: tuple[str, ...] = ()) -> Iterator[Path]:
    """What others may read, enter or write; `forges` are the names of embedded ones."""
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
    """Remove the rights of others from exactly this file, which no link can replace."""
    file = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        mode = os.fstat(file).st_mode
        if not stat.S_ISLNK(mode):
            Path(f"/proc/self/fd/{file}").chmod(stat.S_IMODE(mode) & ~OTHERS)
    finally:
        os.close(file)
