"""What some threads of this process do meanwhile: Python calls, and time on a processor. Imports nothing of the hive.

`bench/peers/before` measures an older build with it, so it knows neither of the two.
"""

from __future__ import annotations

import itertools
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

WARM, ROUNDS = 5, 30
QUIET_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Cost:
    """What one round of work took at the median: Python calls, and milliseconds on a processor."""

    calls: float
    cpu_ms: float


def cost(serve: Callable[[threading.Event], None], once: Callable[[int], None]) -> Cost:
    """Run `serve` with its threads, and have it do work by `once`, which returns when that is done; its argument is a number.

    Calls and time are counted in two series: counting takes time itself.
    """
    calls = itertools.count()
    with _serving(serve) as threads:
        numbers = itertools.count()
        _series(once, numbers, lambda: 0.0, WARM)
        spent = statistics.median(_series(once, numbers, lambda: _spent(threads()), ROUNDS))
    threading.setprofile(lambda frame, event, arg: _count(calls, frame, event, arg))
    try:
        with _serving(serve):
            _series(once, numbers, lambda: 0.0, WARM)
            called = statistics.median(_series(once, numbers, lambda: float(next(calls)), ROUNDS))
    finally:
        threading.setprofile(None)
    return Cost(called - 1, spent * 1000)


def said(cost: Cost) -> str:
    """A cost as one line of JSON."""
    return json.dumps({"calls": cost.calls, "cpu_ms": cost.cpu_ms})


def _count(calls: Iterator[int], frame: FrameType, event: str, arg: object) -> None:
    if event == "call":
        next(calls)


@contextmanager
def _serving(serve: Callable[[threading.Event], None]) -> Iterator[Callable[[], list[threading.Thread]]]:
    stop, before = threading.Event(), set(threading.enumerate())
    thread = threading.Thread(target=serve, args=(stop,))
    thread.start()
    time.sleep(QUIET_SECONDS)
    try:
        yield lambda: [thread for thread in threading.enumerate() if thread not in before]
    finally:
        stop.set()
        thread.join()


def _series(once: Callable[[int], None], numbers: Iterator[int], read: Callable[[], float], rounds: int) -> list[float]:
    found = []
    for _ in range(rounds):
        number, before = next(numbers), read()
        once(number)
        found.append(read() - before)
    return found


def _spent(threads: list[threading.Thread]) -> float:
    """Seconds that threads have been on a processor."""
    clocks = (time.pthread_getcpuclockid(thread.ident) for thread in threads if thread.ident is not None)
    return sum(time.clock_gettime(clock) for clock in clocks)
