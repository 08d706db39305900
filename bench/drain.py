"""A worker of the hive with nothing around it: `python -m bench.drain STATE` looks at what is owed in a ledger there."""

from __future__ import annotations

import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from bench.stopwatch import bot
from bots.bot import Context
from hive.bell import Bell
from hive.labels import StateLabels
from hive.ledger import Ledger
from hive.processes import until_told
from hive.queue import Queue
from hive.work import Worker, Workshop


class Nothing:
    """Stands for the parts of a house that a look without questions and wishes does not meet."""

    def sort(self) -> list[int]:
        """Nothing came."""
        return []

    def attend(self) -> None:
        """Nothing rests."""

    def stops_look(self, job: object) -> bool:
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
    ctx = Context(nothing, nothing, nothing, nothing, nothing, datetime.now(UTC))
    shop = Workshop(
        ledger=ledger,
        queue=Queue(state / "queue.db"),
        bots={bot.name: bot},
        context=lambda team, name: ctx,
        look=lambda ref: None,
        account=lambda name, intent: "core",
        applier=nothing,
        attendant=nothing,
        given_up=nothing,
        breaker=nothing,
        sorter=nothing,
        bell=Bell(state / "bell"),
        ground=cast("Any", Anywhere()),
        labels=StateLabels(ledger, "core", {}),
    )
    Worker(shop).serve(threads=1, stop=stop)
    ledger.close()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), until_told())
