"""The attributes of a commit, for a merge in a bare repository: git looks for `.gitattributes` in a work tree or an index only.

Git 2.41 and later read them from a commit (`GIT_ATTR_SOURCE`), and those before do not; written out below a folder that is the work tree
of one git they are read by all alike.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hive.git_mirror.errors import GitError, TooLarge
from hive.git_mirror.git_process import GitProcess

NAME = ".gitattributes"
MOST_FILES = 2_000
MOST_BYTES = 4 << 20
"""Files with attributes of one commit, and their bytes together: beyond that it is not one that a person has written."""

FILES = ("100644", "100755")
"""Modes of what holds attributes: git follows no link to them (2.32)."""


@contextmanager
def attributes_of(git: GitProcess, commit: str) -> Iterator[GitProcess]:
    """A git that knows the attributes of a commit as a work tree of it would; raises GitError and TooLarge."""
    found = _files(git, commit)
    if not found:
        yield git
        return
    if len(found) > MOST_FILES:
        raise TooLarge(f"{len(found)} files {NAME}, and {MOST_FILES} is the most")
    with tempfile.TemporaryDirectory(prefix="hive-attributes-") as folder:
        left = MOST_BYTES
        for path, blob in found.items():
            text = git.read("cat-file", "blob", blob)
            left -= len(text)
            if left < 0:
                raise TooLarge(f"the files {NAME} have more than {MOST_BYTES} bytes")
            _write(Path(folder), path, text)
        places = {"GIT_DIR": os.fspath(git.path.absolute()), "GIT_WORK_TREE": folder}
        yield replace(
            git, path=Path(folder), more={**git.more, **places}
        )  # git looks for them below where it is started


def _files(git: GitProcess, commit: str) -> Mapping[str, str]:
    """The blobs with attributes in a commit, by path."""
    listed = git.run("ls-tree", "-r", "-z", "--full-tree", commit)
    found = {}
    for row in listed.split("\0"):
        facts, _, path = row.partition("\t")
        if path.rpartition("/")[2] == NAME and facts.split()[0] in FILES:
            found[path] = facts.split()[2]
    return found


def _write(folder: Path, path: str, text: bytes) -> None:
    place = folder / path
    if not place.resolve().is_relative_to(folder.resolve()):
        raise GitError(f"a path leaves the tree: {path[:80]!r}")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(text)
