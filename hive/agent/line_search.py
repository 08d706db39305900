"""Searches files line by line, as a process of its own: a pattern may take for ever, and is stopped then.

It reads a question from its input, JSON on one line and then the names of files, each ended by NUL, and writes its answer as
JSON. Follows no link, opens nothing but files, and holds one of them at a time.
"""

from __future__ import annotations

import json
import os
import re
import resource
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

LARGEST = 9 << 20
"""Bytes of a file that is searched."""

SECONDS, CPU = 10.0, 20
"""How long the search goes on to the next file, and seconds of CPU after which it is killed."""

MEMORY = 512 << 20
MATCHES, OF_ONE = 100, 30
"""How many lines are found in all, and in one file."""

BEFORE, SHOWN = 80, 300
"""Characters that are shown of a line: before the match, and in all."""

_BEGINNING = 8192


@dataclass(slots=True)
class Found:
    """What was found: path, number and text of each line; names of files that were too large; whether there is more."""

    lines: list[tuple[str, int, str]] = field(default_factory=list)
    large: list[str] = field(default_factory=list)
    files: int = 0
    more: bool = False
    late: bool = False
    problem: str = ""


def main() -> None:
    """Answer the question of the input."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU + 1))
    asked, _, names = sys.stdin.buffer.read().partition(b"\n")
    sys.stdout.write(json.dumps(asdict(answer(json.loads(asked), names.split(b"\0")))))


def answer(asked: dict[str, Any], names: Iterable[bytes]) -> Found:
    """What was found in files of these names."""
    found, until = Found(), time.monotonic() + SECONDS
    try:
        pattern = re.compile(asked["pattern"])
    except (re.error, OverflowError, RecursionError) as error:
        return Found(problem=f"{error}")
    for name in names:
        if not name or not _fits(os.fsdecode(name), asked["files"]):
            continue
        if found.late or found.more:
            break
        _search(name, pattern, found)
        found.late = time.monotonic() >= until
    return found


def _fits(name: str, wanted: str) -> bool:
    return not wanted or fnmatchcase(name if "/" in wanted else name.rpartition("/")[2], wanted)


def _search(name: bytes, pattern: re.Pattern[str], found: Found) -> None:
    data = _content(name, found)
    if data is None:
        return
    found.files += 1
    count = 0
    for number, line in enumerate(_lines(data), 1):
        match = pattern.search(line)
        if match is None:
            continue
        if len(found.lines) >= MATCHES:
            found.more = True
            return
        count += 1
        if count > OF_ONE:
            found.lines.append((_name(name), number, "[more of this file is not shown]"))
            return
        found.lines.append((_name(name), number, _window(line, match.start())))


def _content(name: bytes, found: Found) -> bytes | None:
    """A text file; None for everything else, which is noted if it is too large."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    facts = os.fstat(file)
    if not stat.S_ISREG(facts.st_mode):  # a submodule is listed among the files
        os.close(file)
        return None
    with os.fdopen(file, "rb") as opened:
        begin = opened.read(_BEGINNING)
        if b"\0" in begin:
            return None
        if facts.st_size > LARGEST:
            found.large.append(_name(name))
            return None
        return begin + opened.read(LARGEST)


def _lines(data: bytes) -> Iterator[str]:
    return (line.removesuffix("\r") for line in data.decode(errors="replace").removesuffix("\n").split("\n"))


def _window(line: str, at: int) -> str:
    start = max(0, at - BEFORE) if len(line) > SHOWN else 0
    text = line[start : start + SHOWN]
    return f"{'… ' if start else ''}{text}{' …' if start + SHOWN < len(line) else ''}"


def _name(name: bytes) -> str:
    text = os.fsdecode(name)
    return text if text.isprintable() else ascii(text)
