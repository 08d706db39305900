"""Text files of a work tree, written and edited. Never touches anything outside of it."""

from __future__ import annotations

import os
import re
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path

from hive.agent.errors import ToolError

LF, CRLF = "\n", "\r\n"
MAX_BYTES = 8 << 20
"""Of a file that is edited: a command may have made one as long as the disk."""

_END = re.compile("\r?\n")


def write(tree: Path, path: str, content: str) -> str:
    """Write a file and its folders; a file whose lines all end with CRLF keeps that."""
    place = inside(tree, path)
    is_there = place.is_file() and place.stat().st_size <= MAX_BYTES
    before = _ends(place.read_bytes().decode(errors="replace")) if is_there else []
    if CRLF not in content and set(before) == {CRLF}:
        content = content.replace(LF, CRLF)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content.encode())
    _belong(tree, place)
    return f"Wrote {path}."


def put(tree: Path, path: str, content: bytes) -> None:
    """Write a file and its folders, byte for byte."""
    place = inside(tree, path)
    if place.is_dir():
        raise ToolError(f"{path} is a folder.")
    make_folder(tree, path)
    place.write_bytes(content)
    _belong(tree, place)


def make_folder(tree: Path, path: str) -> None:
    """Make the folders on the way to a file."""
    folder = inside(tree, path).parent
    folder.mkdir(parents=True, exist_ok=True)
    _belong(tree, folder)


def edit(tree: Path, path: str, old: str, new: str) -> str:
    """Replace the only occurrence of `old`, independent of line ends; each line keeps its own.

    An edit that is repeated after a crash changes nothing.
    """
    place = inside(tree, path)
    if not place.is_file():
        raise ToolError(f"There is no file {path}.")
    if place.stat().st_size > MAX_BYTES:
        raise ToolError(f"{path} is larger than {MAX_BYTES >> 20} MiB: change it by a command.")
    text = place.read_bytes().decode()
    plain, old, new = (each.replace(CRLF, LF) for each in (text, old, new))
    if new and plain.count(new) == 1 and old not in plain.replace(new, "", 1):
        return f"{path} reads so already."
    count = plain.count(old) if old else 0
    if count != 1:
        raise ToolError(f"The old text must stand exactly once in {path}; it stands there {count} times.")
    place.write_bytes(_replaced(plain, _ends(text), old, new).encode())
    return f"Edited {path}."


def _ends(text: str) -> list[str]:
    """What each line of a text ends by."""
    return _END.findall(text)


def _replaced(plain: str, ends: list[str], old: str, new: str) -> str:
    """The text with `old` replaced, its lines ended by what they are ended by now."""
    start = plain.index(old)
    first, count = plain.count(LF, 0, start), old.count(LF)
    here = ends[first : first + count]
    around = next(iter([*ends[first : first + 1], *ends[first - 1 : first], *ends[:1]]), LF)
    kept = [*ends[:first], *_carried(old, new, here, around), *ends[first + count :]]
    lines = (plain[:start] + new + plain[start + len(old) :]).split(LF)
    return "".join(map("".join, zip_longest(lines, kept, fillvalue="")))


def _carried(old: str, new: str, ends: list[str], around: str) -> list[str]:
    """The line ends of `new`: unchanged lines keep theirs, new ones get that of the line before."""
    before, after = old.split(LF)[:-1], new.split(LF)[:-1]
    carried: list[str] = []
    for _, start, stop, begin, end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        for number in range(end - begin):
            own = ends[start + number : min(stop, start + number + 1)]
            carried.append(own[0] if own else carried[-1] if carried else around)
    return carried


def inside(tree: Path, path: str) -> Path:
    """A path relative to the tree; raises ToolError for one that leads outside or into `.git`."""
    asked = Path(path)
    place = Path(os.path.realpath(tree / asked))  # Path.resolve raises another error for a loop of links (until 3.12)
    if ".." in asked.parts or not place.is_relative_to(tree.resolve()):
        raise ToolError(f"{path} lies outside of the work tree.")
    if place.exists() and not place.is_file() and not place.is_dir():
        raise ToolError(f"{path} is no file that can be read or written: a fifo, a socket or a device.")
    if ".git" in place.relative_to(tree.resolve()).parts:
        raise ToolError(f"{path} belongs to git.")
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
