"""Exponential backoff: how long to wait before the next try. Performs no I/O.

The harness in an agent's container (`hive.agent`) imports the standard library only and has its own.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

_DOUBLINGS = 62
"""More make no difference to any wait, and a float overflows at 1024 of them."""


@dataclass(frozen=True, slots=True)
class ExponentialBackoff:
    """Waits that double with each failure in a row, from `first` to `longest` seconds.

    `jitter` lengthens each by a random part of itself, up to this fraction, so that those who failed together do not
    come back together.
    """

    first: float
    longest: float
    jitter: float = 0.0

    def delay(self, failures: int, *, at_least: float = 0.0) -> float:
        """Seconds to wait after so many failures in a row (1 or more), and `at_least` what the other side asked for."""
        doubled = self.first * 2.0 ** min(max(failures - 1, 0), _DOUBLINGS)
        return max(at_least, min(self.longest, doubled)) * random.uniform(1.0, 1.0 + self.jitter)


JOBS = ExponentialBackoff(1.0, 60.0, jitter=0.2)
"""A job whose forge did not answer."""

VERDICTS = ExponentialBackoff(60.0, 3600.0, jitter=0.2)
"""A head that could not be reviewed, for a reason that may pass."""

EFFECTS = ExponentialBackoff(0.5, 60.0, jitter=0.2)
"""An effect that may succeed later."""

OUTAGE_PROBES = ExponentialBackoff(0.5, 30.0)
"""Between two probes whether a forge is back or a token is accepted."""

STORE = ExponentialBackoff(0.4, 5.0)
"""A loop whose ledger cannot be written."""

PROCESSES = ExponentialBackoff(0.2, 10.0)
"""A process of the hive that ended unasked."""

CONTAINERS = ExponentialBackoff(0.2, 30.0)
"""An agent's container that ended soon after its start."""

MERGE_TRIALS = ExponentialBackoff(1.0, 60.0)
"""The trial whether bots can merge, where a forge did not answer or one could."""

RECONCILIATION = ExponentialBackoff(1.0, 30.0)
"""An agent whose configuration cannot be brought to its container."""

AGENT_FILES = ExponentialBackoff(1.0, 60.0)
"""An agent whose directories cannot be used."""

MODEL_UNREACHABLE = ExponentialBackoff(5.0, 60.0)
MODEL_RATE_LIMITED = ExponentialBackoff(5.0, 300.0)
MODEL_NEEDS_LOGIN = ExponentialBackoff(30.0, 600.0)
MODEL_OVER_BUDGET = ExponentialBackoff(60.0, 3600.0)
