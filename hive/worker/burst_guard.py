"""Bursts of deliveries: most jobs wait until one is over. Decides nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable

from hive.worker.dispatch import BATCH

BURST_RATE, BURST_SECONDS = 300, 60.0
"""Deliveries a second that make a burst, and how long jobs wait for its end at most."""

WINDOW_SECONDS = 0.5
"""How often deliveries are counted."""


class BurstGuard:
    """Detects bursts: a job that ran now would have to run again for the next delivery.

    Until the burst is over, or for a minute, only jobs that cannot be coalesced run: comments, which may be commands.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: float | None = None
        self._counted_from = clock()
        self._count = 0

    def record(self, read: int) -> bool:
        """Count deliveries that were just read; returns whether a burst has ended. Call it at least once a second.

        A full batch is a burst at any rate: more deliveries wait, however slowly this machine reads them.
        """
        now, is_full = self._clock(), read >= BATCH
        if is_full and self._since is None:
            self._since = now
        self._count += read
        seconds = now - self._counted_from
        if seconds < WINDOW_SECONDS:
            return False
        is_burst, self._counted_from, self._count = is_full or self._count >= BURST_RATE * seconds, now, 0
        ended = self._since is not None and not is_burst
        if not is_burst:
            self._since = None
        elif self._since is None:
            self._since = now
        return ended

    @property
    def is_active(self) -> bool:
        """Whether jobs should wait."""
        since = self._since
        return since is not None and self._clock() - since < BURST_SECONDS
