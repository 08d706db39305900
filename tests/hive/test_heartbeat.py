"""Loops live on when their store is away, say so when they are late, and end their process when they cannot go on."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bots.bot import Context
from hive.app.polls import pollers
from hive.app.work import serve, worker_deps
from hive.config import load
from hive.demo.setup import write_config
from hive.instance.instance import Instance, StartupError, wait_for_store
from hive.ledger import Ledger
from hive.ledger.errors import DamagedDatabase
from hive.ledger.jobs import LEASE_SECONDS
from hive.supervisor.heartbeat import HEARTBEATS, SIZE, Heartbeat, HeartbeatMonitor, LoopDied, Loops, read_heartbeats
from hive.worker.worker import Worker
from tests.backends import everyday
from tests.conftest import SmallDisk
from tests.hive.conftest import APP, HiveEnv, make_env

SECONDS = 90.0
LOOPS = 7
"""Those of `hive work`."""


def until(look: Callable[[], bool], what: str) -> None:
    """Wait for something that has to come."""
    end = time.monotonic() + SECONDS
    while not look():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.05)


@contextmanager
def at_work(hive_env: HiveEnv) -> Iterator[None]:
    """The worker of a house, with its sweep, as `hive work` runs it."""
    stop = threading.Event()
    worker = threading.Thread(target=serve, args=(hive_env.instance, stop))
    worker.start()
    try:
        until(
            lambda: len(read_heartbeats(hive_env.instance.settings.state / HEARTBEATS)) == LOOPS,
            "a heartbeat of each loop",
        )
        yield
    finally:
        stop.set()
        worker.join()


def fill(ledger: Ledger) -> None:
    """Write until that fails: SQLite uses what room its log has, whatever the disk says."""
    for _ in range(5000):
        ledger.audit.add("test", "Filled", text="x" * 4000)


def labelled(hive_env: HiveEnv, title: str) -> bool:
    """Whether an issue was routed."""
    issue = hive_env.mara.open_issue(APP, title, f"{title}, and should not.", marker=title)
    return bool(issue.labels)


def test_a_full_disk_costs_time_only(small_disk: SmallDisk, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is filed while the disk is full is routed when there is room again, by the same process."""
    (tmp_path / "forge").mkdir()
    (small_disk.place / "forge").symlink_to(tmp_path / "forge")
    with make_env(small_disk.place) as hive_env, at_work(hive_env):
        small_disk.fill()
        with pytest.raises(sqlite3.OperationalError):
            fill(hive_env.instance.ledger)
        caplog.clear()
        assert not labelled(hive_env, "It breaks"), "nobody can have looked"
        until(lambda: "store_away" in caplog.text, "a loop that meets the full disk")
        small_disk.free()
        until(lambda: labelled(hive_env, "It breaks"), "the label")
        assert not HeartbeatMonitor(hive_env.instance.settings.state / HEARTBEATS, (), grace=0).troubles()


def test_a_process_that_begins_without_a_store_waits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing dies of it again and again; what may not be written is no reason to wait."""
    instance = Instance(load(written(tmp_path)))
    instance.ledger.wait_at_most(0.1)
    with closing(sqlite3.connect(instance.ledger_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = threading.Thread(target=wait_for_store, args=(instance, threading.Event()))
        waiting.start()
        until(lambda: "store_away" in caplog.text, "a process that waits")
        assert waiting.is_alive()
        other.execute("ROLLBACK")
        waiting.join(SECONDS)
    assert not waiting.is_alive()
    instance.close()
    nowhere = Instance(replace(instance.settings, state=Path("/proc/nowhere")))
    with pytest.raises(StartupError, match="the state directory cannot be used"):
        wait_for_store(nowhere, threading.Event())


def written(place: Path) -> Path:
    """A configuration in a directory."""
    return write_config(place, forge_port=1, web_port=1, model_url="http://127.0.0.1:1", sandbox=everyday())


def test_a_lock_of_a_minute_costs_time_only(hive_env: HiveEnv, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever holds the ledger for longer than anybody waits ends no loop."""
    hive_env.instance.ledger.wait_at_most(0.1)
    path = hive_env.instance.ledger_path
    with at_work(hive_env), closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        caplog.clear()
        assert not labelled(hive_env, "It breaks")
        until(lambda: caplog.text.count("store_away") > 3, "loops that meet the lock")
        other.execute("ROLLBACK")
        until(lambda: labelled(hive_env, "It breaks"), "the label")


def test_a_look_that_the_ledger_broke_off_is_taken_again(hive_env: HiveEnv) -> None:
    """A look whose end could not be stored has lost no attempt, and need not wait for its lease."""
    instance, stop = hive_env.instance, threading.Event()
    instance.ledger.wait_at_most(0.1)
    deps = worker_deps(instance)
    looked = threading.Event()
    with closing(sqlite3.connect(instance.ledger_path, isolation_level=None, check_same_thread=False)) as other:

        def context(team: str, bot: str) -> Context:
            """What the bot sees; the first time, somebody takes the ledger meanwhile."""
            if not looked.is_set():
                other.execute("BEGIN IMMEDIATE")
                threading.Timer(2.0, other.execute, ("ROLLBACK",)).start()
            looked.set()
            return deps.context(team, bot)

        worker = Worker(replace(deps, context=context))
        thread = threading.Thread(target=worker.serve, kwargs={"threads": 2, "stop": stop})
        thread.start()
        for sweeper in pollers(instance):
            sweeper.sweep()
        labelled(hive_env, "It breaks")
        for sweeper in pollers(instance):
            sweeper.sweep()
        try:
            until(lambda: labelled(hive_env, "It breaks"), "the label")
        finally:
            stop.set()
            thread.join()
    with instance.ledger.transaction() as db:
        assert {row["attempts"] for row in db.execute("SELECT attempts FROM jobs WHERE state = 'done'")} == {1}
    assert LEASE_SECONDS > SECONDS, "or waiting for it would do"


def test_a_sweep_that_fails_for_long_is_said(hive_env: HiveEnv) -> None:
    """A forge that is away for a moment is no reason to worry; one that stays away is, by name."""
    limits = replace(hive_env.instance.settings.limits, late_seconds=3)
    instance = Instance(replace(hive_env.instance.settings, limits=limits, sweep_seconds=1))
    watch, stop = HeartbeatMonitor(instance.settings.state / HEARTBEATS, (), grace=0), threading.Event()
    worker = threading.Thread(target=serve, args=(instance, stop))
    worker.start()
    try:
        until(lambda: len(read_heartbeats(instance.settings.state / HEARTBEATS)) == LOOPS, "a heartbeat of each loop")
        hive_env.forge.stop()
        said = "work.sweep: the sweep of acme on forgejo has failed for"
        until(lambda: any(said in trouble for trouble in watch.troubles()), said)
    finally:
        stop.set()
        worker.join()
        instance.close()


def test_damage_ends_the_process_in_words(tmp_path: Path) -> None:
    """A damaged ledger ends every loop, and the last words name the file and what to do."""
    path = tmp_path / "ledger.db"
    stop = threading.Event()
    loops = Loops(tmp_path / "heartbeats", "work", stop)
    with closing(Ledger(path)) as ledger, ledger.transaction():
        for number in range(2000):
            ledger.audit.add("a", "Something", text=f"{number} " * 50)
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 100_000)
    with closing(sqlite3.connect(path)) as broken:

        def step(heartbeat: Heartbeat) -> float:
            broken.execute("SELECT * FROM audit WHERE detail LIKE '%x%'").fetchall()
            heartbeat.beat()
            return 0.0

        loops.run("reader", step)
    assert stop.is_set()
    with pytest.raises(DamagedDatabase, match=r"ledger\.db.*put a backup of ledger\.db in its place"):
        loops.last_words(path)


def test_a_mistake_ends_the_process(tmp_path: Path) -> None:
    """A loop that dies of anything else takes the others along: its process is started again, instead of limping."""
    stop = threading.Event()
    loops = Loops(tmp_path, "work", stop)

    def step(_: Heartbeat) -> float:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        loops.run("sweep", step)
    assert stop.is_set()
    with pytest.raises(LoopDied, match="work ends: its sweep died"):
        loops.last_words(tmp_path)


def test_an_end_that_was_asked_for_has_no_last_words(tmp_path: Path) -> None:
    """Whoever is told to stop stops."""
    stop = threading.Event()
    loops = Loops(tmp_path, "work", stop)

    def step(_: Heartbeat) -> float:
        stop.set()
        return 0.0

    loops.run("sweep", step)
    loops.last_words(tmp_path)


def test_who_is_late_is_named(tmp_path: Path) -> None:
    """A loop without a pass in time, one that complains, and one that never ran are named; the others are not."""
    loops = Loops(tmp_path, "work", threading.Event(), late_after=600.0)
    loops.heartbeat("well").beat()
    loops.heartbeat("sick").beat("no sandbox: ü " + "x" * 1000)
    Loops(tmp_path, "work", threading.Event(), late_after=-1.0).heartbeat("late").beat()
    troubles = HeartbeatMonitor(tmp_path, ("work.well", "host.tick"), grace=0).troubles()
    assert [trouble.split()[0] for trouble in troubles] == ["work.late", "work.sick:", "host.tick"]
    assert not any("host" in trouble for trouble in HeartbeatMonitor(tmp_path, ("host.tick",), grace=600).troubles())


def test_a_heartbeat_needs_no_room(small_disk: SmallDisk) -> None:
    """It is written over in place, so that a full disk does not silence it."""
    heartbeat = Heartbeat(small_disk.place / "work.sweep", 1.0)
    heartbeat.beat()
    small_disk.fill()
    heartbeat.beat("the disk is full")
    file = small_disk.place / "work.sweep"
    assert json.loads(file.read_bytes())["trouble"] == "the disk is full"
    assert file.stat().st_size == SIZE
    assert file.stat().st_mode & 0o777 == 0o600
