"""Deliveries become jobs: read in the order in which they came, each once, by one thread of the worker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from forge.events import Event, SubjectChanged
from forge.models import Repo
from forge.webhook import Delivery
from hive.ledger import Act, Ledger, Origin
from hive.poller.recorder import REFRESH

log = logging.getLogger("hive.worker.dispatch")

BATCH = 100
"""Deliveries that are read in one transaction."""


@dataclass(frozen=True, slots=True)
class DeliveryDecoder:
    """How deliveries of one forge are read. `decode` raises ValueError for what is no delivery of it."""

    decode: Callable[[Delivery], list[Event]]
    page_url: Callable[[Event], str]


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Knows which forge speaks how, whose repository it is, who listens, and where events come from."""

    ledger: Ledger
    readings: Mapping[str, DeliveryDecoder]
    team_of: Callable[[Repo], str | None]
    listeners: Callable[[str, Event], Iterable[str]]
    origin: Callable[[str, Event], Origin]

    def dispatch(self) -> list[int]:
        """Read all that waits; returns new jobs. Killed at any instruction, it is done again."""
        made, read = self.dispatch_batch()
        while read == BATCH:
            new, read = self.dispatch_batch()
            made += new
        return made

    def dispatch_batch(self) -> tuple[list[int], int]:
        """Read a batch of what waits, BATCH at the most; returns new jobs, and how many deliveries it read."""
        made: list[int] = []
        unread = self.ledger.deliveries.unread(BATCH)
        if unread:
            with self.ledger.transaction(durable=False):  # what a power cut takes back is read once more
                for number, delivery in unread:
                    made += self._dispatch_one(number, delivery)
        return made, len(unread)

    def _dispatch_one(self, number: int, delivery: Delivery) -> list[int]:
        reading = self.readings.get(delivery.forge)
        try:
            events = reading.decode(delivery) if reading else []
        except ValueError as error:
            log.error("delivery_unreadable id=%d kind=%r why=%r", number, delivery.kind, str(error)[:200])
            self._audit(delivery, Act.DELIVERY_UNREADABLE, str(error))
            self.ledger.deliveries.read(number, failed=True)
            return []
        team = next((found for event in events if (found := self.team_of(event.ref.repo))), None)
        if reading is None or team is None:
            why = "a repository of no team" if events else "no event that is looked at"
            self._audit(delivery, Act.DELIVERY_IGNORED, why)
            self.ledger.deliveries.read(number)
            return []
        told = [event for event in events if event.key]
        made, looks = list[int](), list[int]()
        for event in told:
            wanted = [(bot, event) for bot in self.listeners(team, event)]
            made += self.ledger.jobs.enqueue(team, wanted, delivery=number, origin=self.origin(team, event))
        for event, look in self._refreshes(team, delivery, events):
            looks += self.ledger.jobs.enqueue(team, [(REFRESH, look)], delivery=number, origin=self.origin(team, event))
        if made:  # events that make work are acts of somebody: they are in the record
            for event in told:
                self.ledger.audit.add(
                    *(event.actor.login, type(event).WIRE),
                    team=team,
                    ref=str(event.ref),
                    url=reading.page_url(event),
                    key=event.key,
                )
        self.ledger.deliveries.read(number, team=team)
        return made + looks

    def _refreshes(self, team: str, delivery: Delivery, events: Iterable[Event]) -> Iterator[tuple[Event, Event]]:
        """What a delivery tells without an id of what happened asks for a look, unless one is owed that will see it."""
        for event in events:
            heard = not event.key and any(self.listeners(team, event))
            if heard and not self.ledger.jobs.waits(REFRESH, event.ref):
                yield event, SubjectChanged(event.ref, event.actor, f"look:{delivery.forge}:{delivery.id}")

    def _audit(self, delivery: Delivery, what: str, why: str) -> None:
        self.ledger.audit.add(f"forge:{delivery.forge}", what, kind=delivery.kind, why=why)
