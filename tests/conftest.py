"""What many rooms need: a clock that a test moves, a ledger of its own, golden files."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hive.cli import OBJECTS_BETWEEN_COLLECTIONS
from hive.ledger import Ledger

GOLDEN = Path(__file__).parent / "golden"

gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)  # as the processes of the hive do, which tests play here in one


@pytest.fixture(scope="session", autouse=True)
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of whoever runs the tests is not theirs: they have an empty one, and leave no configuration of git there."""
    home = tmp_path_factory.mktemp("home")
    before = {name: os.environ.pop(name, None) for name in ("HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL")}
    os.environ["HOME"] = str(home)
    yield home
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    assert not (home / ".gitconfig").exists(), "a test wrote into the configuration of git that all of them share"


@dataclass
class Clock:
    """Seconds that pass when the test says so."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    """A ledger in a file of its own."""
    opened = Ledger(tmp_path / "ledger.db", clock)
    yield opened
    opened.close()


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare words with a golden file, or write it when HIVE_GOLDEN=write."""

    def compare(name: str, said: str) -> None:
        path = GOLDEN / name
        if os.environ.get("HIVE_GOLDEN") == "write":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(said + "\n")
        assert said + "\n" == path.read_text(), f"the words of {name} changed; if they should: make golden"

    return compare


@dataclass(frozen=True)
class SmallDisk:
    """A file system of a few megabytes that can be filled to its last byte."""

    place: Path

    def fill(self) -> None:
        """Leave no room."""
        with (self.place / "filler").open("ab", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(bytes(1 << 12)):
                pass

    def free(self) -> None:
        """Leave room again."""
        (self.place / "filler").unlink(missing_ok=True)


@contextmanager
def mounted(place: Path, *, megabytes: int = 24) -> Iterator[SmallDisk | None]:
    """A small file system at a directory; None where it cannot be mounted: only root can."""
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)]
    if os.geteuid() != 0 or not shutil.which("mount") or subprocess.run(words, capture_output=True).returncode:
        yield None
        return
    try:
        yield SmallDisk(place)
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A small file system of its own; only root can mount one."""
    with mounted(tmp_path / "disk") as disk:
        if disk is None:
            pytest.skip("no small disk can be mounted here")
        yield disk
