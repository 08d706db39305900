"""Sixteen workers at a cap: how much of it is spent, beside workers that read what was spent and then spend."""

from __future__ import annotations

import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.row import Goal, Row, at_most
from bots.money import DOLLAR
from hive.gateway.budget import Budget, BudgetSpent
from hive.gateway.pricing import price_list
from hive.gateway.token_usage import TokenUsage
from hive.ledger import Caps, Ledger, Turn

WORKERS = 16
CAP = 2 * DOLLAR
MODEL = "claude-sonnet-5-5"
PROMPT = "x" * 30_000
ASKED: dict[str, Any] = {"max_tokens": 16_000, "messages": [{"role": "user", "content": PROMPT}], "stream": True}
ANSWER_SECONDS = 0.02
"""How long an answer takes: long enough for all workers to ask meanwhile."""

ONCE = 200
PRICES = price_list()


def money() -> Iterator[Row]:
    """The rows."""
    with tempfile.TemporaryDirectory(prefix="hive-bench-") as folder:
        hive = percent(run_workers(Path(folder) / "hive.db", reserving))
        naive = percent(run_workers(Path(folder) / "naive.db", reading))
        name = f"{WORKERS} workers at a cap, spent"
        yield Row(name, hive, "% of the cap", "read, then spend", naive, at_most(100))
        yield Row(f"{name} at least", hive, "% of the cap", goal=Goal(95, at_least=True))
        yield Row("reserve and book one request", one_request(Path(folder) / "one.db"), "ms")


def percent(amount: int) -> float:
    """A share of the cap."""
    return amount * 100 / CAP


def run_workers(path: Path, work: Callable[[Ledger, Turn, random.Random], None]) -> int:
    """Let all workers spend until they are refused; returns what they spent together."""
    ledger = Ledger(path)
    turns = [turn_of(ledger, number) for number in range(WORKERS)]
    ready = threading.Barrier(WORKERS)

    def start(number: int) -> None:
        ready.wait()
        work(ledger, turns[number], random.Random(number))

    workers = [threading.Thread(target=start, args=(number,)) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    spent = sum(row.cost for row in ledger.spending.by("team"))
    ledger.close()
    return spent


def turn_of(ledger: Ledger, number: int) -> Turn:
    """A turn of an agent of its own."""
    ref = f"forgejo:acme/app#{number + 1}"
    return Turn(number, ledger.runs.start("acme", f"a{number}", ref, ref, ""), f"a{number}", ref, None, "", 1)


def answer(chance: random.Random, most: int) -> TokenUsage:
    """What a model uses for that prompt: its tokens are longer than the estimate takes them to be, its reply of any length."""
    time.sleep(ANSWER_SECONDS)
    return TokenUsage(input=len(PROMPT) // 4, output=min(most, chance.randrange(200, 4_000)))


def reserving(ledger: Ledger, turn: Turn, chance: random.Random) -> None:
    """As the gateway does."""
    budget = Budget(ledger, "acme", PRICES, "bench", lambda: Caps(team_day=CAP))
    while True:
        try:
            reservation = budget.admit(turn, MODEL, ASKED)
        except BudgetSpent:
            return
        usage = answer(chance, reservation.max_tokens)
        with ledger.transaction():
            reservation.settle(usage)


def reading(ledger: Ledger, turn: Turn, chance: random.Random) -> None:
    """Without reservations: whoever sees room spends."""
    budget = Budget(ledger, "acme", PRICES, "bench")
    while sum(row.cost for row in ledger.spending.by("team")) < CAP:
        reservation = budget.admit(turn, MODEL, ASKED)
        usage = answer(chance, ASKED["max_tokens"])
        with ledger.transaction():
            reservation.settle(usage)


def one_request(path: Path) -> float:
    """Milliseconds of one reservation and its booking, at the median."""
    ledger = Ledger(path)
    budget = Budget(ledger, "acme", PRICES, "bench", lambda: Caps(run=1000 * DOLLAR, team_day=1000 * DOLLAR))
    turn, times = turn_of(ledger, 1), []
    for _ in range(ONCE):
        start = time.perf_counter()
        reservation = budget.admit(turn, MODEL, ASKED)
        with ledger.transaction(durable=False):
            reservation.settle(TokenUsage(input=7_500, output=500))
        times.append((time.perf_counter() - start) * 1000)
    ledger.close()
    return statistics.median(times)
