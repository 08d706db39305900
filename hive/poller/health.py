"""How the polls of organisations go, kept in the ledger for doctors and health checks. Asks no forge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from hive.codec import Codec
from hive.ledger import Ledger

_PREFIX = "sweep-state:"


@dataclass(frozen=True, slots=True)
class PollerHealth:
    """The passes over one organisation.

    `failing_since` is the unix time of the first failed pass of those that failed last, 0.0 if the last one did not;
    `refused` and `broken` are the questions without an answer, and why.
    """

    forge: str
    owner: str
    failing_since: float = 0.0
    error: str = ""
    refused: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    def sentences(self, now: float) -> Iterator[str]:
        """What is wrong, one sentence each."""
        if self.failing_since:
            minutes = max(0, round((now - self.failing_since) / 60))
            yield f"the sweep of {self.owner} on {self.forge} has failed for {minutes} minutes: {self.error}"
        for what, why in self.refused.items():
            yield f"the sweep of {self.owner} on {self.forge} may not ask for {what}: {why}"
        for what, why in self.broken.items():
            yield f"the sweep of {self.owner} on {self.forge} gets no answer to {what}: {why}"


_CODEC = Codec(PollerHealth)


def record_failure(ledger: Ledger, forge: str, owner: str, error: str) -> None:
    """A pass over an organisation failed."""
    was = of(ledger, forge, owner)
    _keep(ledger, was, replace(was, failing_since=was.failing_since or ledger.clock(), error=error))


def record_success(
    ledger: Ledger, forge: str, owner: str, *, refused: Mapping[str, str], broken: Mapping[str, str]
) -> None:
    """A pass over an organisation came to its end."""
    was = of(ledger, forge, owner)
    _keep(ledger, was, PollerHealth(forge, owner, refused=dict(refused), broken=dict(broken)))


def of(ledger: Ledger, forge: str, owner: str) -> PollerHealth:
    """The health of an organisation's polls; healthy if there was none yet."""
    told = ledger.deliveries.cursor(f"{_PREFIX}{forge}:{owner}")
    return PollerHealth(forge, owner) if told is None else _CODEC.loads(told)


def _keep(ledger: Ledger, was: PollerHealth, now: PollerHealth) -> None:
    """Write down what changed: a pass like the one before writes nothing."""
    if now != was:
        ledger.deliveries.move_cursor(f"{_PREFIX}{now.forge}:{now.owner}", _CODEC.dumps(now))
