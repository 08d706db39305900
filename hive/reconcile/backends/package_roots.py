"""Root directories of containers, made of a distribution's packages: once for each list, and read by all agents that have it.

state/roots/<digest>/root         what a container sees, read-only; its name is the digest of what is in it
state/roots/<digest>/root.json    what it was made of, and the seal that tells whether it was changed since
state/roots/by-list/<key>         a link to the one that was made last for a list
agents/<name>/roots/<sha>         a link to the one of a commit

What is being made has another name and is never used. Makes no container.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from hive.agent.child_process import Deadlines, run_watched
from hive.agent.directory_trees import remove_tree
from hive.config import Limits, likeliest
from hive.config.roots import RootSettings
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.backends.bounds import Bounds
from hive.reconcile.backends.package_tree import BASE, digest_of, finish, installed, known_names, seal_of
from hive.reconcile.backends.surroundings import starter
from hive.reconcile.backends.system_build import SystemBuild
from hive.reconcile.build import BuildFailed
from hive.reconcile.nix_complaint import visible

TOOL = "mmdebstrap"
FOLDER, BY_LIST, LOCK, RECORD, TREE = "roots", "by-list", "lock", "root.json", "root"
SECONDS, SILENCE, MOST_LOGGED, LAST_LINES = 3600.0, 900.0, 4 << 20, 20
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def tool() -> str | None:
    """The program of this machine that makes such directories."""
    return shutil.which(TOOL)


@dataclass(frozen=True, slots=True)
class PackageRoots:
    """The directory of them, what they are made of, and the program that makes them."""

    folder: Path
    settings: RootSettings
    program: str
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)
    _builds: dict[str, SystemBuild] = field(default_factory=dict)

    def all_of(self, packages: Sequence[str]) -> tuple[str, ...]:
        """All packages that an agent's containers have, each once, in order."""
        return tuple(sorted({*BASE, *self.settings.packages, *packages}))

    def key(self, packages: Sequence[str]) -> str:
        """The name of a list: of its packages, and of where they come from."""
        said = json.dumps([self.settings.suite, self.settings.mirror, self.all_of(packages)])
        return hashlib.sha256(said.encode()).hexdigest()

    def made(self, packages: Sequence[str]) -> Path | None:
        """The directory that was made last for a list; None without one."""
        link = self.folder / BY_LIST / self.key(packages)
        with contextlib.suppress(OSError):
            found = self.folder / link.readlink().name
            return found if (found / RECORD).is_file() else None
        return None

    def make(self, packages: Sequence[str]) -> Path:
        """Make the directory of a list, one at a time on this host; raises BuildFailed and OSError."""
        with self._one_at_a_time, locked(self.folder):
            if (found := self.made(packages)) is not None:
                return found
            for left in drafts(self.folder):
                remove_tree(left)
            draft = self.folder / f".new-{secrets.token_hex(8)}"
            draft.mkdir(mode=0o755)
            try:
                self._fill(draft, self.all_of(packages))
                return self._keep(draft, packages)
            finally:
                if draft.exists():
                    remove_tree(draft)

    def _fill(self, draft: Path, packages: Sequence[str]) -> None:
        """Let the program install packages; each by its exact name, as apt also takes patterns and signs.

        Several patterns in one option would be one that matches nothing (mmdebstrap 1.3.5). It ends with this thread, as do
        all whom it starts.
        """
        tree = draft / TREE
        words = [*starter(Bounds(Limits())), "unshare", "--mount", "--pid", "--fork", "--kill-child"]
        words += [self.program, "--mode=root", "--variant=essential"]
        words += ["--skip=cleanup/apt/lists", *(f"--include=?exact-name({package})" for package in packages)]
        words += [self.settings.suite, str(tree), self.settings.mirror]
        env = {"PATH": PATH, "SOURCE_DATE_EPOCH": "0", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
        done = run_watched(words, env, Deadlines(SILENCE, SECONDS), most=MOST_LOGGED)
        have = installed(tree)
        absent = [package for package in packages if package not in have]
        if absent and (names := known_names(tree)) and (unknown := [name for name in absent if name not in names]):
            raise BuildFailed(
                f"{self.settings.suite} has no package {name!r}{likeliest(name, names)}" for name in unknown
            )
        if done.status or done.stopped or absent:
            why = done.stopped or (
                f"{TOOL} ended with {done.status}" if done.status else f"not installed: {', '.join(absent)}"
            )
            raise BuildFailed([*_end(done.errors), why])

    def _keep(self, draft: Path, packages: Sequence[str]) -> Path:
        """Give a finished directory its name, and let the list lead to it."""
        tree = draft / TREE
        versions = installed(tree)
        finish(tree)
        digest = digest_of(tree)
        final = self.folder / digest
        record = {"digest": digest, "suite": self.settings.suite, "mirror": self.settings.mirror, "packages": versions}
        with (draft / RECORD).open("w") as file:
            json.dump({**record, "seal": seal_of(tree)}, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        os.sync()  # what is used is on the disk, with all of its files
        if not (final / RECORD).is_file():
            draft.rename(final)
        link(self.folder / BY_LIST / self.key(packages), Path("..") / digest)
        return final

    def prepare(self, dirs: AgentDirs, sha: str, packages: Sequence[str]) -> bool:
        """Let a commit have the directory of its packages, which is made if no other has the same; False while that goes on.

        Raises BuildFailed and OSError.
        """
        if self.pinned(dirs.root, sha) is not None:
            return True
        if self.pin(dirs.root, sha, packages):
            return True
        key = self.key(packages)
        begun = self._builds.get(key)
        if begun is None:
            begun = self._builds[key] = SystemBuild(partial(self.make, packages))
            begun.start()
        if begun.is_alive():
            return False
        del self._builds[key]
        return begun.is_done() and self.pin(dirs.root, sha, packages)

    def pinned(self, agent: Path, sha: str) -> Path | None:
        """The directory that a commit has; None if it has none any more."""
        with contextlib.suppress(OSError):
            found = self.folder / (agent / FOLDER / sha).readlink().name
            return found if (found / RECORD).is_file() else None
        return None

    def pin(self, agent: Path, sha: str, packages: Sequence[str]) -> bool:
        """Let a commit have the directory of its list from now on; False if there is none."""
        found = self.made(packages)
        if found is not None:
            link(agent / FOLDER / sha, found)
        return found is not None

    def verified(self, agent: Path, sha: str) -> Path:
        """What a container of a commit sees; raises OSError if that is gone, or was changed since it was made.

        What was changed is used by nobody any more: it is made again.
        """
        found = self.pinned(agent, sha)
        if found is None:
            raise FileNotFoundError(2, "its root directory is gone", str(agent / FOLDER / sha))
        with contextlib.suppress(ValueError, LookupError, TypeError):
            record = json.loads((found / RECORD).read_text())
            if record["digest"] == found.name and record["seal"] == seal_of(found / TREE):
                return found / TREE
        found.rename(found.with_name(f".gone-{secrets.token_hex(4)}"))
        raise OSError(5, "it was changed since it was made", str(found / TREE))


def link(place: Path, target: Path) -> None:
    """Let a link lead to something, in one step of the file system."""
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{place.name}.new")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    draft.replace(place)


@contextlib.contextmanager
def locked(folder: Path, *, waits: bool = True) -> Iterator[None]:
    """Be the only one who makes or removes directories; raises BlockingIOError if somebody else is and this does not wait."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    (folder / BY_LIST).mkdir(exist_ok=True)
    with (folder / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        yield


def drafts(folder: Path) -> list[Path]:
    """What a killed host was about to make or to remove."""
    return sorted([*folder.glob(".new-*"), *folder.glob(".gone-*")])


def unused(folder: Path, links: Mapping[Path, bool]) -> list[Path]:
    """Directories to which no link leads that is kept; `links` are those of commits, and whether each is kept."""
    used = {found.readlink().name for found, is_kept in links.items() if is_kept and found.is_symlink()}
    made = [path for path in folder.iterdir() if stat.S_ISDIR(path.lstat().st_mode)] if folder.is_dir() else []
    return sorted(path for path in made if path.name not in used and path.name != BY_LIST and path.name[0] != ".")


def _end(errors: bytes) -> list[str]:
    lines = [visible(line) for line in errors.decode("utf-8", "replace").splitlines() if line.strip()]
    return [line[:300] for line in lines[-LAST_LINES:]]
