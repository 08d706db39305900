"""Looks that want nothing, one worker: taken from the ledger at least once, beside huey's own file, which forgets those of a dead worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from huey import SqliteHuey
from huey.consumer import Consumer

from bench.row import Row
from bots.bot import Bot, Context
from bots.intents import Intent
from forge.events import IssueOpened
from forge.types import Ref, Repo, User
from forge.webhook import Delivery
from hive.bell import Bell
from hive.ledger import Ledger, pack
from hive.queue import Queue
from hive.work import Worker, Workshop

JOBS = 5000
ROWS = (10_000, 1_000_000)
"""How many ended jobs a ledger holds when the price of one more is asked."""

EVENTS = 2000
APP = Repo("forgejo", "acme", "app")
MARA = User(1, "mara")


class Nothing:
    """Stands for the parts of a house that a look without questions does not meet."""

    def sort(self) -> list[int]:
        """Nothing came."""
        return []

    def attend(self) -> None:
        """Nothing rests."""

    def stops_look(self, job: object) -> bool:  # noqa: ARG002  the signature of a breaker
        """Nobody is stopped."""
        return False


def jobs() -> Iterator[Row]:
    """Rates, and what one more event costs when the ledger has grown."""
    with TemporaryDirectory(prefix="hive-bench-") as directory:
        ours, theirs = _ours(Path(directory)), _theirs(Path(directory))
        yield Row("looks that want nothing, one worker", ours, "/s", "stock SqliteHuey, at most once", theirs)
    small, large = (_price(rows) for rows in ROWS)
    yield Row(f"an event with {ROWS[1]:,} jobs in the ledger", large, "us", f"with {ROWS[0]:,}", small)


def _ours(state: Path) -> float:
    seen: list[float] = []
    bot = Bot("nothing", may=())

    @bot.on(IssueOpened)
    def look(event: IssueOpened, ctx: Context) -> list[Intent]:
        seen.append(time.perf_counter())
        return []

    ledger, stop = Ledger(state / "ledger.db"), threading.Event()
    with ledger.transaction():
        for number in range(JOBS):
            ledger.jobs.owe("acme", [("nothing", IssueOpened(Ref(APP, number + 1), MARA, f"k{number}"))])
    nothing = cast("Any", Nothing())
    ctx = Context(nothing, cast("Any", None), nothing, nothing, nothing, cast("Any", _Now()))
    shop = Workshop(
        ledger=ledger, queue=Queue(state / "queue.db"), bots={"nothing": bot}, context=lambda team, name: ctx,
        look=lambda ref: None, account=lambda name, intent: "core", applier=nothing, attendant=nothing,
        breaker=nothing, sorter=nothing, bell=Bell(state / "bell"),
    )  # fmt: skip
    worker = threading.Thread(target=lambda: Worker(shop).serve(threads=1, stop=stop))
    begun = time.perf_counter()
    worker.start()
    while len(seen) < JOBS:
        time.sleep(0.005)
    took = seen[-1] - begun
    stop.set()
    worker.join()
    ledger.close()
    return JOBS / took


class _Now:
    """A time that nobody reads."""

    def isoformat(self) -> str:
        """Some time."""
        return "2026-01-01T00:00:00+00:00"


def _theirs(state: Path) -> float:
    seen: list[float] = []
    queue = SqliteHuey("bench", filename=str(state / "huey.db"))
    task = queue.task()(lambda number: seen.append(time.perf_counter()))
    for number in range(JOBS):
        task(number)
    consumer = Consumer(queue, workers=1, periodic=False)
    begun = time.perf_counter()
    consumer.start()
    while len(seen) < JOBS:
        time.sleep(0.005)
    consumer.stop_flag.set()
    return JOBS / (seen[-1] - begun)


def _price(rows: int) -> float:
    """Microseconds from a delivery's arrival to the end of the look at it, without the bot."""
    with TemporaryDirectory(prefix="hive-bench-") as directory:
        ledger = Ledger(Path(directory) / "ledger.db")
        with ledger.transaction() as db:
            db.executemany(
                "INSERT INTO jobs (team, bot, ref, event_type, event_key, event, state, next_at, created_at)"
                " VALUES ('acme', 'x', ?, 'IssueOpened', ?, '{}', 'done', 0, 0)",
                ((f"forgejo:acme/app#{number % 10_000}", f"old{number}") for number in range(rows)),
            )
        body = pack(b"x" * 3000)
        begun = time.perf_counter()
        for number in range(EVENTS):
            event = IssueOpened(Ref(APP, number + 1), MARA, f"k{number}")
            ledger.intake.receive(Delivery("forgejo", f"u{number}", "issues", b""), body)
            ledger.jobs.owe("acme", [("nothing", event)])
            job = ledger.jobs.claim_next()
            assert job is not None
            ledger.jobs.finish(job)
        took = time.perf_counter() - begun
        ledger.close()
    return took / EVENTS * 1e6
