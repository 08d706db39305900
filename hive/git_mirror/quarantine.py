"""The objects of a push, beside a mirror and not in it: looked at before anything of them reaches a forge.

Nothing is checked out, and no reference points to them. What is passed on is packed again, so that a forge gets what was
looked at and nothing else.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hive.git_mirror.errors import GitError, GitInterrupted, failure
from hive.git_mirror.git_process import GitProcess
from hive.git_mirror.mirror import SHA, Mirror

HEADS = "refs/hive/heads/"
"""The branches of the forge, as `Mirror.fetch_heads` keeps them."""

BATCH_BYTES = 16 << 20
"""How much is read from git at once; one object may be larger."""

EMPTY_TREES = (
    "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
)
"""The tree without entries, by SHA-1 and SHA-256: git knows it everywhere."""


def empty_tree(like: str) -> str:
    """The empty tree as it is named where another object is named like this."""
    return next(tree for tree in EMPTY_TREES if len(tree) == len(like))


@dataclass(frozen=True, slots=True)
class PushedObject:
    """One object that the forge does not have: `kind` as git says it, `path` where it was met first, empty for a commit."""

    sha: str
    kind: str
    size: int
    path: str


class Quarantine:
    """The objects of one push in a directory of their own, and those of a mirror behind them."""

    def __init__(self, mirror: Mirror, directory: Path) -> None:
        objects = directory / "objects"
        (objects / "pack").mkdir(parents=True)
        self._directory = directory
        places = {
            "GIT_OBJECT_DIRECTORY": str(objects),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(mirror.path / "objects"),
        }
        self._git = GitProcess(mirror.path, mirror.git.share, places)

    def unpack(self, pack: BinaryIO, *, most: int) -> None:
        """Index a pack; raises GitError for a broken one, or one whose objects point to some that are nowhere."""
        try:
            self._git.run("index-pack", "--stdin", "--fix-thin", "--strict", f"--max-input-size={most}", given=pack)
        except GitInterrupted as error:
            if "early EOF" not in str(error):  # which is about a connection elsewhere
                raise
            raise GitError("git index-pack: it is cut off") from error

    def head(self, branch: str) -> str:
        """The commit of a branch on the forge; empty without one."""
        status, out = self._git.call("rev-parse", "--verify", "--quiet", "--end-of-options", f"{HEADS}{branch}")
        return out if status == 0 else ""

    def objects(self, tips: Sequence[str]) -> list[PushedObject]:
        """What the forge does not have of some commits and all that they lead to."""
        listed = self._git.read("rev-list", "--objects", *map(_sha, tips), "--not", "--all", "--")
        rows = [row.split(b" ", 1) for row in listed.split(b"\n") if row]
        paths = {row[0].decode(): row[1].decode("utf-8", "replace") if len(row) > 1 else "" for row in rows}
        with self._list(paths) as names:
            told = self._git.read("cat-file", "--batch-check", given=names).decode().split("\n")
        found = [line.split(" ") for line in told if line]
        return [PushedObject(sha, kind, int(size), paths[sha]) for sha, kind, size in found]

    def contents(self, objects: Iterable[PushedObject]) -> Iterator[tuple[PushedObject, bytes]]:
        """The bytes of objects, as many at a time as fit in the memory."""
        batch: list[PushedObject] = []
        size = 0
        for each in objects:
            if batch and size + each.size > BATCH_BYTES:
                yield from self._contents(batch)
                batch, size = [], 0
            batch.append(each)
            size += each.size
        if batch:
            yield from self._contents(batch)

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `old` is reachable from `new`."""
        status, out = self._git.call("merge-base", "--is-ancestor", "--", _sha(old), _sha(new))
        if status not in (0, 1):
            raise failure("merge-base", status, out)
        return status == 0

    def merge_base(self, one: str, other: str) -> str:
        """The best common ancestor of two commits; the empty tree for histories that have none."""
        status, out = self._git.call("merge-base", "--", _sha(one), _sha(other))
        if status not in (0, 1):
            raise failure("merge-base", status, out)
        return out if status == 0 else empty_tree(one)

    def changed(self, old: str, new: str) -> list[str]:
        """The paths at which two commits or trees differ."""
        words = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", _sha(old), _sha(new), "--")
        return [path for path in self._git.read(*words).decode("utf-8", "replace").split("\0") if path]

    def file(self, commit: str, path: str) -> bytes:
        """The bytes of a file in a commit or tree; empty if there is none, or it is more than is read at once."""
        listed = self._git.run("ls-tree", "-l", "-z", "--full-tree", _sha(commit), "--", f":(literal){path}")
        facts, _, name = listed.partition("\0")[0].partition("\t")
        _, kind, blob, size = facts.split() if name == path else ("", "", "", "0")
        if kind != "blob" or int(size) > BATCH_BYTES:
            return b""
        return self._git.read("cat-file", "blob", _sha(blob))

    def packed(self, tips: Sequence[str]) -> Path:
        """A pack of what the forge does not have of some commits: nothing that they do not lead to."""
        known = self._git.run("for-each-ref", "--format=^%(objectname)", "--", "refs/").split("\n")
        with self._list([*map(_sha, tips), *(row for row in known if row)]) as revisions:
            name = self._git.run("pack-objects", "--revs", "--quiet", str(self._directory / "out"), given=revisions)
        return self._directory / f"out-{_sha(name)}.pack"

    def _contents(self, batch: Sequence[PushedObject]) -> Iterator[tuple[PushedObject, bytes]]:
        with self._list([each.sha for each in batch]) as names:
            told = self._git.read("cat-file", "--batch", given=names)
        at = 0
        for each in batch:
            begin = told.index(b"\n", at) + 1
            if told[at:begin].decode() != f"{each.sha} {each.kind} {each.size}\n":
                raise GitError(f"git cat-file: expected {each.sha}")
            at = begin + each.size + 1
            yield each, told[begin : at - 1]

    @contextmanager
    def _list(self, names: Iterable[str]) -> Iterator[BinaryIO]:
        """Names as a file that git reads, one a line."""
        with tempfile.TemporaryFile(dir=self._directory) as file:
            file.write("".join(f"{name}\n" for name in names).encode())
            file.flush()
            file.seek(0)
            yield file


@contextmanager
def quarantine(mirror: Mirror, root: Path) -> Iterator[Quarantine]:
    """A quarantine below a directory, removed at the end. Raises OSError if there is no room for it."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    directory = Path(tempfile.mkdtemp(dir=root))
    try:
        yield Quarantine(mirror, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _sha(text: str) -> str:
    if not SHA.fullmatch(text):
        raise GitError(f"not a commit: {text[:80]!r}")
    return text
