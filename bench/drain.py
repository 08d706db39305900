"""A worker of the hive with nothing around it: `python -m bench.drain STATE` looks at what is owed in a ledger there."""

from __future__ import annotations

import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from bench.stopwatch import bot
from bots.bot import Context
from hive.ledger import Ledger
from hive.queue.task_queue import Queue
from hive.queue.wakeup import Wakeup
from hive.supervisor.processes import stop_event
from hive.worker.question_expiry import QuestionExpiry
from hive.worker.run_display import RunDisplay
from hive.worker.verdict_retrier import VerdictRetrier
from hive.worker.worker import Worker
from hive.worker.worker_deps import WorkerDeps


class Nothing:
    """Stands for the parts of a house that a look without questions and wishes does not meet."""

    def sort(self) -> list[int]:
        """Nothing came."""
        return []

    def attend(self) -> None:
        """Nothing rests."""

    def blocks_job(self, job: object) -> bool:
        """Nobody is stopped."""
        return False


class Anywhere:
    """Every repository is where it was."""

    def here(self, repo: object) -> bool:
        """Nothing has moved."""
        return True


def serve(state: Path, stop: threading.Event) -> None:
    """Work with one thread until `stop` is set."""
    ledger, nothing = Ledger(state / "ledger.db"), cast("Any", Nothing())
    ctx = Context(nothing, nothing, nothing, nothing, nothing, nothing, datetime.now(UTC))
    deps = WorkerDeps(
        ledger=ledger,
        queue=Queue(state / "queue.db"),
        bots={bot.name: bot},
        context=lambda team, name: ctx,
        refresh=lambda ref: None,
        account=lambda name, intent: "core",
        executor=nothing,
        outage_monitor=nothing,
        failure_reports=nothing,
        loop_guard=nothing,
        dispatcher=nothing,
        wakeup=Wakeup(state / "bell"),
        repository_guard=cast("Any", Anywhere()),
        run_display=RunDisplay(ledger, "core", {}),
        question_expiry=QuestionExpiry(ledger, "core"),
        verdict_retrier=VerdictRetrier(ledger, {}, {}),
    )
    Worker(deps).serve(threads=1, stop=stop)
    ledger.close()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), stop_event())
