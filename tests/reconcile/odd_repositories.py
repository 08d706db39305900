"""Repositories as old tools, imports and other settings leave them: made object by object, as git itself would not make them now."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from forge.embedded import FORGEJO_17, EmbeddedForge
from forge.gitea.admin import GiteaAdmin
from hive.git_mirror.mirror import Login, Mirror

WHEN = "1 +0000"
MAIN = "refs/heads/main"


@dataclass(frozen=True)
class OddRepository:
    """A repository on a forge's disk, and the mirror that fetches it by http."""

    path: Path
    url: str
    mirror: Mirror

    def git(self, *words: str, given: bytes = b"") -> str:
        """Run git there; raises CalledProcessError."""
        env = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
        done = subprocess.run(["git", *words], cwd=self.path, env=env, input=given, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def blob(self, content: bytes = b"x\n") -> str:
        """A blob."""
        return self.git("hash-object", "-w", "--stdin", given=content)

    def tree(self, *rows: tuple[str, str, str]) -> str:
        """A tree of (mode, name, object) to the letter: git is not asked whether there may be such a thing."""
        raw = b"".join(f"{mode} {name}".encode() + b"\0" + bytes.fromhex(sha) for mode, name, sha in rows)
        return self.git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", given=raw)

    def commit(
        self,
        tree: str = "",
        *parents: str,
        author: str = f"a <a@b.invalid> {WHEN}",
        message: str = "x",
        ref: str = MAIN,
    ) -> str:
        """A commit whose author's line is to the letter; `ref` points to it afterwards."""
        tree = tree or self.tree(("100644", "a", self.blob()))
        lines = [f"tree {tree}", *(f"parent {each}" for each in parents), f"author {author}"]
        raw = "\n".join([*lines, f"committer a <a@b.invalid> {WHEN}", "", f"{message}\n"]).encode()
        sha = self.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", given=raw)
        place = self.path / ref
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{sha}\n")
        return sha

    def become_sha256(self) -> None:
        """Name all objects by SHA-256 from now on; there are none yet."""
        shutil.rmtree(self.path)
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", "--object-format=sha256", self.path], check=True)
        self.git("config", "http.receivepack", "true")


@contextmanager
def odd_forge(place: Path) -> Iterator[OddRepository]:
    """An empty repository on a forge of its own below a directory."""
    with EmbeddedForge(place / "forge", flavour=FORGEJO_17) as forge:
        forge.create_admin("root", "correct horse")
        with GiteaAdmin(name="work", url=forge.url, login="root", password="correct horse") as admin:
            admin.ensure_org("acme")
            admin._client.post("/orgs/acme/repos", name="app", auto_init=False, default_branch="main")
        url = f"{forge.url}/acme/app.git"
        mirror = Mirror(place / "mirror.git", url, Login("root", "correct horse"))
        yield OddRepository(forge.site.root / "repositories" / "1.git", url, mirror)
