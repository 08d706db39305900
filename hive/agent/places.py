"""Directories of the harness below `state`, where commands write too: each is made a real one before it is used."""

from __future__ import annotations

import shutil
from pathlib import Path

MODE = 0o700


def real(path: Path) -> Path:
    """A directory of ours; a link, file, fifo or socket that a command put in its place is taken away."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        path.mkdir(mode=MODE)
    elif path.stat().st_mode & MODE != MODE:
        path.chmod(MODE)
    return path


def gone(path: Path) -> None:
    """Take away whatever lies at a path; a link is taken away itself."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
