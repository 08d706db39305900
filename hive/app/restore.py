"""`hive restore`: bring a backup into an empty state directory, whole or not at all.

The new directory is filled beside the old one and then takes its name. No link of an agent is followed meanwhile.
"""

from __future__ import annotations

import fcntl
import getpass
import os
import secrets
import shutil
import tarfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from hive.agent.directory_trees import remove_path
from hive.app.archive import RIGHTS, Archive
from hive.app.garbage import in_bytes
from hive.config import load
from hive.instance.instance import StartupError
from hive.ledger import Act, Ledger
from hive.ledger.errors import IncompatibleDatabase
from hive.ledger.schema import migrations
from hive.reconcile.dir_handles import DirHandle

PRIVATE = 0o700
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL

Say = Callable[[str], None]


def restore(backup: Path, config: Path, say: Say, *, force: bool = False) -> None:
    """Bring a backup back; with `force` a state directory that holds something is moved aside, never deleted.

    A configuration that is missing is taken from the backup. Raises StartupError, BadYaml and OSError; the state
    directory is as it was then.
    """
    with backup.open("rb") as file:
        archive = Archive.checked(file)
        _admit_schema(archive.manifest["schema"])
        if not config.exists():
            _take_configuration(archive, config)
            say(f"{config} was missing, and is that of the backup")
        state = load(config).state
        is_full = state.exists() and any(state.iterdir())
        if is_full and not force:
            raise StartupError(f"{state} is not empty; name another state directory, or --force to move it aside")
        with ExitStack() as locks:
            _stopped(state, locks)
            draft = state.with_name(f".{state.name}.{secrets.token_hex(4)}")
            try:
                tree = _Filled(draft)
                tree.fill(archive)
                _note(draft / "ledger.db", archive)
                aside = _swap(draft, state, is_full=is_full)
            finally:
                remove_path(draft)
    if aside is not None:
        say(f"what was there is in {aside}")
    _report(tree, archive, state, say)


def _report(tree: _Filled, archive: Archive, state: Path, say: Say) -> None:
    made = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(archive.manifest.get("made_at", 0)))
    say(f"{state} is that of {made}: {tree.files} files, {in_bytes(tree.size)}, {len(tree.agents)} agents' directories")
    if tree.foreign:
        say(f"{tree.foreign} entries belong to others, and only root can give them away: run it as root to keep owners")


@dataclass
class _Filled:
    """A new directory, and what was written into it."""

    root: Path
    files: int = 0
    size: int = 0
    foreign: int = 0
    agents: set[str] = field(default_factory=set)
    _folders: list[tarfile.TarInfo] = field(default_factory=list)

    def fill(self, archive: Archive) -> None:
        """Write all members; rights of directories last, since one may be closed to its owner."""
        with DirHandle.at(self.root, mode=PRIVATE) as root:
            for info, source in archive.members():
                if info.name == "hive.yaml":
                    continue
                *above, last = info.name.split("/")
                if above[:1] == ["agents"]:
                    self.agents.add(above[1])
                with _folder(root, above) as here:
                    self._write(here, last, info, source)
            for info in reversed(self._folders):
                with root.existing(info.name) as folder:
                    self._settle(folder.fd, info)

    def _write(self, here: DirHandle, name: str, info: tarfile.TarInfo, source: IO[bytes] | None) -> None:
        if info.type == tarfile.SYMTYPE:
            os.symlink(info.linkname, name, dir_fd=here.fd)
            self._own(info, lambda: os.chown(name, info.uid, info.gid, dir_fd=here.fd, follow_symlinks=False))
        elif source is None:
            with here.folder(name, mode=PRIVATE):
                self._folders.append(info)
        else:
            with os.fdopen(here.open(name, _NEW), "wb") as file:
                shutil.copyfileobj(source, file)
                file.flush()
                self._settle(file.fileno(), info)
                os.utime(file.fileno(), (info.mtime, info.mtime))
            self.files += 1
            self.size += info.size

    def _settle(self, handle: int, info: tarfile.TarInfo) -> None:
        """Owner, then mode: a change of the owner may take rights away."""
        is_agents = info.name.startswith("agents/")
        if is_agents:
            self._own(info, lambda: os.fchown(handle, info.uid, info.gid))
        os.fchmod(handle, info.mode & (RIGHTS if is_agents else PRIVATE))

    def _own(self, info: tarfile.TarInfo, give: Callable[[], None]) -> None:
        try:
            give()
        except PermissionError:
            self.foreign += info.uid != os.geteuid()


def _folder(root: DirHandle, parts: list[str]) -> DirHandle:
    """A directory below, made if need be, entered one name at a time."""
    here = DirHandle(root.path, os.dup(root.fd))
    for part in parts:
        with here as above:
            here = above.folder(part, mode=PRIVATE)
    return here


def _admit_schema(version: int) -> None:
    newest = len(migrations())
    if version > newest:
        said = f"this backup is of a newer version of the hive ({version}, and this one knows {newest})"
        raise StartupError(f"{said}; install that version")


def _take_configuration(archive: Archive, config: Path) -> None:
    for info, source in archive.members():
        if info.name == "hive.yaml" and source is not None:
            with os.fdopen(os.open(config, _NEW, 0o600), "wb") as file:
                shutil.copyfileobj(source, file)
            return
    raise StartupError(f"{config} is missing, and the backup holds none; name your configuration file")


def _stopped(state: Path, locks: ExitStack) -> None:
    """Hold the locks of a hive's processes, as far as there are any; raises StartupError while one runs."""
    for path in sorted(state.glob("*.lock")):
        lock = locks.enter_context(path.open("rb"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StartupError(f"a hive runs in {state} ({path.stem}); stop it first") from error


def _note(path: Path, archive: Archive) -> None:
    """Bring the ledger to this version, and write down that it comes from a backup."""
    try:
        with closing(Ledger(path)) as ledger:
            made = archive.manifest.get("made_at", 0)
            ledger.audit.add(f"operator:{getpass.getuser()}", Act.BACKUP_RESTORED, made_at=made)
    except IncompatibleDatabase as error:
        raise StartupError(f"the ledger of this backup cannot be used: {error}") from error


def _swap(draft: Path, state: Path, *, is_full: bool) -> Path | None:
    """Give the new directory its name; returns where the old one is now. An empty one is replaced by the system itself."""
    if not is_full:
        draft.rename(state)
        return None
    aside = state.with_name(f"{state.name}.before-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}")
    if aside.exists():
        raise StartupError(f"{aside} exists already; move it away first")
    state.rename(aside)
    try:
        draft.rename(state)
    except OSError:
        aside.rename(state)
        raise
    return aside
