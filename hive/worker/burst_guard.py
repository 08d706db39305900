"""Floods of deliveries: while they pour in, looks wait. Decides nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable

from hive.worker.dispatch import BATCH

FLOOD_RATE, FLOOD_SECONDS = 300, 60.0
"""So many deliveries in a second are a flood, and for so long, at the most, looks wait for it to end."""

WINDOW_SECONDS = 0.5
"""How often they are counted."""


class BurstGuard:
    """Deliveries pour in: a look that is taken now would have to be taken again.

    Until it ends, or for a minute, only that is looked at of which every single one has to be: comments, which may be commands.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: float | None = None
        self._counted_from = clock()
        self._count = 0

    def record(self, read: int) -> bool:
        """So many deliveries were read just now; whether a flood has ended by that. To be told every second at least.

        A full batch is a flood at any speed: more waits, however slowly this machine reads it.
        """
        now, is_full = self._clock(), read >= BATCH
        if is_full and self._since is None:
            self._since = now
        self._count += read
        seconds = now - self._counted_from
        if seconds < WINDOW_SECONDS:
            return False
        flooded, self._counted_from, self._count = is_full or self._count >= FLOOD_RATE * seconds, now, 0
        ended = self._since is not None and not flooded
        if not flooded:
            self._since = None
        elif self._since is None:
            self._since = now
        return ended

    @property
    def is_active(self) -> bool:
        """Whether looks should wait."""
        since = self._since
        return since is not None and self._clock() - since < FLOOD_SECONDS
