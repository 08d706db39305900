"""A host that is killed anywhere in a deployment ends where it would have ended, good or bad, and owes everything once."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import pytest

from hive.reconcile.backends import Bubblewrap
from tests.backends import wanted
from tests.nightly import IS_NIGHT, by_night
from tests.reconcile import nixos_scene
from tests.reconcile.conftest import Origin
from tests.reconcile.kill_points import Killer, Place, Scene, itself
from tests.reconcile.nixos_scene import KILLED, NixosScene, who_asks
from tests.reconcile.test_nixos_machines import leader as _leader
from tests.reconcile.test_nixos_machines import tools as _tools

FORK = multiprocessing.get_context("fork")
PATIENCE = 600
EACH_PUSH = 7
"""So many points are played at each push, from the first to the last; by night it is all of them."""

OF_NIXOS = 2
"""The same for containers of NixOS, where a deployment takes seconds: that of a commit which is given up passes the most."""

LEAST = 20
"""So many points there are at least: a table that became short has lost what it is about."""

LEAST_OF_ROOT = 14
"""The same for what root does at the request of a host."""

SCRIPT = "a script"
"""A container that costs nothing to start: what is killed is the host around it. By night there are real ones."""

leader, tools = _leader, _tools


def sleeping(folder: Path) -> Scene:
    """Containers that sleep, started as bubblewrap's are."""
    program = folder / "bwrap"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    return Scene(Bubblewrap(str(program)))


@dataclass
class Table:
    """A deployment that was verified, in a directory of which each case gets a copy."""

    folder: Path
    scene: Scene
    old: str
    new: str
    is_good: bool
    cases: int = 0

    @classmethod
    def lay_out(
        cls, folder: Path, scene: Scene, origin: Origin, files: Callable[[int], dict[str, str]], *, is_good: bool
    ) -> Table:
        """Two commits, of which the newer one is to be deployed."""
        made = cls(folder, scene, origin.commit(files(0)), origin.commit(files(1)), is_good)
        first = Place(folder / "first")
        first.root.mkdir()
        shutil.copytree(origin.mirror.path, first.root / "mirror.git")
        first.prepare(made.old, made.new)
        return made

    def play(self, *killers: Killer, of_helper: Killer | None = None) -> Place:
        """Run hosts in a new place, one after another, until one is not killed."""
        place = Place(self.folder / f"case{self.cases}")
        self.cases += 1
        shutil.copytree(self.folder / "first", place.root)
        self.scene.prepare(place.root)
        answers = frozenset({self.old, self.new} if self.is_good else {self.old})
        with self.scene.served(place.root, of_helper or Killer()):
            for killer in killers:
                host = FORK.Process(target=place.run, args=(self.scene,), kwargs={"answers": answers, "killer": killer})
                host.start()
                host.join(PATIENCE)
                assert host.exitcode is not None, "it hangs"
                assert host.exitcode == (-9 if killer.at else 0), f"at {killer.at}: {host.exitcode}"
        return place

    def end_of(self, place: Place) -> dict[str, object]:
        """How a place ended; it is removed."""
        found = place.end(self.scene)
        shutil.rmtree(place.root, ignore_errors=True)
        return found

    def expected(self, place: Place) -> dict[str, object]:
        """How a place ended in which nobody was killed."""
        found = self.end_of(place)
        assert found["state"] == ("deployed" if self.is_good else "rolled_back")
        assert found["running"] == found["pointed"] == (self.new if self.is_good else self.old)
        return found


GOOD_BY_NIGHT = pytest.mark.parametrize("is_good", [False, *by_night(True)], ids=["rolled back", *by_night("deployed")])
"""A good commit is played by night only, where a deployment takes seconds."""


def chosen(points: list[str], each_push: int) -> list[str]:
    """Points from the first to the last."""
    return points if IS_NIGHT else points[:: max(1, len(points) // each_push)]


def plain(number: int) -> dict[str, str]:
    """A configuration that any container can have."""
    return {"agent.yaml": f"lane: app\nminutes: {5 + number}\n"}


GOOD = pytest.mark.parametrize("is_good", [True, False], ids=["deployed", "rolled back"])


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", [SCRIPT, *by_night("bubblewrap", "nspawn", "podman", "none")])
@GOOD
def test_killed_at_each_point(origin: Origin, tmp_path: Path, name: str, *, is_good: bool) -> None:
    """Each point that the code passes on the way, before and after: the same rows, links and words, each once."""
    scene = sleeping(tmp_path) if name == SCRIPT else Scene(wanted(name))
    made = Table.lay_out(tmp_path, scene, origin, plain, is_good=is_good)
    listed = tmp_path / "points.json"
    wanted_end = made.expected(made.play(Killer(into=listed)))
    points = json.loads(listed.read_text())
    assert len(points) >= LEAST, points
    for point in chosen(points, EACH_PUSH):
        assert made.end_of(made.play(Killer(point), Killer())) == wanted_end, point


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", [SCRIPT, *by_night("bubblewrap", "nspawn", "podman", "none")])
@GOOD
def test_killed_in_a_base_update(origin: Origin, tmp_path: Path, name: str, *, is_good: bool) -> None:
    """The same of a cascade: its container is rebuilt or as it was, it is over, and comment, tag and log are owed once."""
    scene = sleeping(tmp_path) if name == SCRIPT else Scene(wanted(name))
    old = origin.commit(plain(0))
    first = Place(tmp_path / "first")
    first.root.mkdir()
    shutil.copytree(origin.mirror.path, first.root / "mirror.git")
    new = first.prepare_base(old, "env: {PLANET: earth}\n")
    made, listed = Table(tmp_path, scene, old, str(new), is_good), tmp_path / "points.json"
    wanted_end = made.expected(made.play(Killer(into=listed)))
    assert (wanted_end["accepted"], wanted_end["rejected"]) == (old, "")
    assert wanted_end["cascade"] == [("iris", "started", not is_good)]
    points = json.loads(listed.read_text())
    assert len(points) >= LEAST, points
    for point in chosen(points, EACH_PUSH):
        assert made.end_of(made.play(Killer(point), Killer())) == wanted_end, point


@pytest.fixture
def nixos(leader: int) -> NixosScene:
    """A host of NixOS containers; skips where there can be none."""
    if why := nixos_scene.missing():
        pytest.skip(why)
    return NixosScene(leader=leader)


def with_module(number: int) -> dict[str, str]:
    """A configuration whose system is built from a module of its own."""
    return {**plain(number), "agent.nix": f'{{ says = "{number}"; }}'}


@pytest.mark.timeout(3600)
@GOOD_BY_NIGHT
def test_killed_with_nixos_containers(origin: Origin, tmp_path: Path, nixos: NixosScene, *, is_good: bool) -> None:
    """The same with a system that is built, and a container that root starts: also for its profile and what it booted."""
    made = Table.lay_out(tmp_path, nixos, origin, with_module, is_good=is_good)
    listed = tmp_path / "points.json"
    wanted_end = made.expected(made.play(Killer(into=listed)))
    points = json.loads(listed.read_text())
    assert len(points) >= LEAST, points
    assert {"before nix_build.py build", *([] if is_good else ["before client.py begin kill"])} <= {*points}
    for point in chosen(points, OF_NIXOS):
        assert made.end_of(made.play(Killer(point), Killer())) == wanted_end, point


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("victim", [itself, *by_night(who_asks)])
@GOOD_BY_NIGHT
def test_killed_while_root_does_it(
    origin: Origin, tmp_path: Path, nixos: NixosScene, victim: Callable[[FrameType], int | None], *, is_good: bool
) -> None:
    """Root's helper, or the process that stands for the container, is killed at each point of what root does for it."""
    made = Table.lay_out(tmp_path, nixos, origin, with_module, is_good=is_good)
    listed = tmp_path / "points.json"
    wanted_end = made.expected(made.play(Killer(), of_helper=Killer(into=listed, victim=victim)))
    points = json.loads(listed.read_text())
    assert len(points) >= LEAST_OF_ROOT, points
    assert {"before machines.py _run nix-env", "after machines.py _run systemctl start"} <= {*points}
    for point in chosen(points, OF_NIXOS):
        place = made.play(Killer(), of_helper=Killer(point, victim=victim))
        assert (place.root / KILLED).exists(), f"nobody was killed at {point}"
        assert made.end_of(place) == wanted_end, point
