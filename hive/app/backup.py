"""`hive backup`: what cannot be made again, in one private file. The hive may run meanwhile."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from hive.app.agent_trees import StateEntry, entries
from hive.app.archive import ArchiveWriter
from hive.app.garbage import in_bytes
from hive.instance.instance import Instance, StartupError
from hive.ledger import Act
from hive.ledger.schema import migrations

CURSOR = "backup"
"""The cursor of the ledger that says when the last backup was made, in seconds."""

DATED = re.compile(r"hive-[0-9]{8}-[0-9]{6}\.tar")
"""Names that the hive gives to backups in a directory; others are never removed."""

SHOWN = 5
"""How many paths that were left out are named, of each part."""

Say = Callable[[str], None]


@dataclass
class _Part:
    """What was added and left out of one tree."""

    files: int = 0
    why: Counter[str] = field(default_factory=Counter)
    paths: list[str] = field(default_factory=list)

    def leave_out(self, path: str, why: str) -> None:
        self.why[why] += 1
        if len(self.paths) < SHOWN:
            self.paths.append(f"  left out {path[:200]!r}: {why}")

    def lines(self) -> list[str]:
        more = sum(self.why.values()) - len(self.paths)
        return [*self.paths, *([f"  and {more} more"] if more > 0 else [])]


def back_up(instance: Instance, config: Path, to: Path, say: Say, *, keep: int = 0) -> Path:
    """Write a backup to a new file, or to a dated one in an existing directory, of which the newest `keep` stay.

    Raises StartupError if the file exists, and OSError; nothing of the kind leaves half a file.
    """
    ledger = instance.ledger
    if keep and not to.is_dir():
        raise StartupError(f"--keep is for a directory of backups, and {to} is none")
    now = ledger.clock()
    place = to / time.strftime("hive-%Y%m%d-%H%M%S.tar", time.gmtime(now)) if to.is_dir() else to
    if place.exists() or place.is_symlink():
        raise StartupError(f"{place} exists already, and a backup overwrites nothing; name another file")
    draft = place.with_name(f".{place.name[:100]}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            _write(instance, config, file, draft.with_name(f"{draft.name}.ledger"), say)
            file.flush()
            os.fsync(file.fileno())
        _publish(draft, place)
    finally:
        draft.unlink(missing_ok=True)
    size = place.stat().st_size
    ledger.deliveries.move_cursor(CURSOR, f"{now:.0f}")
    ledger.audit.add(f"operator:{getpass.getuser()}", Act.BACKUP_MADE, bytes=size)
    say(f"{place} is complete, {in_bytes(size)}; it holds secrets: keep it where only you can read it")
    for name in instance.settings.own_forges:
        say(f"not in it: the embedded forge {name}; copy {instance.settings.state / name} while the hive is stopped")
    if keep:
        _rotate(to, keep, say)
    return place


def _write(instance: Instance, config: Path, file: IO[bytes], copy: Path, say: Say) -> None:
    writer, state = ArchiveWriter(file), instance.settings.state
    try:
        instance.ledger.copy_to(copy)
        _add_file(writer, "ledger.db", copy)
    finally:
        for path in (copy, *(copy.with_name(copy.name + end) for end in ("-wal", "-shm", "-journal"))):
            path.unlink(missing_ok=True)
    say(f"ledger: {in_bytes(writer.bytes)}")
    _add_file(writer, "hive.yaml", config)
    if (state / "secrets").is_dir():
        _add_tree(writer, "secrets", state / "secrets", say)
    homes = sorted(instance.agents.glob("*/state")) if instance.agents.is_dir() else []
    for home in homes:
        _add_tree(writer, f"agents/{home.parent.name}/state", home, say)
    writer.finish(schema=len(migrations()), made_at=int(instance.ledger.clock()))


def _add_file(writer: ArchiveWriter, name: str, path: Path) -> None:
    """Add one file of ours; a link of ours is followed."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        writer.add(name, StateEntry(name, os.fstat(handle), handle=handle))
    finally:
        os.close(handle)


def _add_tree(writer: ArchiveWriter, name: str, root: Path, say: Say) -> None:
    part, before = _Part(), writer.bytes
    for entry in entries(root, part.leave_out):
        if entry.target and name == "secrets":
            part.leave_out(entry.path, "a link among secrets")
            continue
        part.files += entry.handle >= 0
        if not writer.add(name if entry.path == "." else f"{name}/{entry.path}", entry):
            say(f"  {entry.path[:200]!r} became shorter meanwhile: its end is zeros")
    say(f"{name}: {part.files} files, {in_bytes(writer.bytes - before)}")
    for line in part.lines():
        say(line)


def _publish(draft: Path, place: Path) -> None:
    """Give the file its name unless that is taken by now."""
    try:
        os.link(draft, place)
    except FileExistsError as error:
        raise StartupError(f"{place} exists by now, and a backup overwrites nothing; name another file") from error
    folder = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _rotate(folder: Path, keep: int, say: Say) -> None:
    for old in sorted(path for path in folder.iterdir() if DATED.fullmatch(path.name))[:-keep]:
        with contextlib.suppress(FileNotFoundError):
            old.unlink()
            say(f"{old} is removed")
