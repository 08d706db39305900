"""The hive's own upgrade, killed anywhere: host or launcher starts again, and all ends as if nobody had been killed."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, cast

import pytest

from bots.models import HIVE
from forge.models import Branch, Repo, Repository
from hive.app.launcher import LEDGER, Launcher
from hive.ledger import Ledger
from hive.reconcile.branch_watch import BranchSource, BranchWatch
from hive.reconcile.holds import Holds
from hive.reconcile.own_upgrade import OwnUpgrade
from hive.reconcile.report import Reporter
from hive.reconcile.verify import Policy
from hive.supervisor.generations import DIRECTORY, Generations
from tests.hive.test_launcher import DIES, NEW, OLD, Machine
from tests.nightly import IS_NIGHT
from tests.reconcile.kill_points import Killer

FORK = multiprocessing.get_context("fork")
SOURCE = Repo("forgejo", "acme", "hive")
SECONDS = 240.0
EACH_PUSH = 3
"""So many points of each process are played at each push; by night it is all of them."""

LEAST = {"host": 20, "launcher": 8}
"""So many points there are at least: a table that became short has lost what it is about."""

CHANGES = {
    "generations.py": {"request", "begin", "point", "note", "settle", "forget_outcome", "mark_built", "tidy"},
    "launcher.py": {"_start", "end", "_undo"},
    "copies.py": {"copy", "put_back", "drop"},
    "report.py": {"deployed", "failed"},
    "deployments.py": {"transition"},
    "enqueue.py": {"enqueue"},
    "database.py": {"__enter__", "__exit__"},
}
"""Functions that change something in an upgrade, by the files in which they are."""


@dataclass(frozen=True)
class VersionMaker:
    """Builds the version that is wanted, as far as its files say it: one that comes up, or one that dies at once."""

    machine: Machine
    does: str

    def build(self, _: object, sha: str) -> None:
        """What an earlier host left is made again."""
        shutil.rmtree(self.machine.generations.place(sha), ignore_errors=True)
        self.machine.make(sha, self.does)


def approved(state: Path) -> None:
    """An operator's merge of pull request 7 of the hive's source was verified."""
    ledger = Ledger(state / LEDGER)
    seen = Repository(5, SOURCE, "main", archived=False, mirror=False, empty=False, private=True)
    ledger.deployments.register(HIVE, team="acme", seen=seen, branch=Branch("main", OLD, protected=True), cursor=1)
    baseline = ledger.deployments.baseline(HIVE)
    assert baseline is not None
    ledger.deployments.start(baseline, NEW, (7,), 2)
    ledger.close()


def host(state: Path, does: str, killer: Killer) -> None:
    """Be the host until the upgrade is over."""
    ledger = Ledger(state / LEDGER)
    machine = cast("Any", object.__new__(Machine))
    machine.state, machine.generations = state, Generations(state / DIRECTORY)
    policy = Policy(5, frozenset({1}), "main")
    nothing = cast("Any", None)  # nothing is looked up: what is deployed was verified
    watch = BranchWatch(ledger, BranchSource(SOURCE, policy, nothing, lambda: nothing, lambda _: True))
    watch.next_look = time.monotonic() + 2 * SECONDS
    reporter = Reporter(ledger, "core", Repo("forgejo", "hive", "meta"))
    build = cast("Any", VersionMaker(machine, does))
    upgrade = OwnUpgrade(ledger, watch, reporter, Holds(ledger), machine.generations, build, SECONDS, is_launched=True)
    end = time.monotonic() + SECONDS
    with killer:
        while time.monotonic() < end and ledger.deployments.current(HIVE) is not None:
            upgrade.keep()
            time.sleep(0.01)
        upgrade.keep()
    ledger.close()


def launcher(state: Path, killer: Killer) -> None:
    """Be the launcher until the upgrade is over, and then end the version that runs."""
    stop = threading.Event()
    threading.Thread(target=_ring, args=(state, stop), daemon=True).start()
    with killer:
        Launcher(state / "hive.yaml", state, lambda _: None, stop).run()


def _ring(state: Path, stop: threading.Event) -> None:
    while not (state / "over").exists():
        time.sleep(0.05)
    stop.set()


@dataclass
class Upgrade:
    """An upgrade that was approved, in a directory of its own for each case."""

    folder: Path
    does: str
    cases: int = 0

    def play(self, of_host: Killer | None = None, of_launcher: Killer | None = None) -> Path:
        """Run both until the upgrade is over; one that is killed is started again."""
        state = self.folder / f"case{self.cases}"
        self.cases += 1
        state.mkdir()
        Machine(state)
        approved(state)
        killers = {"host": of_host or Killer(), "launcher": of_launcher or Killer()}
        begun = {name: self._begun(state, name, killer) for name, killer in killers.items()}
        end = time.monotonic() + SECONDS
        while begun["host"].exitcode != 0:
            assert time.monotonic() < end, "it hangs"
            for name, process in begun.items():
                if process.exitcode == -9:
                    assert killers[name].at, f"{name} was killed"
                    killers[name] = Killer()
                    begun[name] = self._begun(state, name, killers[name])
                assert process.exitcode in (None, 0, -9), f"{name}: {process.exitcode}"
            time.sleep(0.01)
        (state / "over").touch()
        begun["launcher"].join(SECONDS)
        if begun["launcher"].exitcode == -9:  # at its very end
            begun["launcher"] = self._begun(state, "launcher", Killer())
            begun["launcher"].join(SECONDS)
        assert begun["launcher"].exitcode == 0
        return state

    def _begun(self, state: Path, name: str, killer: Killer) -> BaseProcess:
        killer.changes = CHANGES
        what: tuple[Callable[..., None], tuple[object, ...]] = (
            (host, (state, self.does, killer)) if name == "host" else (launcher, (state, killer))
        )
        process = FORK.Process(target=what[0], args=what[1])
        process.start()
        return process

    def end_of(self, state: Path) -> dict[str, object]:
        """How it ended: the deployment, what runs from now on, the files that say so, and what is owed to the forge."""
        ledger, generations = Ledger(state / LEDGER), Generations(state / DIRECTORY)
        newest, baseline = ledger.deployments.newest(HIVE), ledger.deployments.baseline(HIVE)
        assert newest is not None
        assert baseline is not None
        rows = ledger._db.rows("SELECT kind, key FROM effects ORDER BY key")
        ledger.close()
        found: dict[str, object] = {
            "state": newest.state.value,
            "runs": baseline.running_sha,
            "accepted": baseline.sha,
            "current": generations.current(),
            "open": [generations.wanted(), generations.trial(), generations.outcome()],
            "owed": [(row["kind"], row["key"]) for row in rows],
        }
        shutil.rmtree(state, ignore_errors=True)
        return found


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("victim", ["host", "launcher"])
@pytest.mark.parametrize("fails", [False, True], ids=["deployed", "rolled back"])
def test_killed_at_each_point(tmp_path: Path, victim: str, *, fails: bool) -> None:
    """Each point that the code passes, before and after: the same version runs, and everything is owed once."""
    made, listed = Upgrade(tmp_path, DIES if fails else ""), tmp_path / "points.json"

    def play(killer: Killer) -> dict[str, object]:
        return made.end_of(made.play(killer) if victim == "host" else made.play(of_launcher=killer))

    wanted = play(Killer(into=listed))
    assert (wanted["state"], wanted["current"]) == (("rolled_back", OLD) if fails else ("deployed", NEW))
    assert wanted["open"] == [None, None, None]
    points = json.loads(listed.read_text())
    assert len(points) >= LEAST[victim], points
    for number, point in enumerate(points if IS_NIGHT else points[:: max(1, len(points) // EACH_PUSH)]):
        hit = tmp_path / f"killed{number}"
        assert play(Killer(point, hit=hit)) == wanted, point
        assert hit.exists(), f"nobody was killed at {point}"
