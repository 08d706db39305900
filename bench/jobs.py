"""Looks that want nothing, all there before one worker begins; beside the tasks of other queues.

The hive's are at least once: one that its worker did not live to end is taken again. Each task,
here and there, writes one line when it begins, and the rate is that of the lines.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import peer
from bench.deliveries import NAME, OWNER
from bench.pace import lines
from bench.process import until
from bench.row import Gap, Goal, Row, Unmeasured, times
from bench.stand import FORGE
from bench.stopwatch import STARTS, bot
from forge.events import IssueOpened
from forge.models import Ref, Repo, User
from hive.ledger import Ledger

COUNT = 5000
PATIENCE_SECONDS = 120.0
APP = Repo(FORGE, OWNER, NAME)
MARA = User(1, "mara")


@dataclass(frozen=True, slots=True)
class Other:
    """Another queue: its program, which word makes it work, how many tasks are enough, and what was promised."""

    name: str
    program: str
    word: str
    count: int
    goal: Goal
    at_redis: bool = True


OTHERS = (
    Other("stock SqliteHuey, at most once", "drain_huey.py", "work", 5000, times(2), at_redis=False),
    Other("Celery, acks_late, Redis", "drain_celery.py", "work", 3000, times(8)),
    Other("RQ, SimpleWorker, Redis", "drain_rq.py", "work", 1000, times(30)),
    Other("RQ, a process for each task, Redis", "drain_rq.py", "fork", 200, times(30)),
)


def jobs() -> Iterator[Row | Gap]:
    """Rates of the hive's worker beside each other queue's."""
    ours = _ours()
    for other in OTHERS:
        try:
            yield Row("looks that want nothing, one worker", ours, "/s", other.name, _theirs(other), other.goal)
        except Unmeasured as error:
            yield Gap(f"looks beside {other.name}", str(error))


def _ours() -> float:
    with TemporaryDirectory(prefix="hive-bench-") as directory:
        state = Path(directory)
        ledger = Ledger(state / "ledger.db")
        with ledger.transaction():
            for number in range(1, COUNT + 1):
                ledger.jobs.enqueue(OWNER, [(bot.name, IssueOpened(Ref(APP, number), MARA, str(number)))])
        ledger.close()
        words = [sys.executable, "-m", "bench.drain", directory]
        rate = _rate(words, state / "starts", COUNT)
        ledger = Ledger(state / "ledger.db")
        left = ledger.jobs.due(1)
        ledger.close()
        if left:
            raise Unmeasured("some looks are still owed when all have begun")
        return rate


def _theirs(other: Other) -> float:
    with ExitStack() as stack:
        directory = stack.enter_context(TemporaryDirectory(prefix="hive-bench-"))
        place = stack.enter_context(peer.redis()) if other.at_redis else directory
        starts = Path(directory) / "starts"
        with peer.running(peer.python(other.program, "put", place, str(other.count)), env={STARTS: str(starts)}) as put:
            if not until(lambda: put.poll() is not None, seconds=PATIENCE_SECONDS) or put.returncode:
                raise Unmeasured(f"{other.program} cannot put its tasks; see {peer.LOG}")
        return _rate(peer.python(other.program, other.word, place), starts, other.count)


def _rate(words: list[str], starts: Path, count: int) -> float:
    with peer.running(words, env={STARTS: str(starts)}):
        if not until(lambda: _begun(starts) >= count, seconds=PATIENCE_SECONDS, step=0.25):
            raise Unmeasured(f"{_begun(starts)} of {count} tasks were begun; see {peer.LOG}")
        time.sleep(0.5)  # the last one ends
    at = [begun for begun, _ in lines(starts)]
    return (count - 1) / (at[count - 1] - at[0]) * 1e9


def _begun(starts: Path) -> int:
    return starts.read_bytes().count(b"\n") if starts.exists() else 0
