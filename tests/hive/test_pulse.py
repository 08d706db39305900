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
from hive.app.house import House, NotReady, wait_for_store
from hive.app.work import serve, sweepers, workshop
from hive.demo.stage import write_config
from hive.ledger import Ledger
from hive.ledger.faults import Damaged
from hive.ledger.jobs import LEASE_SECONDS
from hive.pulse import BEATS, SIZE, LoopDied, Loops, Pulse, Watch, beats
from hive.settings import load
from hive.work import Worker
from tests.conftest import SmallDisk
from tests.hive.conftest import APP, Village, settle

SECONDS = 90.0


def until(look: Callable[[], bool], what: str) -> None:
    """Wait for something that has to come."""
    end = time.monotonic() + SECONDS
    while not look():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.05)


@contextmanager
def at_work(village: Village) -> Iterator[None]:
    """The worker of a house, with its sweep, as `hive work` runs it."""
    stop = threading.Event()
    worker = threading.Thread(target=serve, args=(village.house, stop))
    worker.start()
    try:
        until(lambda: len(beats(village.house.settings.state / BEATS)) == 4, "four heartbeats")
        yield
    finally:
        stop.set()
        worker.join()


def fill(ledger: Ledger) -> None:
    """Write until that fails: SQLite uses what room its log has, whatever the disk says."""
    for _ in range(5000):
        ledger.audit.add("test", "Filled", text="x" * 4000)


def labelled(village: Village, title: str) -> bool:
    """Whether an issue was routed."""
    issue = village.mara.open_issue(APP, title, f"{title}, and should not.", marker=title)
    return bool(issue.labels)


def test_a_full_disk_costs_time_only(small_disk: SmallDisk, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is filed while the disk is full is routed when there is room again, by the same process."""
    (tmp_path / "forge").mkdir()
    (small_disk.place / "forge").symlink_to(tmp_path / "forge")
    with settle(small_disk.place) as village, at_work(village):
        small_disk.fill()
        with pytest.raises(sqlite3.OperationalError):
            fill(village.house.ledger)
        caplog.clear()
        assert not labelled(village, "It breaks"), "nobody can have looked"
        until(lambda: "store_away" in caplog.text, "a loop that meets the full disk")
        small_disk.free()
        until(lambda: labelled(village, "It breaks"), "the label")
        assert not Watch(village.house.settings.state / BEATS, (), grace=0).troubles()


def test_a_process_that_begins_without_a_store_waits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing dies of it again and again; what may not be written is no reason to wait."""
    house = House(load(written(tmp_path)))
    house.ledger.wait_at_most(0.1)
    with closing(sqlite3.connect(house.ledger_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = threading.Thread(target=wait_for_store, args=(house, threading.Event()))
        waiting.start()
        until(lambda: "store_away" in caplog.text, "a process that waits")
        assert waiting.is_alive()
        other.execute("ROLLBACK")
        waiting.join(SECONDS)
    assert not waiting.is_alive()
    house.close()
    nowhere = House(replace(house.settings, state=Path("/proc/nowhere")))
    with pytest.raises(NotReady, match="the state directory cannot be used"):
        wait_for_store(nowhere, threading.Event())


def written(place: Path) -> Path:
    """A configuration in a directory."""
    return write_config(place, forge_port=1, web_port=1, model_url="http://127.0.0.1:1")


def test_a_lock_of_a_minute_costs_time_only(village: Village, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever holds the ledger for longer than anybody waits ends no loop."""
    village.house.ledger.wait_at_most(0.1)
    path = village.house.ledger_path
    with at_work(village), closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        caplog.clear()
        assert not labelled(village, "It breaks")
        until(lambda: caplog.text.count("store_away") > 3, "loops that meet the lock")
        other.execute("ROLLBACK")
        until(lambda: labelled(village, "It breaks"), "the label")


def test_a_look_that_the_ledger_broke_off_is_taken_again(village: Village) -> None:
    """A look whose end could not be stored has lost no attempt, and need not wait for its lease."""
    house, stop = village.house, threading.Event()
    house.ledger.wait_at_most(0.1)
    shop = workshop(house)
    looked = threading.Event()
    with closing(sqlite3.connect(house.ledger_path, isolation_level=None, check_same_thread=False)) as other:

        def context(team: str, bot: str) -> Context:
            """What the bot sees; the first time, somebody takes the ledger meanwhile."""
            if not looked.is_set():
                other.execute("BEGIN IMMEDIATE")
                threading.Timer(2.0, other.execute, ("ROLLBACK",)).start()
            looked.set()
            return shop.context(team, bot)

        worker = Worker(replace(shop, context=context))
        thread = threading.Thread(target=worker.serve, kwargs={"threads": 2, "stop": stop})
        thread.start()
        for sweeper in sweepers(house):
            sweeper.sweep()
        labelled(village, "It breaks")
        for sweeper in sweepers(house):
            sweeper.sweep()
        try:
            until(lambda: labelled(village, "It breaks"), "the label")
        finally:
            stop.set()
            thread.join()
    with house.ledger.transaction() as db:
        assert {row["attempts"] for row in db.execute("SELECT attempts FROM jobs WHERE state = 'done'")} == {1}
    assert LEASE_SECONDS > SECONDS, "or waiting for it would do"


def test_a_sweep_that_fails_for_long_is_said(village: Village) -> None:
    """A forge that is away for a moment is no reason to worry; one that stays away is, by name."""
    limits = replace(village.house.settings.limits, late_seconds=3)
    house = House(replace(village.house.settings, limits=limits, sweep_seconds=1))
    watch, stop = Watch(house.settings.state / BEATS, (), grace=0), threading.Event()
    worker = threading.Thread(target=serve, args=(house, stop))
    worker.start()
    try:
        until(lambda: len(beats(house.settings.state / BEATS)) == 4, "four heartbeats")
        village.forge.stop()
        said = "work.sweep: the sweep of acme on forgejo has failed for"
        until(lambda: any(said in trouble for trouble in watch.troubles()), said)
    finally:
        stop.set()
        worker.join()
        house.close()


def test_damage_ends_the_process_in_words(tmp_path: Path) -> None:
    """A damaged ledger ends every loop, and the last words name the file and what to do."""
    path = tmp_path / "ledger.db"
    stop = threading.Event()
    loops = Loops(tmp_path / "beats", "work", stop)
    with closing(Ledger(path)) as ledger, ledger.transaction():
        for number in range(2000):
            ledger.audit.add("a", "Something", text=f"{number} " * 50)
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 100_000)
    with closing(sqlite3.connect(path)) as broken:

        def step(pulse: Pulse) -> float:
            broken.execute("SELECT * FROM audit WHERE detail LIKE '%x%'").fetchall()
            pulse.beat()
            return 0.0

        loops.run("reader", step)
    assert stop.is_set()
    with pytest.raises(Damaged, match=r"ledger\.db.*put a backup of ledger\.db in its place"):
        loops.last_words(path)


def test_a_mistake_ends_the_process(tmp_path: Path) -> None:
    """A loop that dies of anything else takes the others along: its process is started again, instead of limping."""
    stop = threading.Event()
    loops = Loops(tmp_path, "work", stop)

    def step(_: Pulse) -> float:
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

    def step(_: Pulse) -> float:
        stop.set()
        return 0.0

    loops.run("sweep", step)
    loops.last_words(tmp_path)


def test_who_is_late_is_named(tmp_path: Path) -> None:
    """A loop without a pass in time, one that complains, and one that never ran are named; the others are not."""
    loops = Loops(tmp_path, "work", threading.Event(), late_after=600.0)
    loops.pulse("well").beat()
    loops.pulse("sick").beat("no sandbox: ü " + "x" * 1000)
    Loops(tmp_path, "work", threading.Event(), late_after=-1.0).pulse("late").beat()
    troubles = Watch(tmp_path, ("work.well", "host.tick"), grace=0).troubles()
    assert [trouble.split()[0] for trouble in troubles] == ["work.late", "work.sick:", "host.tick"]
    assert not any("host" in trouble for trouble in Watch(tmp_path, ("host.tick",), grace=600).troubles())


def test_a_heartbeat_needs_no_room(small_disk: SmallDisk) -> None:
    """It is written over in place, so that a full disk does not silence it."""
    pulse = Pulse(small_disk.place / "work.sweep", 1.0)
    pulse.beat()
    small_disk.fill()
    pulse.beat("the disk is full")
    file = small_disk.place / "work.sweep"
    assert json.loads(file.read_bytes())["trouble"] == "the disk is full"
    assert file.stat().st_size == SIZE
    assert file.stat().st_mode & 0o777 == 0o600
