"""Reads files page by page, and lists folders. What is too large, too long or no text is said in words.

A file may be as large as a disk, and a line as long as a file: neither is ever held in memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hive.agent.errors import ToolError
from hive.agent.pictures import MAX_BYTES, Picture, kind_of

LINES, PAGE = 400, 18_000
"""How many lines a page has if no number is given, and how many characters at most."""

LONGEST = 1_000
"""Characters that are shown of one line."""

SCANNED = 64 << 20
"""Bytes that are read to find a line: where it is further away, a command finds it."""

NAMES = 300
"""How many names of a folder are shown."""

_CHUNK = 1 << 16
_BEGINNING = 8192
"""The bytes by which text is told from what is none."""

FAR = "Line {line} of {path} is not within its first {size} MiB: look at it by a command, such as `tail` or `sed -n`."
NO_LINE = "{path} has no line {line}: it has {count}."
BINARY = "{path} is no text: {size} bytes that begin with {begin}. Look at it by a command."
TOO_LARGE = "{path} is a picture of {size} bytes, which is too large to be looked at: make a smaller one by a command."
UNSEEN = "{path} is a picture ({kind}, {size} bytes), and you cannot look at pictures."
PICTURE = "{path} ({kind}, {size} bytes):"


def read(place: Path, path: str, line: int = 1, lines: int = LINES, *, pictures: bool = False) -> str:
    """A page of a text file with numbers of lines, the names in a folder, or a Picture; raises ToolError and OSError.

    `path` is what the file is called in what is said of it.
    """
    if place.is_dir():
        return _names(place, path)
    if not place.is_file():
        raise ToolError(f"There is no file {path}.")
    with place.open("rb") as file:
        begin = file.read(_BEGINNING)
        size = os.fstat(file.fileno()).st_size
        if kind := kind_of(begin):
            return _picture(file, path, kind, size, pictures=pictures)
        if b"\0" in begin:
            raise ToolError(BINARY.format(path=path, size=size, begin=begin[:8].hex(" ")))
        file.seek(0)
        return _page(file, path, line, lines)


def _picture(file: BinaryIO, path: str, kind: str, size: int, *, pictures: bool) -> Picture:
    if not pictures:
        raise ToolError(UNSEEN.format(path=path, kind=kind, size=size))
    if size > MAX_BYTES:
        raise ToolError(TOO_LARGE.format(path=path, size=size))
    file.seek(0)
    return Picture(PICTURE.format(path=path, kind=kind, size=size), kind, file.read(MAX_BYTES))


def _page(file: BinaryIO, path: str, first: int, lines: int) -> str:
    page: list[str] = []
    room, number, more = PAGE, 0, False
    for number, text in enumerate(_lines(file, path, first), 1):
        if number < first:
            continue
        shown = f"{number:>6}\t{text}"
        if page and (number >= first + lines or len(shown) > room):
            more = True
            break
        page.append(shown)
        room -= len(shown) + 1
    if not page:
        if first == 1:
            return f"[{path} is empty]"
        raise ToolError(NO_LINE.format(path=path, line=first, count=number))
    end = f"[there is more: go on with line {number}]" if more else f"[end of {path}]"
    return "\n".join([*page, end])


def _lines(file: BinaryIO, path: str, first: int) -> Iterator[str]:
    """The lines without their ends; of one that is too long only its begin, and how much is missing."""
    scanned = number = 0
    while begin := file.readline(_CHUNK):
        number += 1
        length, last = len(begin), begin
        while not last.endswith(b"\n") and scanned + length <= SCANNED and (last := file.readline(_CHUNK)):
            length += len(last)
        scanned += length
        if scanned > SCANNED:
            raise ToolError(FAR.format(line=max(first, number), path=path, size=SCANNED >> 20))
        yield _shown(begin, length)


def _shown(begin: bytes, length: int) -> str:
    text = begin[: 4 * LONGEST].decode(errors="replace").rstrip("\r\n")
    if len(text) <= LONGEST and length <= 4 * LONGEST:
        return text
    return f"{text[:LONGEST]} … [a line of {length} bytes]"


def _names(place: Path, path: str) -> str:
    with os.scandir(place) as entries:
        found = sorted((entry.name, _ending(entry)) for entry in entries if entry.name != ".git")
    shown = [f"{name if name.isprintable() else ascii(name)}{ending}" for name, ending in found[:NAMES]]
    if len(found) > NAMES:
        shown.append(f"[{len(found) - NAMES} more names]")
    return "\n".join(shown) or f"[{path} is an empty folder]"


def _ending(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return " (a link)"
    return "/" if entry.is_dir() else ""
