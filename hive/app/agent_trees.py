"""What lies in a directory that an agent may change meanwhile, entry by entry. Follows no link, reads nothing outside."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hive.reconcile.dir_handles import DirHandle

LONGEST_PATH = 2_000
"""Bytes of the longest path that is read: the kernel resolves none above 4096."""

LARGEST_FILE = 4 << 30
"""Bytes of the largest file that is read, holes included: a hole is free for the agent, and not for a reader."""

LeftOut = Callable[[str, str], None]
"""Hears the path of what is left out, and why."""


@dataclass(frozen=True, slots=True)
class StateEntry:
    """A directory, link or regular file; `handle` is that of a file, open until the next entry is asked for."""

    path: str
    seen: os.stat_result
    target: str = ""
    handle: int = -1


def entries(root: Path, left_out: LeftOut) -> Iterator[StateEntry]:
    """Every entry below a directory and itself (`.`), each directory before what it holds. Raises OSError for the root."""
    parent = os.open(root.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with DirHandle(root.parent, parent) as above, above.existing(root.name) as top:
        yield StateEntry(".", os.fstat(top.fd))
        waiting = [""]
        while waiting:
            inside = waiting.pop()
            for entry in _within(top, inside, left_out):
                if stat.S_ISDIR(entry.seen.st_mode):
                    waiting.append(entry.path)
                yield entry


def _within(top: DirHandle, inside: str, left_out: LeftOut) -> Iterator[StateEntry]:
    try:
        folder = top.existing(inside) if inside else DirHandle(top.path, os.dup(top.fd))
    except OSError as error:
        left_out(inside, _why(error))
        return
    with folder:
        for name in folder.names():
            path = f"{inside}/{name}" if inside else name
            if len(os.fsencode(path)) > LONGEST_PATH:
                left_out(path, "its path is too long")
                continue
            try:
                yield from _entry(folder, name, path, left_out)
            except OSError as error:
                left_out(path, _why(error))


def _entry(folder: DirHandle, name: str, path: str, left_out: LeftOut) -> Iterator[StateEntry]:
    seen = os.stat(name, dir_fd=folder.fd, follow_symlinks=False)
    if stat.S_ISDIR(seen.st_mode):
        yield StateEntry(path, seen)
    elif stat.S_ISLNK(seen.st_mode):
        yield StateEntry(path, seen, target=os.readlink(name, dir_fd=folder.fd))
    elif not stat.S_ISREG(seen.st_mode):
        left_out(path, "neither a file, a directory nor a link")
    else:
        handle = folder.open(name, os.O_RDONLY)  # it may be another file by now: what counts is what was opened
        try:
            opened = os.fstat(handle)
            if opened.st_size > LARGEST_FILE:
                left_out(path, "larger than 4 GiB")
            else:
                yield StateEntry(path, opened, handle=handle)
        finally:
            os.close(handle)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
