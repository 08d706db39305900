"""Git on the host: bare mirrors; nothing is checked out by git, and nothing of them is run.

Words from outside never become options: references are checked, and every path or name stands
behind `--`. Tokens travel by environment, never in a URL, an argument or a file.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
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
from hive.git_mirror.commits import SHA, Commits, TreeEntry, TreeLimits, checked
from hive.git_mirror.errors import FileTooLarge, GitError, GitInterrupted, OtherHash, TooLarge, is_ref
from hive.git_mirror.git_process import SHARE, SILENCE_SECONDS, TALKING, GitProcess

__all__ = [
    "SHA",
    "SHARE",
    "FileTooLarge",
    "GitError",
    "GitInterrupted",
    "Login",
    "Mirror",
    "MirrorCache",
    "TooLarge",
    "TreeEntry",
    "TreeLimits",
]

SHA1 = "sha1"
"""The hash function of most repositories, as git names it; a host's GIT_DEFAULT_HASH changes nothing."""

ABANDONED_SECONDS = 3600.0
"""A part of an object that is older belongs to a git that was killed."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who fetches: an account and its token. `repr` shows no token."""

    name: str
    token: str

    def __repr__(self) -> str:
        return f"Login({self.name!r})"


class Mirror(Commits):
    """A bare clone that fetches only what it is asked for."""

    def __init__(
        self, path: Path, url: str, login: Login, *, deadlines: Deadlines = TALKING, share: Share = SHARE
    ) -> None:
        """Open or make the clone; `url` is the repository's http address without credentials."""
        self.path = path
        self._url = url
        self._login = login
        self._deadlines = deadlines
        super().__init__(GitProcess(path, share))
        if not (path / "HEAD").exists():
            with self._alone():
                if not (path / "HEAD").exists():
                    self._make(SHA1)
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
        rows = self.git.run("for-each-ref", "--format=%(refname) %(objecttype) %(objectname)", *kept.values())
        found = {name: sha for name, kind, sha in map(str.split, rows.splitlines()) if kind == "commit"}
        return [found.get(mine) or self.commit(mine) for mine in kept.values()]  # of a tag, what it stands for

    def fetch_heads(self) -> None:
        """Fetch every branch, as `refs/hive/heads/…`; branches that are gone are gone here as well."""
        self._fetch(["refs/heads/*:refs/hive/heads/*"], "--prune")

    def keep(self, sha: str, name: str) -> None:
        """Keep a commit by a tag of our own."""
        with self._alone():
            self.git.run("update-ref", "--end-of-options", f"refs/tags/{name}", checked(sha))

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
            refspecs = list(refspecs)
            try:
                self._fetch_either(*words, self._url, *refspecs, config=settings)
            except GitError as error:
                _tidy(self.path)
                if is_untrusted(error):
                    raise GitInterrupted(f"git fetch: {untrusted(self._url, error)}") from error
                raise

    def _fetch_either(self, *words: str, config: Mapping[str, str]) -> None:
        """Fetch; a mirror that holds nothing yet takes the hash function of the forge, which git tells only now."""
        try:
            self.git.run(*words, config=config, deadlines=self._deadlines)
        except OtherHash as error:
            if self.git.run("for-each-ref", "--count=1"):
                raise
            self._make(error.theirs)
            self.git.run(*words, config=config, deadlines=self._deadlines)

    def _make(self, hash_function: str) -> None:
        """Make an empty clone beside its place and move it there: one that exists is whole."""
        part = self.path.with_name(f"{self.path.name}.part")
        for left in (part, self.path):
            shutil.rmtree(left, ignore_errors=True)
        part.mkdir(parents=True, mode=0o700)
        self.git.run("init", "--quiet", "--bare", f"--object-format={hash_function}", at=part)
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


def _locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
