"""Git's objects: written without a process, and what was once read of them kept, for an object never changes."""

from __future__ import annotations

import hashlib
import os
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
Node: TypeAlias = "dict[bytes, tuple[str, str] | Node]"
"""A directory: the mode and the sha of each entry, or its entries where something changes below it."""

LONGEST = 64 << 10
"""The most bytes of an answer that is kept."""

_TREE = "040000"
_HEXADECIMAL = frozenset("0123456789abcdef")


class ObjectMemory:
    """The newest answers about objects, by repository, question and sha."""

    def __init__(self, most: int = 4096) -> None:
        self._most = most
        self._known: OrderedDict[tuple[Path, str, str], Any] = OrderedDict()
        self._lock = threading.Lock()

    def recall(self, path: Path, question: str, sha: str, ask: Callable[[], T]) -> T:
        """The answer to a question about an object, asked once; what cannot be answered is asked again."""
        key = (path, question, sha)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                found: T = self._known[key]
                return found
        answer = ask()
        if isinstance(answer, bytes) and len(answer) > LONGEST:
            return answer
        with self._lock:
            self._known[key] = answer
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return answer

    def forget(self, path: Path) -> None:
        """A repository begins, or is gone."""
        with self._lock:
            for key in [key for key in self._known if key[0] == path]:
                del self._known[key]


MEMORY = ObjectMemory()
"""What this process knows."""


class Recollection:
    """What is known of the objects of one repository; nothing, where they need not last: those of a push may be refused."""

    def __init__(self, repository: Path, *, lasts: bool) -> None:
        self._repository = repository
        self._lasts = lasts

    def __call__(self, question: str, sha: str, ask: Callable[[], T]) -> T:
        """The answer to a question about an object, which its whole sha names."""
        if self._lasts and len(sha) == 40 and not set(sha) - _HEXADECIMAL:
            return MEMORY.recall(self._repository, question, sha, ask)
        return ask()


def store(repository: Path, kind: str, content: bytes) -> str:
    """Write a loose object, all of it or nothing; answers its sha."""
    data = f"{kind} {len(content)}".encode() + b"\0" + content
    sha = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    place = repository / "objects" / sha[:2] / sha[2:]
    if not place.exists():
        place.parent.mkdir(exist_ok=True)
        fresh = place.with_name(
            f"tmp_obj_{os.urandom(8).hex()}"
        )  # as git names its own, and finds what is left of a crash
        fresh.write_bytes(zlib.compress(data, 1))
        fresh.chmod(0o444)
        fresh.rename(place)
    return sha


class TreeWriter:
    """Makes the tree of a directory in which files are set and removed; `read` answers the entries of a tree."""

    def __init__(self, repository: Path, read: Callable[[str], Mapping[bytes, tuple[str, str]]]) -> None:
        self._repository = repository
        self._read = read

    def write(self, base: str, changes: Mapping[str, str | None]) -> str:
        """The sha of the tree of `base` with blobs set at paths, or removed for None."""
        root = self._open(base)
        for path, sha in changes.items():
            self._set(root, path.encode(), sha)
        return self._store(root)

    def _open(self, sha: str) -> Node:
        return dict(self._read(sha))

    def _set(self, node: Node, path: bytes, sha: str | None) -> None:
        name, _, rest = path.partition(b"/")
        there = node.get(name)
        if rest:
            if not isinstance(there, dict):
                there = self._open(there[1]) if there and there[0] == _TREE else {}
            self._set(there, rest, sha)
            if there:
                node[name] = there
            elif name in node and _is_directory(node[name]):
                del node[name]  # git knows no empty directories
        elif sha is not None:
            node[name] = ("100644", sha)
        elif there is not None and not _is_directory(there):
            del node[name]

    def _store(self, node: Node) -> str:
        rows = [(name, *self._entry(entry)) for name, entry in node.items()]
        # Directories stand where their name would with a slash behind it.
        rows.sort(key=lambda row: row[0] + b"/" if row[1] == _TREE else row[0])
        lines = [mode.lstrip("0").encode() + b" " + name + b"\0" + bytes.fromhex(sha) for name, mode, sha in rows]
        return store(self._repository, "tree", b"".join(lines))

    def _entry(self, entry: tuple[str, str] | Node) -> tuple[str, str]:
        return (_TREE, self._store(entry)) if isinstance(entry, dict) else entry


def _is_directory(entry: tuple[str, str] | Node) -> bool:
    return isinstance(entry, dict) or entry[0] == _TREE
