"""How many containers begin at the same time: a hive of a hundred agents does not start them all in one moment."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

SECONDS = 20.0
"""How long a container that has not answered counts as one that starts: who never does holds up nobody."""


def most_starts() -> int:
    """How many containers may start at the same time on this machine."""
    return max(4, 2 * (os.cpu_count() or 1))


@dataclass
class Starts:
    """Containers that were started and have not answered yet, `most` of them at a time."""

    most: int = field(default_factory=most_starts)
    seconds: float = SECONDS
    clock: Callable[[], float] = time.monotonic
    _since: dict[str, float] = field(default_factory=dict)

    def take(self, agent: str, is_starting: Callable[[str], bool]) -> bool:
        """Whether the container of an agent may start now, which counts from then on; `is_starting` is asked of the others."""
        now = self.clock()
        self._since = {
            each: since
            for each, since in self._since.items()
            if each != agent and now < since + self.seconds and is_starting(each)
        }
        if len(self._since) >= self.most:
            return False
        self._since[agent] = now
        return True
