"""What is in a root directory that was made of packages: its versions, its digest, and what a container needs beside."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from hive.agent.directory_trees import remove_tree
from hive.agent.enter import INSIDE
from hive.reconcile.backends.surroundings import CONFIG, SOCKETS, STATE, source

BASE = (
    "bash",
    "coreutils",
    "diffutils",
    "findutils",
    "git",
    "grep",
    "gzip",
    "mawk",
    "patch",
    "python3",
    "sed",
    "tar",
    "unzip",
)
"""What every container has: what the harness runs on, and enough to read, change, check and push a repository."""

PYTHON = "/usr/bin/python3"
"""What the harness runs on there."""

PROGRAMS = "/usr/local/bin:/usr/bin:/bin"
"""Where programs are there."""

BINDS = [
    (str(source() / "hive" / "agent"), f"{INSIDE}/hive/agent"),
    (str(source() / "hive" / "agent" / "passwd"), "/etc/passwd"),
]
"""What of this host is bound over it, read-only, as (from, to)."""

FOLDERS = ("dev", "proc", "run", "sys", "tmp", CONFIG[1:], STATE[1:], SOCKETS[1:], f"{INSIDE[1:]}/hive/agent")
FILES = (
    "etc/group",
    "etc/hostname",
    "etc/hosts",
    "etc/machine-id",
    "etc/passwd",
    "etc/resolv.conf",
    "run/.containerenv",
)
"""Files that are made empty, or bound over: what they hold comes from the host that installed the packages."""

LEFT = ("var/cache", "var/lib/apt/lists", "var/log")
"""What installing left behind; it has times in it."""


def installed(tree: Path) -> dict[str, str]:
    """The packages of a root directory, with their versions."""
    found: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for block in (tree / "var/lib/dpkg/status").read_text(errors="replace").split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1].isalpha() and ": " in line)
            if fields.get("Status") == "install ok installed":
                found[fields["Package"]] = fields.get("Version", "")
    return found


def known_names(tree: Path) -> set[str]:
    """The names of all packages that the distribution has, as apt read them there."""
    found: set[str] = set()
    for lists in (tree / "var/lib/apt/lists").glob("*_Packages"):
        with contextlib.suppress(OSError), lists.open(errors="replace") as file:
            found.update(line[9:].strip() for line in file if line.startswith("Package: "))
    return found


def finish(tree: Path) -> None:
    """Take away what differs from one making to the next, and lay out what a container mounts over."""
    for name in LEFT:
        for path in (tree / name).iterdir() if (tree / name).is_dir() else ():
            path.unlink() if path.is_symlink() or path.is_file() else remove_tree(path)
    for name in FOLDERS:
        (tree / name).mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (tree / name).unlink(missing_ok=True)
        (tree / name).write_text("")
        (tree / name).chmod(0o644)
    (tree / "etc/mtab").unlink(missing_ok=True)
    (tree / "etc/mtab").symlink_to("../proc/self/mounts")
    tree.chmod(0o755)


def digest_of(tree: Path) -> str:
    """The SHA-256 of all paths, kinds, modes, owners, targets and contents of a directory; times do not count."""
    total = hashlib.sha256()
    for name, at in _entries(tree):
        kind = stat.S_IFMT(at.st_mode)
        total.update(os.fsencode(f"{name}\0{kind:o}\0{at.st_mode & 0o7777:o}\0{at.st_uid}\0{at.st_gid}\0"))
        if kind == stat.S_IFLNK:
            total.update(os.fsencode((tree / name).readlink()))
        elif kind == stat.S_IFREG:
            with (tree / name).open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def seal_of(tree: Path) -> str:
    """What changes with any write below a directory, found without reading a file: who writes cannot set a change time."""
    total = hashlib.sha256()
    for name, at in _entries(tree):
        total.update(os.fsencode(f"{name}\0{at.st_mode}\0{at.st_size}\0{at.st_ino}\0{at.st_ctime_ns}\0"))
    return total.hexdigest()


def _entries(tree: Path) -> Iterator[tuple[str, os.stat_result]]:
    """The names of all that is below a directory, in one order, without following a link: thousands, for each start."""
    left = [""]
    while left:
        folder = left.pop()
        with os.scandir(f"{tree}/{folder}") as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            name = f"{folder}{entry.name}"
            yield name, entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                left.append(f"{name}/")
