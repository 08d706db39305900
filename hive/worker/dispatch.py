"""Turn deliveries into jobs, in order of arrival, each once, on one thread of the worker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from forge.events import Event, PullMerged, SubjectChanged
from forge.models import Repo
from forge.webhook import Delivery
from hive.ledger import Act, Ledger, Origin
from hive.poller.recorder import REFRESH

log = logging.getLogger("hive.worker.dispatch")

BATCH = 100
"""Deliveries dispatched in one transaction."""


@dataclass(frozen=True, slots=True)
class DeliveryDecoder:
    """Decodes deliveries of one forge; `decode` raises ValueError for an unreadable one."""

    decode: Callable[[Delivery], list[Event]]
    page_url: Callable[[Event], str]


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Decodes deliveries, and enqueues a job for each bot that subscribes to their events.

    `deploys` is whose container a merge into a repository may change. The host looks at once: the job of the merge waits
    for those before it on the pull request, a review among them. `wake_host` tells it to.
    """

    ledger: Ledger
    decoders: Mapping[str, DeliveryDecoder]
    team_of: Callable[[Repo], str | None]
    listeners: Callable[[str, Event], Iterable[str]]
    origin: Callable[[str, Event], Origin]
    deploys: Callable[[str, Repo], str | None] = lambda _team, _repo: None
    wake_host: Callable[[], None] = lambda: None

    def dispatch(self) -> list[int]:
        """Dispatch everything that waits; returns the ids of new jobs. Safe to repeat after a crash."""
        made, read = self.dispatch_batch()
        while read == BATCH:
            new, read = self.dispatch_batch()
            made += new
        return made

    def dispatch_batch(self) -> tuple[list[int], int]:
        """Dispatch at most BATCH deliveries; returns the ids of new jobs, and how many deliveries were read."""
        made: list[int] = []
        requested = False
        unread = self.ledger.deliveries.unread(BATCH)
        if unread:
            with self.ledger.transaction(durable=False):  # if a power cut undoes it, the deliveries are read again
                for number, delivery in unread:
                    new, is_merge = self._dispatch_one(number, delivery)
                    made += new
                    requested = requested or is_merge
        if requested:
            self.wake_host()
        return made, len(unread)

    def _dispatch_one(self, number: int, delivery: Delivery) -> tuple[list[int], bool]:
        """The ids of new jobs, and whether the host was asked to look at a configuration."""
        decoder = self.decoders.get(delivery.forge)
        try:
            events = decoder.decode(delivery) if decoder else []
        except ValueError as error:
            log.error("delivery_unreadable id=%d kind=%r why=%r", number, delivery.kind, str(error)[:200])
            self._audit(delivery, Act.DELIVERY_UNREADABLE, str(error))
            self.ledger.deliveries.mark_read(number, failed=True)
            return [], False
        team = next((found for event in events if (found := self.team_of(event.ref.repo))), None)
        if decoder is None or team is None:
            why = "a repository of no team" if events else "an event that no bot handles"
            self._audit(delivery, Act.DELIVERY_IGNORED, why)
            self.ledger.deliveries.mark_read(number)
            return [], False
        identified = [event for event in events if event.key]
        made, refreshes = list[int](), list[int]()
        for event in identified:
            wanted = [(bot, event) for bot in self.listeners(team, event)]
            made += self.ledger.jobs.enqueue(team, wanted, delivery=number, origin=self.origin(team, event))
        for event, refresh in self._refreshes(team, delivery, events):
            origin = self.origin(team, event)
            refreshes += self.ledger.jobs.enqueue(team, [(REFRESH, refresh)], delivery=number, origin=origin)
        if made:  # events that cause work belong in the audit log
            for event in identified:
                self.ledger.audit.add(
                    *(event.actor.login, type(event).WIRE),
                    team=team,
                    ref=str(event.ref),
                    url=decoder.page_url(event),
                    key=event.key,
                )
        self.ledger.deliveries.mark_read(number, team=team)
        return made + refreshes, self._request_checks(team, events)

    def _request_checks(self, team: str, events: Iterable[Event]) -> bool:
        merged = {event.ref.repo for event in events if isinstance(event, PullMerged)}
        moved = {agent for repo in merged if (agent := self.deploys(team, repo)) is not None}
        for agent in moved:
            self.ledger.deployments.request_check(agent)
        return bool(moved)

    def _refreshes(self, team: str, delivery: Delivery, events: Iterable[Event]) -> Iterator[tuple[Event, Event]]:
        """A refresh for each event without an id of what happened, unless one is pending that will see it."""
        for event in events:
            is_wanted = not event.key and any(self.listeners(team, event))
            if is_wanted and not self.ledger.jobs.is_pending(REFRESH, event.ref):
                yield event, SubjectChanged(event.ref, event.actor, f"look:{delivery.forge}:{delivery.id}")

    def _audit(self, delivery: Delivery, what: str, why: str) -> None:
        self.ledger.audit.add(f"forge:{delivery.forge}", what, kind=delivery.kind, why=why)
