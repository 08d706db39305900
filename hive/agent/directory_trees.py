"""Directories that commands write into as well: created as real ones, walked and removed at any depth.

A command creates ten thousand nested directories in a second. So walking neither recurses nor holds a handle for each
level; Python's own `os.walk` (until 3.11) and `shutil.rmtree` (until 3.12) recurse.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MODE = 0o700
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def ensure_directory(path: Path) -> Path:
    """A directory of ours; a link, file, fifo or socket that a command put in its place is taken away."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        path.mkdir(mode=MODE)
    elif path.stat().st_mode & MODE != MODE:
        path.chmod(MODE)
    return path


def remove_path(path: Path) -> None:
    """Remove whatever is at a path as far as possible; a link is removed itself."""
    with suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            with suppress(OSError):
                remove_tree(path)
        else:
            path.unlink()


def remove_tree(name: str | Path, *, at: int | None = None) -> None:
    """Take away a directory and all below it, following no link; `at` is the handle of the directory that holds it.

    What lies deeper is moved up to the top first, so that depth costs nothing. Raises OSError.
    """
    top = _entered(name, at)
    try:
        waiting = [*_emptied(top, top)]
        while waiting:
            below = _entered(waiting[-1], top)
            try:
                more = _emptied(below, top)
            finally:
                os.close(below)
            os.rmdir(waiting.pop(), dir_fd=top)
            waiting += more
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=at)


def _entered(name: str | Path, at: int | None) -> int:
    """The handle of a directory, which lets its owner in from then on."""
    try:
        handle = os.open(name, _DIRECTORY, dir_fd=at)
    except PermissionError:
        looked = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
        try:
            Path(f"/proc/self/fd/{looked}").chmod(MODE)
        finally:
            os.close(looked)
        handle = os.open(name, _DIRECTORY, dir_fd=at)
    if os.fstat(handle).st_mode & MODE != MODE:
        os.fchmod(handle, MODE)
    return handle


def _emptied(folder: int, top: int) -> list[str]:
    """Take away the files of a directory and move its directories to the top; returns their names there."""
    moved = []
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in found:
        if not is_folder:
            os.unlink(name, dir_fd=folder)
        elif folder == top:
            moved.append(name)
        else:
            moved.append(secrets.token_hex(16))
            os.close(_entered(name, folder))  # to move a directory is to write into it
            os.rename(name, moved[-1], src_dir_fd=folder, dst_dir_fd=top)
    return moved


def below(root: Path) -> Iterator[os.DirEntry[str]]:
    """Everything below a directory, following no link; raises OSError for what cannot be read."""
    waiting = [os.fspath(root)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            found = list(entries)
        yield from found
        waiting += [entry.path for entry in found if entry.is_dir(follow_symlinks=False)]
