"""The file of a backup: a tar whose last member is a manifest with the size and checksum of all others.

An archive without its end has no manifest, so that half a backup is never taken for one.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import IO, Any

from hive.app.agent_trees import StateEntry
from hive.instance.instance import StartupError

FORMAT = 1
"""The version of the archive's own form."""

MANIFEST = "manifest.json"
LARGEST_MANIFEST = 1 << 30
RIGHTS = 0o777
"""The part of a mode that is kept: what sets a user or group is not."""

_KINDS = {tarfile.REGTYPE: "file", tarfile.DIRTYPE: "directory", tarfile.SYMTYPE: "link"}
_AGENTS = re.compile(r"agents/[A-Za-z0-9][A-Za-z0-9_.-]*/state(/.+)?", re.DOTALL)
_OURS = re.compile(r"ledger\.db|hive\.yaml|secrets(/.+)?", re.DOTALL)


class _ExactBytes(io.RawIOBase):
    """Exactly so many bytes of a file that may shrink or grow meanwhile: zeros stand for what is missing."""

    def __init__(self, source: IO[bytes], size: int) -> None:
        self._source = source
        self._left = size
        self.digest = hashlib.sha256()
        self.is_cut = False

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        chunk = self._source.read(wanted)
        if len(chunk) < wanted:
            self.is_cut = True
            chunk += bytes(wanted - len(chunk))
        self._left -= wanted
        self.digest.update(chunk)
        return chunk


@dataclass
class ArchiveWriter:
    """Writes members to an open file; `finish` writes the manifest, without which it is no archive."""

    file: IO[bytes]
    members: list[dict[str, Any]] = field(default_factory=list)
    bytes: int = 0

    def __post_init__(self) -> None:
        self._tar = tarfile.open(fileobj=self.file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115  closed by `finish`

    def add(self, name: str, entry: StateEntry) -> bool:
        """Add an entry of a tree under a name; returns False for a file that became shorter meanwhile."""
        info = tarfile.TarInfo(name)
        info.mode, info.mtime = entry.seen.st_mode & RIGHTS, max(0, int(entry.seen.st_mtime))
        info.uid, info.gid = entry.seen.st_uid, entry.seen.st_gid
        if entry.handle < 0:
            info.type, info.linkname = (tarfile.SYMTYPE, entry.target) if entry.target else (tarfile.DIRTYPE, "")
            self._tar.addfile(info)
            self._note(info, "")
            return True
        info.size = entry.seen.st_size
        with os.fdopen(os.dup(entry.handle), "rb") as source:
            measured = _ExactBytes(source, info.size)
            self._tar.addfile(info, measured)
        self._note(info, measured.digest.hexdigest())
        return not measured.is_cut

    def finish(self, **facts: Any) -> None:
        """Write the manifest and the end."""
        words = json.dumps({"format": FORMAT, **facts, "members": self.members}).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size, info.mode = len(words), 0o600
        self._tar.addfile(info, io.BytesIO(words))
        self._tar.close()

    def _note(self, info: tarfile.TarInfo, digest: str) -> None:
        self.members.append({"name": info.name, "kind": _KINDS[info.type], "size": info.size, "sha256": digest})
        self.bytes += info.size


@dataclass(frozen=True)
class Archive:
    """An open archive that was read to its end and found whole."""

    file: IO[bytes]
    manifest: dict[str, Any]

    @classmethod
    def checked(cls, file: IO[bytes]) -> Archive:
        """Read all of it; raises StartupError in words for anything but a whole backup of a form that is known."""
        try:
            return cls(file, cls._read(file))
        except (tarfile.TarError, EOFError) as error:
            raise StartupError(f"this is no backup, or a damaged one ({error})") from error

    @staticmethod
    def _read(file: IO[bytes]) -> dict[str, Any]:
        found: list[dict[str, Any]] = []
        manifest: dict[str, Any] | None = None
        for tar, info in _members(file):
            if manifest is not None:
                raise StartupError("this is no backup: something follows its manifest")
            if info.name == MANIFEST:
                manifest = _manifest(tar, info)
            else:
                found.append(_measure(tar, info))
        if manifest is None:
            raise StartupError("this is no whole backup: it ends before its manifest")
        if found != manifest["members"]:
            raise StartupError("this backup is damaged: its content is not what its manifest says")
        names = [member["name"] for member in found]
        if len(set(names)) != len(names) or "ledger.db" not in names:
            raise StartupError("this is no backup: a name is there twice, or no ledger")
        return manifest

    def members(self) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
        """Everything but the manifest, once more from the beginning; the content of files."""
        for tar, info in _members(self.file):
            if info.name != MANIFEST:
                yield info, tar.extractfile(info) if info.type == tarfile.REGTYPE else None


def _members(file: IO[bytes]) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    file.seek(0)
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for info in tar:
            _admit(info)
            yield tar, info


def _admit(info: tarfile.TarInfo) -> None:
    """Only what a backup holds, where it holds it: an archive is no reason to write anywhere else."""
    name = info.name
    is_agents = _AGENTS.fullmatch(name) is not None
    is_known = is_agents or name == MANIFEST or _OURS.fullmatch(name) is not None
    is_plain = str(PurePosixPath(name)) == name and ".." not in name.split("/") and "\0" not in name
    is_kind = info.type in _KINDS and info.sparse is None and (is_agents or info.type != tarfile.SYMTYPE)
    if not (is_known and is_plain and is_kind):
        raise StartupError(f"this is no backup: it holds {name[:80]!r}")


def _manifest(tar: tarfile.TarFile, info: tarfile.TarInfo) -> dict[str, Any]:
    source = tar.extractfile(info) if info.size <= LARGEST_MANIFEST else None
    try:
        read = json.loads(source.read()) if source else None
    except ValueError as error:
        raise StartupError("this backup is damaged: its manifest cannot be read") from error
    if not isinstance(read, dict) or not isinstance(read.get("members"), list):
        raise StartupError("this backup is damaged: its manifest says nothing")
    if read.get("format") != FORMAT or not isinstance(read.get("schema"), int):
        raise StartupError("this backup was made by another version of the hive; install that version")
    return read


def _measure(tar: tarfile.TarFile, info: tarfile.TarInfo) -> dict[str, Any]:
    source = tar.extractfile(info) if info.type == tarfile.REGTYPE else None
    digest = hashlib.file_digest(source, "sha256").hexdigest() if source else ""  # type: ignore[arg-type]
    return {"name": info.name, "kind": _KINDS[info.type], "size": info.size, "sha256": digest}
