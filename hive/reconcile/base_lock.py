"""What the packages of every container are on this host: the lock of a base, and how one differs from another."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from hive.config.base_yaml import Base
from hive.reconcile.build import BASE, resolve

ABSENT = "absent"
"""What a package is that the host does not have."""
NIXPKGS = "nixpkgs"
"""The key of what systems of NixOS are built from."""
DIGITS = 16
CHUNK = 1 << 20


def lock_of(base: Base, path: Sequence[str], nixpkgs: Path | None = None) -> dict[str, str]:
    """What each package of every container is here: 16 hexadecimal digits for where its programs are and what they hold.

    `nixpkgs` is what systems of NixOS are built from, if this host builds any. Raises OSError for a program that cannot be read.
    """
    said = {package: _digest(resolve(package, path)) for package in (*BASE, *base.packages)}
    return said if nixpkgs is None else {**said, NIXPKGS: str(nixpkgs.resolve())}


def lock_differences(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    """How one lock differs from another, in sentences."""
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            yield f"{name} is {new[name]}, and not in the lock"
        elif name not in new:
            yield f"{name} is in the lock, and no container holds it for all"
        elif old[name] != new[name]:
            yield f"{name}: {old[name]} → {new[name]}"


def _digest(commands: Mapping[str, str]) -> str:
    if not commands:
        return ABSENT
    said = hashlib.sha256()
    for name, file in sorted(commands.items()):
        found = Path(file).stat()
        said.update(f"{name}\0{file}\0{_content(file, found.st_mtime_ns, found.st_size, found.st_ino)}\0".encode())
    return said.hexdigest()[:DIGITS]


@lru_cache(maxsize=2048)
def _content(file: str, *_: int) -> str:
    """A digest of what a file holds, which is read again when it has changed."""
    said = hashlib.sha256()
    with contextlib.suppress(FileNotFoundError), Path(file).open("rb") as opened:
        while chunk := opened.read(CHUNK):
            said.update(chunk)
    return said.hexdigest()
