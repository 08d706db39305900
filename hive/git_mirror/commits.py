"""What is asked of a repository's commits, wherever they lie. Changes nothing in them."""

from __future__ import annotations

import posixpath
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hive.git_mirror.attributes import attributes_of
from hive.git_mirror.errors import UNRELATED, FileTooLarge, GitError, TooLarge, Unrelated, failure
from hive.git_mirror.git_process import GitProcess

SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
"""A full name of an object, by SHA-1 or SHA-256."""

_ROW = re.compile(r"[^\0]+")
BATCH = 1_000
BATCH_BYTES = 16 << 20
"""Blobs that one git reads, and their bytes: one may be larger."""


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One entry of a tree, recursively listed; `mode` as git writes it, `size` in bytes (0 for no blob)."""

    mode: str
    sha: str
    size: int
    path: str


@dataclass(frozen=True, slots=True)
class TreeLimits:
    """What a tree may hold before it is written out or built from."""

    files: int = 20_000
    total_bytes: int = 256 << 20


@dataclass(frozen=True, slots=True)
class CommitsBetween:
    """The commits that a head has and an older commit has not, newest first, by their trees.

    `descends` is whether the head descends from the older one.
    """

    trees: Mapping[str, str]
    descends: bool


class Commits:
    """The commits of a repository on this machine, as a git of ours reads them."""

    def __init__(self, git: GitProcess) -> None:
        self.git = git

    def commit(self, name: str) -> str:
        """The commit that a name, such as a branch or `HEAD~2`, stands for; raises GitError for one that is none."""
        return self.git.run("rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")

    def has(self, sha: str) -> bool:
        """Whether a commit is here."""
        return self.git.call("cat-file", "-e", f"{checked(sha)}^{{commit}}")[0] == 0

    def tree(self, sha: str) -> str:
        """The tree of a commit."""
        return self.git.run("rev-parse", "--verify", "--end-of-options", f"{checked(sha)}^{{tree}}")

    def merge_base(self, one: str, other: str) -> str:
        """The best common ancestor of two commits; raises Unrelated without one."""
        status, out = self.git.call("merge-base", "--", checked(one), checked(other))
        if status == 1:
            raise Unrelated(UNRELATED)
        if status:
            raise failure("merge-base", status, out)
        return out

    def merged_tree(self, onto: str, head: str) -> str | None:
        """The tree that merging `head` into `onto` gives, by the attributes of `onto`; None if they do not merge cleanly.

        Raises Unrelated for two histories that have nothing in common.
        """
        with attributes_of(self.git, checked(onto)) as git:
            status, out = git.call("merge-tree", "--write-tree", checked(onto), checked(head))
        if status not in (0, 1):
            raise failure("merge-tree", status, out)
        return out.split("\n")[0] if status == 0 else None

    def conflicts(self, onto: str, head: str) -> tuple[str, ...]:
        """The paths, at most a hundred, that git cannot bring together where `head` is merged into `onto`."""
        words = ("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", checked(onto), checked(head))
        status, out = self.git.call(*words)
        if status not in (0, 1):
            raise failure("merge-tree", status, out)
        return tuple(dict.fromkeys(out.rstrip("\0").split("\0")[1:101])) if status else ()

    def diff(self, old: str, new: str) -> str:
        """The unified diff between two commits, in the one form that `forge.diff` reads. Raises TooLarge."""
        words = ("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/", "-U3")
        return self.git.read(*words, checked(old), checked(new), "--").decode("utf-8", "replace")

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `old` is reachable from `new`; raises GitError for a missing commit."""
        status, out = self.git.call("merge-base", "--is-ancestor", "--", checked(old), checked(new))
        if status not in (0, 1):
            raise failure("merge-base", status, out)
        return status == 0

    def count(self, old: str, new: str) -> int:
        """How many commits `new` has that `old` has not."""
        return int(self.git.run("rev-list", "--count", f"{checked(old)}..{checked(new)}", "--"))

    def history(self, old: str, new: str, *, most: int) -> CommitsBetween | None:
        """What `new` has that `old` has not, by one git; None for more than `most` commits. Raises GitError for a missing one."""
        words = ("log", f"--max-count={most + 1}", "--format=%H %T %P", f"{checked(old)}..{checked(new)}", "--")
        rows = [row.split() for row in self.git.run(*words).splitlines()]
        if len(rows) > most:
            return None
        # A child of `old` is never within its history: it is among these, if there is a way from `new` to `old`.
        descends = old == new or any(old in parents for _, _, *parents in rows)
        return CommitsBetween({sha: tree for sha, tree, *_ in rows}, descends)

    def commits(self, old: str, new: str) -> list[str]:
        """The commits that `new` has and `old` has not, newest first: short name, author, first line, as others wrote them."""
        words = ("log", "-z", "--max-count=1000", "--format=%h %an: %s", f"{checked(old)}..{checked(new)}", "--")
        return [line for line in self.git.read(*words).decode("utf-8", "replace").split("\0") if line]

    def entries(self, sha: str) -> list[TreeEntry]:
        """Everything in a commit's or tree's tree. Raises TooLarge for one that lists without end."""
        return list(_entries(self.git.run("ls-tree", "-r", "-l", "-z", "--full-tree", checked(sha))))

    def blob(self, sha: str) -> bytes:
        """The bytes of a blob; a symlink's are its target, it is never followed."""
        return self.git.read("cat-file", "blob", checked(sha))

    def blobs(self, entries: Sequence[TreeEntry]) -> Iterator[bytes]:
        """The bytes of blobs, in their order; one git reads as many as are not too much at once."""
        batch: list[TreeEntry] = []
        for entry in entries:
            if batch and (len(batch) >= BATCH or sum(each.size for each in batch) + entry.size > BATCH_BYTES):
                yield from self._read(batch)
                batch = []
            batch.append(entry)
        yield from self._read(batch)

    def _read(self, batch: Sequence[TreeEntry]) -> Iterator[bytes]:
        if not batch:
            return
        with tempfile.TemporaryFile() as names:
            names.write("".join(f"{checked(entry.sha)}\n" for entry in batch).encode())
            names.seek(0)
            said = self.git.read("cat-file", "--batch", given=names)
        at = 0
        for entry in batch:
            start = said.index(b"\n", at) + 1
            yield said[start : start + entry.size]
            at = start + entry.size + 1

    def files_with(self, sha: str, words: Collection[str]) -> list[str]:
        """The text files of a commit that hold any of some words, as whole words."""
        options = [option for word in sorted(words) for option in ("-e", word)]
        status, out = self.git.call("grep", "-l", "-z", "-I", "-w", "-F", *options, checked(sha), "--")
        if status not in (0, 1):
            raise failure("grep", status, out)
        return [row.partition(":")[2] for row in out.split("\0") if row] if status == 0 else []

    def file(self, sha: str, path: str, *, most: int) -> bytes | None:
        """A regular file's bytes in a commit or tree; None if there is none. Raises TooLarge beyond `most` bytes."""
        wanted = posixpath.normpath(path)
        return self.files(sha, [wanted], most=most).get(wanted)

    def files(self, sha: str, paths: Sequence[str], *, most: int) -> dict[str, bytes]:
        """The regular files of a commit or tree at some of its paths, by path. Raises FileTooLarge beyond `most` bytes of one."""
        rows = self.git.run("ls-tree", "-l", "-z", "--full-tree", checked(sha), "--", *paths)
        found = [entry for entry in _entries(rows) if entry.path in paths and entry.mode.startswith("100")]
        for entry in found:
            if entry.size > most:
                raise FileTooLarge(entry.path, entry.size)
        return dict(zip((entry.path for entry in found), self.blobs(found), strict=True))

    def write_out(self, sha: str, into: Path, paths: frozenset[str], *, bounds: TreeLimits) -> None:
        """Write some regular files of a commit below a directory, as `write_entries` does."""
        self.write_entries([entry for entry in self.entries(sha) if entry.path in paths], into, bounds=bounds)

    def write_entries(self, listed: Sequence[TreeEntry], into: Path, *, bounds: TreeLimits) -> None:
        """Write regular files below a directory; links, submodules and everything else are left out. Raises TooLarge."""
        chosen = [entry for entry in listed if entry.mode in ("100644", "100755")]
        if len(chosen) > bounds.files or sum(entry.size for entry in chosen) > bounds.total_bytes:
            raise TooLarge(f"too much to write out: {len(chosen)} files, {sum(entry.size for entry in chosen)} bytes")
        for entry, content in zip(chosen, self.blobs(chosen), strict=True):
            target = into / entry.path
            if _leaves(entry.path) or not target.resolve().is_relative_to(into.resolve()):
                raise GitError(f"a path leaves the tree: {entry.path[:80]!r}")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def _entries(listed: str) -> Iterator[TreeEntry]:
    """The entries that `git ls-tree -l -z` lists."""
    for row in _ROW.finditer(listed):
        facts, path = row[0].split("\t", 1)
        mode, _, blob, size = facts.split()
        yield TreeEntry(mode, blob, int(size) if size.isdigit() else 0, path)


def _leaves(path: str) -> bool:
    """Whether a path is one that git would check out nowhere: a malformed tree can hold whole paths as names."""
    return any(part.lower() in ("", ".", "..", ".git") for part in path.split("/"))


def checked(text: str) -> str:
    """A full name of a commit, tree or blob; raises GitError for anything else."""
    if not SHA.fullmatch(text):
        raise GitError(f"not a commit: {text[:80]!r}")
    return text
