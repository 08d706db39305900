"""A host that is killed anywhere in a deployment ends where it would have ended, good or bad, and owes everything once."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hive.reconcile.backends import Backend, Bubblewrap
from tests.backends import wanted
from tests.nightly import IS_NIGHT, by_night
from tests.reconcile.conftest import Origin
from tests.reconcile.kill_points import Killer, Place

FORK = multiprocessing.get_context("fork")
PATIENCE = 300
EACH_PUSH = 7
"""So many points are played at each push, from the first to the last; by night it is all of them."""

LEAST = 20
"""So many points there are at least: a table that became short has lost what it is about."""


SCRIPT = "a script"
"""A container that costs nothing to start: what is killed is the host around it. By night there are real ones."""


def sleeping(folder: Path) -> Backend:
    """Containers that sleep, started as bubblewrap's are."""
    program = folder / "bwrap"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    return Bubblewrap(str(program))


@dataclass
class Table:
    """A deployment that was verified, in a directory of which each case gets a copy."""

    first: Path
    backend: Backend
    answers: frozenset[str]
    made: Callable[[], Path]

    def play(self, at: str = "", *, into: Path | None = None) -> Place:
        """Run a host that is killed at a point, and then one that is not."""
        place = Place(self.made())
        shutil.copytree(self.first, place.root)
        for killer in (Killer(at, into), *([Killer()] if at else [])):
            host = FORK.Process(
                target=place.run, args=(self.backend,), kwargs={"answers": self.answers, "killer": killer}
            )
            host.start()
            host.join(PATIENCE)
            assert host.exitcode is not None, "it hangs"
            assert host.exitcode == (-9 if killer.at else 0), f"at {killer.at}: {host.exitcode}"
        return place


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", [SCRIPT, *by_night("bubblewrap", "nspawn", "podman", "none")])
@pytest.mark.parametrize("is_good", [True, False], ids=["deployed", "rolled back"])
def test_killed_at_each_point(origin: Origin, tmp_path: Path, name: str, *, is_good: bool) -> None:
    """Each point that the code passes on the way, before and after: the same rows, links and words, each once."""
    backend = sleeping(tmp_path) if name == SCRIPT else wanted(name)
    old = origin.commit({"agent.yaml": "lane: app\n"})
    new = origin.commit({"agent.yaml": "lane: app\nminutes: 5\n"})
    first = Place(tmp_path / "first")
    first.root.mkdir()
    shutil.copytree(origin.mirror.path, first.root / "mirror.git")
    first.prepare(old, new)
    answers = frozenset({old, new} if is_good else {old})
    table = Table(first.root, backend, answers, lambda: tmp_path / f"case{len(list(tmp_path.iterdir()))}")
    listed = tmp_path / "points.json"
    wanted_end = table.play(into=listed).end()
    assert wanted_end["state"] == ("deployed" if is_good else "rolled_back")
    assert wanted_end["running"] == wanted_end["pointed"] == (new if is_good else old)
    points = json.loads(listed.read_text())
    assert len(points) >= LEAST, points
    for point in points if IS_NIGHT else points[:: len(points) // EACH_PUSH]:
        case = table.play(point)
        assert case.end() == wanted_end, point
        shutil.rmtree(case.root, ignore_errors=True)
