"""Files that a repository keeps in Git LFS: what a commit holds of them is a pointer, and there is no way to upload more from here."""

from __future__ import annotations

import os
from collections.abc import Iterable

from hive.agent.errors import GitToolError
from hive.agent.git import GitCommand

POINTER = b"version https://git-lfs.github.com/spec/v1\n"
"""How a pointer begins (git-lfs, docs/spec.md)."""

LONGEST_POINTER = 1024
"""Bytes of a pointer at the most, by the same text."""


def raw_files(git: GitCommand, base: str) -> list[str]:
    """Files of HEAD that differ from where it left the base, that belong to Git LFS, and that hold something else than a pointer.

    One that the base has so already is left out: a repository is not more broken by it than before.
    """
    changed = git.raw("diff", "-z", "--name-only", "--no-renames", "--diff-filter=d", f"{base}...HEAD").split(b"\0")[
        :-1
    ]
    if not changed:
        return []
    ours = [os.fsdecode(path) for path in changed if _utf8(path)]
    told = git.raw("check-attr", "-z", "--stdin", "filter", stdin="\0".join(ours)).split(b"\0")
    belong = [os.fsdecode(path) for path, value in zip(told[::3], told[2::3], strict=False) if value == b"lfs"]
    return [
        path for path in belong if not _is_pointer(git, "HEAD", path) and _is_pointer(git, base, path, missing=True)
    ]


def named(paths: Iterable[str], most: int = 10) -> str:
    """Some paths for a sentence."""
    found = list(paths)
    return ", ".join(found[:most]) + (", …" if len(found) > most else "")


def _is_pointer(git: GitCommand, commit: str, path: str, *, missing: bool = False) -> bool:
    """Whether a file of a commit is a pointer, or empty, which is its own pointer; `missing` is the answer without such a file."""
    try:
        size = int(git("cat-file", "-s", f"{commit}:{path}"))
    except GitToolError:
        return missing
    return size == 0 or (
        size <= LONGEST_POINTER and git.raw("cat-file", "blob", f"{commit}:{path}").startswith(POINTER)
    )


def _utf8(path: bytes) -> bool:
    """Whether a name can be given to git as text."""
    try:
        path.decode()
    except UnicodeDecodeError:
        return False
    return True
