"""Text files of a work tree, written and edited. Never touches anything outside of it."""

from __future__ import annotations

import os
from pathlib import Path

from hive.agent.errors import Mistake


def write(tree: Path, path: str, content: str) -> str:
    """Put a file there, its folders too."""
    place = inside(tree, path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content.encode())
    _belong(tree, place)
    return f"Wrote {path}."


def edit(tree: Path, path: str, old: str, new: str) -> str:
    """Replace the only place where `old` stands; an edit that is made again after a crash changes nothing."""
    place = inside(tree, path)
    if not place.is_file():
        raise Mistake(f"There is no file {path}.")
    text = place.read_bytes().decode()
    if new and text.count(new) == 1 and old not in text.replace(new, "", 1):
        return f"{path} reads so already."
    count = text.count(old) if old else 0
    if count != 1:
        raise Mistake(f"The old text must stand exactly once in {path}; it stands there {count} times.")
    place.write_bytes(text.replace(old, new, 1).encode())
    return f"Edited {path}."


def inside(tree: Path, path: str) -> Path:
    """The place of a path, seen from the tree; raises Mistake for one that leads out of it or into git's own files."""
    asked = Path(path)
    place = (tree / asked).resolve()
    if ".." in asked.parts or not place.is_relative_to(tree.resolve()):
        raise Mistake(f"{path} lies outside of the work tree.")
    if ".git" in place.relative_to(tree.resolve()).parts:
        raise Mistake(f"{path} belongs to git.")
    return place


def _belong(tree: Path, place: Path) -> None:
    """Let a file and the folders on its way belong to whom the tree belongs: commands may be another user than we."""
    owner = tree.stat()
    root = tree.resolve()
    for path in (place, *place.parents):
        if path == root:
            return
        if path.lstat().st_uid != owner.st_uid:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
