"""The root directory of a container that sees the host's programs: empty folders and links, a megabyte at the most.

What lies in it is the host's alone, and read-only inside. Programs are bound over its folders when a container starts.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

from hive.agent.enter import INSIDE
from hive.reconcile.backends.surroundings import CONFIG, SOCKETS, STATE, source, system

NAME = "root"
MOUNT_SECONDS = 60.0
FOLDERS = ("dev", "etc", "proc", "run", "sys", "tmp", "usr", "var")
FILES = ("etc/group", "etc/hostname", "etc/hosts", "etc/resolv.conf", "run/.containerenv")
"""Files that a backend may want to bind over, or that programs expect."""


def make(root: Path) -> list[tuple[str, str]]:
    """Make or complete a root directory; returns what of the host to bind read-only, as (from, to). Raises OSError."""
    for name in (*FOLDERS, *(place.lstrip("/") for place in (CONFIG, STATE, SOCKETS, f"{INSIDE}/hive/agent"))):
        _folder(root, name)
    for name in FILES:
        _file(root, name)
    _file(root, "etc/passwd", (source() / "hive" / "agent" / "passwd").read_text())
    binds = [(str(source() / "hive" / "agent"), f"{INSIDE}/hive/agent")]
    for path in system():
        name = str(path).lstrip("/")
        if path.is_symlink() and path.parent == Path("/"):
            if not (root / name).is_symlink():
                (root / name).symlink_to(path.readlink())
            continue
        if path.is_dir():
            _folder(root, name)
        else:
            _file(root, name)
        binds.append((str(path), str(path)))
    return binds


def show(tree: Path, root: Path) -> list[tuple[str, str]]:
    """Show another root directory in this one's place, read-only, until it is unmounted; nothing is to be bound. Raises OSError."""
    _folder(root, "")
    for words in (("--bind", str(tree), str(root)), ("-o", "remount,bind,ro,nosuid,nodev", str(root))):
        try:
            subprocess.run(["mount", *words], check=True, capture_output=True, text=True, timeout=MOUNT_SECONDS)
        except subprocess.SubprocessError as error:
            raise OSError(5, "it cannot be mounted", str(tree)) from error
    return []


def remove(root: Path) -> None:
    """Remove a root directory, unless something is mounted below it: then it is the host's files that would go."""
    if any(place.is_relative_to(root) for place in mounts()):
        return
    with contextlib.suppress(OSError):
        for folder, folders, files in os.walk(root, topdown=False):
            for name in (*folders, *files):
                path = Path(folder, name)
                if path.is_symlink() or path.is_file():
                    path.unlink()
                else:
                    path.rmdir()
        root.rmdir()


def mounts() -> list[Path]:
    """What is mounted on this host, in the order of its mounting."""
    return [Path(line.split(" ")[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def _folder(root: Path, name: str) -> None:
    folder = root
    for part in ("", *Path(name).parts):
        folder = folder / part
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)


def _file(root: Path, name: str, content: str = "") -> None:
    _folder(root, str(Path(name).parent))
    file = root / name
    with contextlib.suppress(OSError):
        if file.read_text() == content:
            return
    file.write_text(content)
    file.chmod(0o644)
