"""Git on the host: bare mirrors; nothing is checked out by git, and nothing of them is run.

Words from outside never become options: references are checked, and every path or name stands
behind `--`. Tokens travel by environment, never in a URL, an argument or a file.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
import posixpath
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from forge.models import Repo
from forge.tls import is_untrusted, untrusted
from hive.agent.child_process import Deadlines, Share
from hive.git_mirror.errors import GitError, GitInterrupted, TooLarge, failure, is_ref
from hive.git_mirror.git_process import SHARE, SILENCE_SECONDS, TALKING, GitProcess

__all__ = [
    "SHARE",
    "GitError",
    "GitInterrupted",
    "Login",
    "Mirror",
    "MirrorCache",
    "TooLarge",
    "TreeEntry",
    "TreeLimits",
]

ABANDONED_SECONDS = 3600.0
"""A part of an object that is older belongs to a git that was killed."""

SHA = re.compile(r"[0-9a-f]{40}")
_ROW = re.compile(r"[^\0]+")


@dataclass(frozen=True, slots=True)
class Login:
    """Who fetches: an account and its token. `repr` shows no token."""

    name: str
    token: str

    def __repr__(self) -> str:
        return f"Login({self.name!r})"


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


class Mirror:
    """A bare clone that fetches only what it is asked for."""

    def __init__(
        self, path: Path, url: str, login: Login, *, deadlines: Deadlines = TALKING, share: Share = SHARE
    ) -> None:
        """Open or make the clone; `url` is the repository's http address without credentials."""
        self.path = path
        self._url = url
        self._login = login
        self._deadlines = deadlines
        self.git = GitProcess(path, share)
        if not (path / "HEAD").exists():
            with self._alone():
                self._make()
        with contextlib.suppress(OSError):
            os.utime(path / "HEAD")  # shows when the mirror was last used

    def fetch(self, ref: str, name: str) -> str:
        """Fetch one full reference as `fetch_all` does; returns its commit."""
        [commit] = self.fetch_all({ref: name})
        return commit

    def fetch_all(self, names: Mapping[str, str]) -> list[str]:
        """Fetch full references at once; returns their commits in the same order.

        `names` are names by reference: each is kept as `refs/hive/<name>`. One that is missing fails the fetch.
        An interrupted fetch leaves nothing behind. Raises GitInterrupted if a retry may help, GitError if not.
        """
        kept = {ref: f"refs/hive/{name}" for ref, name in names.items()}
        for text in (*kept, *kept.values()):
            if not is_ref(text):
                raise GitError(f"not a reference: {text[:80]!r}")
        self._fetch(f"{ref}:{mine}" for ref, mine in kept.items())
        return [
            self.git.run("rev-parse", "--verify", "--end-of-options", f"{mine}^{{commit}}") for mine in kept.values()
        ]

    def fetch_heads(self) -> None:
        """Fetch every branch, as `refs/hive/heads/…`; branches that are gone are gone here as well."""
        self._fetch(["refs/heads/*:refs/hive/heads/*"], "--prune")

    def has(self, sha: str) -> bool:
        """Whether a commit is here."""
        return self.git.call("cat-file", "-e", f"{_sha(sha)}^{{commit}}")[0] == 0

    def tree(self, sha: str) -> str:
        """The tree of a commit."""
        return self.git.run("rev-parse", "--verify", "--end-of-options", f"{_sha(sha)}^{{tree}}")

    def merge_base(self, one: str, other: str) -> str:
        """The best common ancestor of two commits; raises GitError without one."""
        return self.git.run("merge-base", "--", _sha(one), _sha(other))

    def merged_tree(self, onto: str, head: str) -> str | None:
        """The tree that merging `head` into `onto` gives; None if they do not merge cleanly."""
        status, out = self.git.call("merge-tree", "--write-tree", _sha(onto), _sha(head))
        if status not in (0, 1):
            raise failure("merge-tree", status, out)
        return out.split("\n")[0] if status == 0 else None

    def diff(self, old: str, new: str) -> str:
        """The unified diff between two commits, in the one form that `forge.diff` reads. Raises TooLarge."""
        words = ("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/", "-U3")
        return self.git.read(*words, _sha(old), _sha(new), "--").decode("utf-8", "replace")

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `old` is reachable from `new`; raises GitError for a missing commit."""
        status, out = self.git.call("merge-base", "--is-ancestor", "--", _sha(old), _sha(new))
        if status not in (0, 1):
            raise failure("merge-base", status, out)
        return status == 0

    def count(self, old: str, new: str) -> int:
        """How many commits `new` has that `old` has not."""
        return int(self.git.run("rev-list", "--count", f"{_sha(old)}..{_sha(new)}", "--"))

    def commits(self, old: str, new: str) -> list[str]:
        """The commits that `new` has and `old` has not, newest first: short name, author, first line, as others wrote them."""
        words = ("log", "-z", "--max-count=1000", "--format=%h %an: %s", f"{_sha(old)}..{_sha(new)}", "--")
        return [line for line in self.git.read(*words).decode("utf-8", "replace").split("\0") if line]

    def entries(self, sha: str) -> list[TreeEntry]:
        """Everything in a commit's or tree's tree. Raises TooLarge for one that lists without end."""
        return list(_entries(self.git.run("ls-tree", "-r", "-l", "-z", "--full-tree", _sha(sha))))

    def blob(self, sha: str) -> bytes:
        """The bytes of a blob; a symlink's are its target, it is never followed."""
        return self.git.read("cat-file", "blob", _sha(sha))

    def file(self, sha: str, path: str, *, most: int) -> bytes | None:
        """A regular file's bytes in a commit or tree; None if there is none. Raises TooLarge beyond `most` bytes."""
        wanted = posixpath.normpath(path)
        rows = self.git.run("ls-tree", "-l", "-z", "--full-tree", _sha(sha), "--", wanted)
        found = next((e for e in _entries(rows) if e.path == wanted and e.mode.startswith("100")), None)
        if found is not None and found.size > most:
            raise TooLarge(f"{wanted} has {found.size} bytes")
        return None if found is None else self.blob(found.sha)

    def write_out(self, sha: str, into: Path, paths: frozenset[str], *, bounds: TreeLimits) -> None:
        """Write the regular files of a commit below a directory; links, submodules and everything else are left out."""
        listed = _entries(self.git.run("ls-tree", "-r", "-l", "-z", "--full-tree", _sha(sha)))
        chosen = [e for e in listed if e.path in paths and e.mode in ("100644", "100755")]
        if len(chosen) > bounds.files or sum(entry.size for entry in chosen) > bounds.total_bytes:
            raise TooLarge(f"too much to write out: {len(chosen)} files, {sum(entry.size for entry in chosen)} bytes")
        for entry in chosen:
            target = into / entry.path
            if not target.resolve().is_relative_to(into.resolve()):
                raise GitError(f"a path leaves the tree: {entry.path[:80]!r}")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.blob(entry.sha))

    def keep(self, sha: str, name: str) -> None:
        """Keep a commit by a tag of our own."""
        with self._alone():
            self.git.run("update-ref", "--end-of-options", f"refs/tags/{name}", _sha(sha))

    def _fetch(self, refspecs: Iterable[str], *options: str) -> None:
        secret = base64.b64encode(f"{self._login.name}:{self._login.token}".encode()).decode()
        settings = {
            "http.extraHeader": f"Authorization: Basic {secret}",
            "http.lowSpeedLimit": "1",
            "http.lowSpeedTime": f"{self._deadlines.silence / 2:.0f}",
        }
        words = ("fetch", "--progress", "--no-tags", "--no-write-fetch-head", "--force", *options, "--end-of-options")
        with self._alone():
            _tidy(self.path)
            try:
                self.git.run(*words, self._url, *refspecs, config=settings, deadlines=self._deadlines)
            except GitError as error:
                _tidy(self.path)
                if is_untrusted(error):
                    raise GitInterrupted(f"git fetch: {untrusted(self._url, error)}") from error
                raise

    def _make(self) -> None:
        """Make the clone beside its place and move it there: one that exists is whole."""
        if (self.path / "HEAD").exists():
            return
        part = self.path.with_name(f"{self.path.name}.part")
        for left in (part, self.path):
            shutil.rmtree(left, ignore_errors=True)
        part.mkdir(parents=True, mode=0o700)
        self.git.run("init", "--quiet", "--bare", at=part)
        part.rename(self.path)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Lock this mirror for fetching; raises GitInterrupted if another process holds the lock for too long."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        place = self.path.with_name(f"{self.path.name}.lock")
        place.touch(mode=0o600)
        with place.open("ab") as lock:
            until = time.monotonic() + SILENCE_SECONDS
            while not _locked(lock):
                if time.monotonic() >= until:
                    raise GitInterrupted(f"{self.path.name} is being fetched by somebody else")
                time.sleep(0.05)
            yield


class MirrorCache:
    """The mirrors of one directory: one for each repository and purpose."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def mirror(self, repo: Repo, url: str, login: Login) -> Mirror:
        """The mirror of a repository that git finds at `url`; `Repo` has checked that its parts are safe in a path."""
        return Mirror(self._root / repo.forge / repo.owner / f"{repo.name}.git", url, login)


def _tidy(mirror: Path) -> None:
    """Remove what a killed git left behind, under the lock."""
    objects = mirror / "objects"
    left = [*objects.glob("pack/tmp_*"), *objects.glob("pack/*.keep"), *mirror.glob("*.lock")]
    left += (mirror / "refs").rglob("*.lock")
    old = time.time() - ABANDONED_SECONDS
    for part in objects.glob("??/tmp_obj_*"):  # another process may be writing one right now: merges do
        with suppress(FileNotFoundError):
            left += [part] if part.stat().st_mtime < old else []
    for path in left:
        path.unlink(missing_ok=True)


def _entries(listed: str) -> Iterator[TreeEntry]:
    """The entries that `git ls-tree -l -z` lists."""
    for row in _ROW.finditer(listed):
        facts, path = row[0].split("\t", 1)
        mode, _, blob, size = facts.split()
        yield TreeEntry(mode, blob, int(size) if size.isdigit() else 0, path)


def _locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sha(text: str) -> str:
    if not SHA.fullmatch(text):
        raise GitError(f"not a commit: {text[:80]!r}")
    return text
