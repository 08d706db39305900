"""Versions of the hive beside one another on disk, which of them runs, and how a change stands. Starts nothing.

What is read here is written by one version and read by another: fields are added, never renamed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

INSTALLED = ""
"""The name of the version that the operator installed; all others are named by their commits."""

DIRECTORY = "generations"
"""Where versions of the hive are, below the state directory."""

CONFIG = "HIVE_CONFIGURATION"
"""The variable that tells the parts of `hive up` where its configuration is."""

GENERATION = "HIVE_GENERATION"
"""The variable that tells `hive up` which version it is, as one of several that a launcher can start."""

_SHA = re.compile(r"[0-9a-f]{40}")
BUILT, WANTED, TRIAL, OUTCOME, UP = "built.json", "wanted.json", "trial.json", "outcome.json", "up.json"
CURRENT = "current"


@dataclass(frozen=True, slots=True)
class VersionChange:
    """A change of version that is wanted or tried: from `previous` to `sha`, within so many seconds.

    `failed` is why it is undone, empty as long as it is not.
    """

    sha: str
    previous: str
    deployment: int
    seconds: float
    failed: str = ""


@dataclass(frozen=True, slots=True)
class VersionOutcome:
    """What became of a change: whether `sha` runs, and why not."""

    sha: str
    deployment: int
    runs: bool
    why: str = ""


Record = TypeVar("Record", VersionChange, VersionOutcome)


class Generations:
    """The versions below one directory. Every change of a file is whole or not there, also after a power cut."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def place(self, sha: str) -> Path:
        """The directory of a version; raises ValueError for what is no commit."""
        if not _SHA.fullmatch(sha):
            raise ValueError(f"not a commit: {sha[:80]!r}")
        return self.root / sha

    def python(self, sha: str) -> Path:
        """The interpreter that runs a version."""
        return self.place(sha) / "bin" / "python"

    def is_built(self, sha: str) -> bool:
        """Whether a version was built to its end."""
        return (self.place(sha) / BUILT).is_file()

    def tidy(self, keep: set[str]) -> None:
        """Delete versions that are neither kept nor the current one."""
        for place in self.root.iterdir():
            if _SHA.fullmatch(place.name) and place.name not in keep | {self.current()}:
                shutil.rmtree(place, ignore_errors=True)

    def mark_built(self, sha: str) -> None:
        """A version is whole."""
        self._write(self.place(sha) / BUILT, {"sha": sha})

    def current(self) -> str:
        """The version that runs, or is to be started; that of the operator if none is pointed at, or none is there."""
        try:
            name = str((self.root / CURRENT).readlink())
        except OSError:
            return INSTALLED
        return name if _SHA.fullmatch(name) and self.is_built(name) else INSTALLED

    def point(self, sha: str) -> None:
        """Let a version be the one to start, at once or not at all."""
        link = self.root / CURRENT
        if sha == INSTALLED:
            link.unlink(missing_ok=True)
            return
        draft = self.root / f".{CURRENT}"
        draft.unlink(missing_ok=True)
        draft.symlink_to(self.place(sha).name)
        draft.replace(link)

    def request(self, change: VersionChange) -> None:
        """Ask the launcher to try a version."""
        self._write(self.root / WANTED, asdict(change))

    def wanted(self) -> VersionChange | None:
        """The change that is asked for; one of a version that is not there is none."""
        found = self._read(WANTED, VersionChange)
        return found if found is not None and self.is_built(found.sha) else None

    def begin(self) -> None:
        """What was wanted is tried from now on."""
        (self.root / WANTED).replace(self.root / TRIAL)

    def trial(self) -> VersionChange | None:
        """The change that is tried now, or that is being undone."""
        return self._read(TRIAL, VersionChange)

    def note(self, change: VersionChange) -> None:
        """Write down what became of the change that is tried."""
        self._write(self.root / TRIAL, asdict(change))

    def settle(self, outcome: VersionOutcome) -> None:
        """A change is over: leave word for the version that runs."""
        self._write(self.root / OUTCOME, asdict(outcome))
        (self.root / TRIAL).unlink(missing_ok=True)

    def outcome(self) -> VersionOutcome | None:
        """What became of the last change, until it is taken note of."""
        return self._read(OUTCOME, VersionOutcome)

    def forget_outcome(self) -> None:
        """It was taken note of."""
        (self.root / OUTCOME).unlink(missing_ok=True)

    def say_up(self, sha: str) -> None:
        """A version says that all of it runs."""
        self._write(self.root / UP, {"sha": sha})

    def is_up(self, sha: str) -> bool:
        """Whether a version has said so since `forget_up`."""
        return (self._json(UP) or {}).get("sha") == sha

    def forget_up(self) -> None:
        """What said so has ended."""
        (self.root / UP).unlink(missing_ok=True)

    def _read(self, name: str, kind: type[Record]) -> Record | None:
        known = {field.name for field in fields(kind)}
        try:
            found = kind(**{key: value for key, value in (self._json(name) or {}).items() if key in known})
        except TypeError:
            return None
        return found if _SHA.fullmatch(found.sha) else None

    def _json(self, name: str) -> dict[str, Any] | None:
        with contextlib.suppress(OSError, ValueError):
            found = json.loads((self.root / name).read_bytes())
            return found if isinstance(found, dict) else None
        return None

    def _write(self, path: Path, content: dict[str, Any]) -> None:
        draft = path.with_name(f".{path.name}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
