"""What one event costs in a ledger that has grown: received, read, taken, looked at, ended; beside a small ledger."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.deliveries import OWNER, Letters, issue_opened, opened_key, subject
from bench.row import Row, Unmeasured, at_most_times
from bench.stand import FORGE
from forge.gitea.decode_deliveries import decode
from forge.webhook import Delivery
from hive.ledger import Ledger, Origin, compress
from hive.worker.dispatch import DeliveryDecoder, Dispatcher

MOST = int(os.environ.get("HIVE_BENCH_ROWS", "1000000"))
"""Rows of the largest ledger."""

SIZES = [size for size in (10_000, 100_000, 1_000_000, 10_000_000) if size <= MOST]
ROUNDS = 8
EVENTS = 100
"""In each round: the ledgers take turns, so that what else the machine does hits all alike."""

FLAT = 1.25
BOT = "nobody"
OLD = (
    "CREATE TEMP TABLE old (n INTEGER)",
    """
    WITH RECURSIVE past (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM past WHERE n < :count)
    INSERT INTO old SELECT n FROM past
    """,
    """
    INSERT INTO deliveries (team, forge, uuid, kind, body, received_at, state)
    SELECT 'acme', 'forgejo', 'old-' || n, 'issues', x'', n, 'read' FROM old
    """,
    """
    INSERT INTO jobs (team, bot, ref, event_type, event_key, event, delivery, state, attempts, next_at, created_at)
    SELECT 'acme', 'nobody', 'forgejo:acme/app#' || (1 + n % 10000), 'issue_opened', 'old-' || n, '{}', n, 'done', 1, n, n
    FROM old
    """,
    """
    INSERT INTO effects (team, job, actor, kind, key, payload, state, attempts, next_at, created_at, ref)
    SELECT 'acme', n, 'core', 'set_labels', 'old-' || n, '{}', 'done', 1, n, n, 'forgejo:acme/app#' || (1 + n % 10000)
    FROM old
    """,
    """
    INSERT INTO audit (at, team, actor, action, ref, url, detail)
    SELECT n, 'acme', 'mara', 'issue_opened', 'forgejo:acme/app#' || (1 + n % 10000), '', '{}' FROM old
    """,
)
"""What a year leaves behind, in four equal parts; a delivery of long ago keeps its row and not its words."""

PARTS = 4


@dataclass(frozen=True, slots=True)
class Grown:
    """A ledger with a past, and the sorter that reads what comes."""

    ledger: Ledger
    dispatcher: Dispatcher

    def cost(self, letters: Letters, numbers: range) -> float:
        """Microseconds for each of some events, which go the whole way one after another."""
        deliveries = [_delivery(letters, number) for number in numbers]
        begun = time.perf_counter()
        taken = [self._go(delivery) for delivery in deliveries]
        took = time.perf_counter() - begun
        if taken != [opened_key(subject(number)) for number in numbers]:
            raise Unmeasured("other events were taken than those that came")
        return took / len(numbers) * 1e6

    def _go(self, delivery: Delivery) -> str:
        """One event, from its arrival to the end of the look at it; the key of the one that was looked at."""
        self.ledger.deliveries.receive(delivery, compress(delivery.body))
        self.dispatcher.dispatch()
        job = self.ledger.jobs.claim_next()
        if job is None:
            raise Unmeasured("an event made no job")
        self.ledger.jobs.finish(job)
        return job.event.key


def grown() -> Iterator[Row]:
    """The median of many rounds for each size, beside the smallest."""
    with ExitStack() as stack:
        made = {size: _made(stack, size) for size in SIZES}
        letters = issue_opened(b"not looked at here")
        costs: dict[int, list[float]] = {size: [] for size in SIZES}
        for number in range(ROUNDS):
            for size, ledger in list(made.items())[:: -1 if number % 2 else 1]:
                costs[size].append(ledger.cost(letters, range(number * EVENTS, (number + 1) * EVENTS)))
        least = statistics.median(costs[SIZES[0]])
        for size in SIZES[1:]:
            price = statistics.median(costs[size])
            peer = f"with {SIZES[0]:,} rows"
            yield Row(f"an event in a ledger of {size:,} rows", price, "µs", peer, least, at_most_times(FLAT))


def _made(stack: ExitStack, size: int) -> Grown:
    path = Path(stack.enter_context(TemporaryDirectory(prefix="hive-bench-"))) / "ledger.db"
    ledger = Ledger(path)
    stack.callback(ledger.close)
    with ledger.transaction() as db:
        for statement in OLD:
            db.execute(statement, {"count": size // PARTS} if ":count" in statement else {})
    ledger.checkpoint(worth=0)
    reading = DeliveryDecoder(decode, lambda event: "")
    dispatcher = Dispatcher(
        ledger, {FORGE: reading}, lambda repo: OWNER, lambda team, event: [BOT], lambda team, event: Origin()
    )
    return Grown(ledger, dispatcher)


def _delivery(letters: Letters, number: int) -> Delivery:
    _, _, body = letters.request("grown", number).partition(b"\r\n\r\n")
    return Delivery(FORGE, letters.uuid("grown", number), letters.kind, body)
