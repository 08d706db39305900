"""The queue carries names and numbers, between processes, and runs nothing else."""

from __future__ import annotations

import logging
import pickle
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hive.queue.task_queue import Queue


@contextmanager
def serving(path: Path, handlers: dict[str, Callable[[int], None]]) -> Iterator[None]:
    """A worker on a thread, with a connection of its own."""
    queue, stop = Queue(path), threading.Event()
    worker = threading.Thread(target=lambda: queue.serve(handlers, workers=2, stop=stop))
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join(30)
        assert not worker.is_alive()
        queue.close()


def test_carries_between_connections(tmp_path: Path) -> None:
    """What is pushed before and while somebody serves is handled, each nudge once."""
    seen: list[int] = []
    done = threading.Event()

    def handle(row: int) -> None:
        seen.append(row)
        if len(seen) == 20:
            done.set()

    pushing = Queue(tmp_path / "new" / "queue.db")
    for row in range(10):
        pushing.push("job", row)
    with serving(tmp_path / "new" / "queue.db", {"job": handle}):
        for row in range(10, 20):
            pushing.push("job", row)
        assert done.wait(30)
    pushing.close()
    assert sorted(seen) == list(range(20))


def test_finishes_what_runs(tmp_path: Path) -> None:
    """A stop waits for the handler that is at it."""
    begun, ended = threading.Event(), threading.Event()

    def handle(row: int) -> None:
        begun.set()
        assert not ended.wait(0.2)
        ended.set()

    queue = Queue(tmp_path / "queue.db")
    with serving(tmp_path / "queue.db", {"job": handle}):
        queue.push("job", 1)
        assert begun.wait(30)
    queue.close()
    assert ended.is_set()


def test_unknown_names_are_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A row that nobody knows is logged, and the worker goes on."""
    done = threading.Event()
    queue = Queue(tmp_path / "queue.db")
    queue.push("of another version\nforged=line", 1)
    queue.push("job", 2)
    with (
        caplog.at_level(logging.ERROR, "hive.queue.task_queue"),
        serving(tmp_path / "queue.db", {"job": lambda _: done.set()}),
    ):
        assert done.wait(30)
    queue.close()
    (said,) = [record.getMessage() for record in caplog.records if record.name == "hive.queue.task_queue"]
    assert "of another version" in said
    assert "\n" not in said


class Bomb:
    """What a pickle may do to who reads it."""

    def __init__(self, crater: Path) -> None:
        self.crater = crater

    def __reduce__(self) -> tuple[Callable[[Path], object], tuple[Path]]:
        return Path.touch, (self.crater,)


def test_who_can_write_the_file_runs_nothing(tmp_path: Path) -> None:
    """Rows are JSON: a pickle in the table is not read as one, and the worker outlives it."""
    done = threading.Event()
    queue = Queue(tmp_path / "queue.db")
    with sqlite3.connect(tmp_path / "queue.db") as db:
        bomb = pickle.dumps(Bomb(tmp_path / "crater"))
        db.execute("INSERT INTO task (queue, data, priority) VALUES ('hive', ?, 0)", (bomb,))
    db.close()
    queue.push("job", 2)
    with serving(tmp_path / "queue.db", {"job": lambda _: done.set()}):
        assert done.wait(30)
    queue.close()
    assert not (tmp_path / "crater").exists()
    pickle.loads(bomb)  # noqa: S301  our own
    assert (tmp_path / "crater").exists(), "the bomb was none"


def test_what_a_worker_pushes_itself_needs_no_file(tmp_path: Path) -> None:
    """It is kept in memory until somebody has time for it; others' pushes come by the file meanwhile."""
    path, seen = tmp_path / "queue.db", list[int]()
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def handle(row: int) -> None:
        seen.append(row)
        begun.set()
        assert go_on.wait(30)
        if len(seen) == 3:
            done.set()

    queue, stop = Queue(path), threading.Event()
    worker = threading.Thread(target=lambda: queue.serve({"job": handle}, workers=1, stop=stop))
    other = Queue(path)
    other.push("job", 1)
    worker.start()
    assert begun.wait(30)
    queue.push("job", 2)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM task").fetchone() == (0,)
    db.close()
    other.push("job", 3)
    go_on.set()
    assert done.wait(30)
    stop.set()
    worker.join(30)
    for each in (queue, other):
        each.close()
    assert sorted(seen) == [1, 2, 3]


def test_a_file_that_cannot_be_used_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged file loses nudges, which the ledger makes up for; who pushes goes on, and what is pushed nearby arrives."""
    path, done, stop = tmp_path / "queue.db", threading.Event(), threading.Event()
    far, near = Queue(path), Queue(path)
    worker = threading.Thread(
        target=lambda: near.serve({"job": lambda _: done.set()}, workers=2, stop=stop, ready=ready.set)
    )
    ready = threading.Event()
    worker.start()
    assert ready.wait(30)
    for file in tmp_path.iterdir():
        if not file.name.endswith("-shm"):  # SQLite maps it: a process that reads there dies if it is shortened
            with file.open("r+b") as damaged:
                damaged.write(b"\xff" * 50_000)
    far.push("job", 1)
    near.push("job", 2)
    assert done.wait(30)
    stop.set()
    worker.join(30)
    assert "wake_up_lost" in caplog.text or "queue_unusable" in caplog.text
