"""Whatever is killed, dropped, repeated or reordered: what comes of it is what comes of it in peace, once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.census import census, complaints, doubled, lost, unfinished
from tests.chaos.monkey import Monkey
from tests.chaos.rounds import Mind, Round
from tests.conftest import SmallDisk, mounted
from tests.nightly import NIGHTLY
from tests.stories.conftest import raised


@dataclass(frozen=True)
class Storm:
    """What a monkey was told: the same makes the same choices, as far as the machine is as fast."""

    seed: int
    pause: tuple[float, float]
    seconds: float
    weather: bool = True
    """Whether the disk fills, the ledger is held and the forge is slow as well."""

    found: str = ""
    """What it once found."""


STORM = Storm(2, (0.3, 0.8), 15.0)
"""The one of each `make test`."""

ONCE_FAILED = (
    Storm(7003, (0.2, 0.5), 30.0, weather=False, found="a turn was given up because its host was killed five times"),
    Storm(
        1,
        (0.3, 0.8),
        25.0,
        weather=False,
        found="one was because the forge was away whenever it was given out; git hung behind half an answer",
    ),
)
"""Storms that found something; `make chaos` begins with them each night."""

LEAST = 8
"""Kills in a round, at the least: fewer prove nothing."""


@NIGHTLY
@pytest.mark.timeout(900)
def test_chaos_ends_as_calm(tmp_path: Path) -> None:
    """A round under fire ends as the calm one did, as counted on the forge; nothing is owed, nobody is bothered, nobody stays."""
    with weathered(tmp_path) as (place, disk), raised(place, Mind(), longest_delay=0.3) as hive:
        calm = Round(hive, 1)
        calm.play()
        wanted = census(calm)
        assert unfinished(hive) == []
        stormy = Round(hive, 2)
        with Monkey(hive, STORM.seed, STORM.pause, STORM.seconds, weather=STORM.weather, disk=disk) as monkey:
            stormy.play()
        stormy.settle()
        found = census(stormy)
        assert monkey.total >= LEAST
        assert (lost(wanted, found), doubled(wanted, found)) == ({}, {}), f"{monkey.kills}, {monkey.faults}"
        assert unfinished(hive) == []
        assert complaints(hive) == []
    assert left(tmp_path) == []


@contextmanager
def weathered(tmp_path: Path) -> Iterator[tuple[Path, SmallDisk | None]]:
    """Where a hive can live whose disk is full now and then; its forge and its agents, who are somebody else's, live aside."""
    with mounted(tmp_path / "house", megabytes=64) as disk:
        for name in ("forgejo", "agents") if disk is not None else ():
            (tmp_path / name).mkdir(mode=0o700)
            (tmp_path / "house" / name).symlink_to(tmp_path / name)
        yield tmp_path / "house", disk


def left(place: Path) -> list[str]:
    """Processes that know a directory by their words or their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            known = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if os.fsencode(place) in known and process.name != str(os.getpid()):
            found.append(f"{process.name} {known[:200]!r}")
    return found
