"""Mirrors of repositories that a test makes with git."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hive.git_mirror.mirror import Login, Mirror


@dataclass
class Origin:
    """A repository with a work tree, and a mirror that is fed from it by hand: `file://` is refused."""

    path: Path
    mirror: Mirror

    def git(self, *words: str, stdin: str = "") -> str:
        """Run git in the work tree."""
        done = subprocess.run(["git", *words], cwd=self.path, input=stdin, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def make_tree(self, rows: list[str]) -> str:
        """A tree of rows as `git ls-tree` writes them."""
        return self.git("mktree", stdin="\n".join(rows) + "\n")

    def commit(self, files: dict[str, str], *, links: dict[str, str] | None = None) -> str:
        """Write files, commit everything, and bring it into the mirror."""
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text)
        for name, target in (links or {}).items():
            (self.path / name).symlink_to(target)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=x")
        return self.keep("HEAD")

    def keep(self, what: str) -> str:
        """Bring a commit into the mirror."""
        sha = self.git("rev-parse", what)
        fetch = ["git", "-C", str(self.mirror.path), "fetch", "--quiet", str(self.path), what]
        subprocess.run(fetch, check=True)
        return sha


class LocalMirror(Mirror):
    """A mirror whose forge is a directory: the product's own speaks HTTP only."""

    source: str
    fetches: int = 0

    def _fetch(self, refspecs: Iterable[str], *options: str) -> None:
        """Fetch as the product does, from the directory."""
        self.fetches += 1
        words = ("fetch", "--no-tags", "--no-write-fetch-head", "--force", *options, self.source, *refspecs)
        self.git.run(*words, config={"protocol.file.allow": "always"})


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """An empty repository and its mirror."""
    path = tmp_path / "origin"
    path.mkdir()
    mirror = Mirror(tmp_path / "mirror.git", "http://127.0.0.1:1/none.git", Login("core", "secret-token"))
    made = Origin(path, mirror)
    made.git("init", "--quiet", "--initial-branch=main")
    made.git("config", "user.name", "mara")
    made.git("config", "user.email", "mara@forge.invalid")
    return made
