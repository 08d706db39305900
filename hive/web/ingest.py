"""Deliveries: verified, written down many at a time, answered when they are on the disk.

While one batch is synced the next one gathers in the sockets, so that the price of a sync is shared
by all that wait for it. What a delivery means is read by the worker.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from forge.webhook import Delivery, RejectedDelivery, verify
from hive.ledger import Act, Ledger, compress
from hive.ledger.rejection_log import RejectionLog
from hive.web.http_messages import PendingRequest, Response

log = logging.getLogger("hive.web")

PREFIX = "/hook/"
MAX_BATCH = 128


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """How deliveries of one forge are checked. `kinds` are those that are read."""

    secrets: Callable[[], tuple[bytes, ...]]
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True)
class IngestDeps:
    """What the receiver needs: the ledger, the endpoints, and the wake-up of the worker."""

    ledger: Ledger
    doors: Mapping[str, WebhookEndpoint]
    wake: Callable[[], None]


@dataclass(frozen=True, slots=True)
class VerifiedDelivery:
    """A delivery that bears the signature, packed for the ledger."""

    delivery: Delivery
    packed: bytes


_Checked = VerifiedDelivery | RejectedDelivery | str


class IngestHandler:
    """Takes tickets from the loop, and answers them on its thread: a second one would only wait for the first."""

    def __init__(self, deps: IngestDeps, refusals: RejectionLog) -> None:
        self._deps = deps
        self._refusals = refusals
        self._waiting: list[PendingRequest] = []

    def take(self, pending: PendingRequest) -> None:
        """One more delivery."""
        self._waiting.append(pending)

    def settle(self) -> list[tuple[PendingRequest, Response]]:
        """Answer a batch of those that wait: check each, store all in one transaction. Only what is stored is accepted."""
        batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        return self._settled(batch) if batch else []

    def _settled(self, batch: list[PendingRequest]) -> list[tuple[PendingRequest, Response]]:
        refused: list[tuple[PendingRequest, Response]] = []
        sound: list[tuple[PendingRequest, VerifiedDelivery | str]] = []
        for pending in batch:
            found = self._check(pending)
            if isinstance(found, RejectedDelivery):
                refused.append((pending, self._refuse(pending, found)))
            else:
                sound.append((pending, found))
        return refused + (self._stored(sound) if sound else [])

    def _stored(
        self, sound: list[tuple[PendingRequest, VerifiedDelivery | str]]
    ) -> list[tuple[PendingRequest, Response]]:
        """Store what bears a signature, in one transaction."""
        try:
            with self._deps.ledger.transaction():
                answers = [(pending, self._store(pending, found)) for pending, found in sound]
        except sqlite3.Error as error:
            log.error("ledger_unwritable error=%r", str(error))
            return [(pending, _say(503, error="the ledger cannot be written")) for pending, _ in sound]
        if any(isinstance(found, VerifiedDelivery) for _, found in sound):
            self._deps.wake()
        return answers

    def _check(self, pending: PendingRequest) -> _Checked:
        """A verified delivery, why it is rejected, or an event type that is not handled."""
        request, name = pending.request, _door(pending)
        door = self._deps.doors.get(name)
        if request.fault is not None:
            return RejectedDelivery(*request.fault)
        if door is None:
            return RejectedDelivery(404, "no forge of that name")
        if request.method != "POST":
            return RejectedDelivery(405, "deliveries are sent by POST")
        try:
            delivery = verify(name, request.headers, request.body, door.secrets())
        except RejectedDelivery as error:
            return error
        if delivery.kind not in door.kinds:
            return delivery.kind
        if not (delivery.body.startswith(b"{") and delivery.body.rstrip().endswith(b"}")):
            return RejectedDelivery(
                400, f"{delivery.kind} is no JSON object: the content type of the webhook should be application/json"
            )
        return VerifiedDelivery(delivery, compress(delivery.body))

    def _store(self, pending: PendingRequest, found: VerifiedDelivery | str) -> Response:
        ledger = self._deps.ledger
        if isinstance(found, VerifiedDelivery):
            known = not ledger.deliveries.receive(found.delivery, found.packed)
            return KNOWN if known else ACCEPTED
        door = _door(pending)
        ledger.audit.add(f"forge:{door}", Act.DELIVERY_IGNORED, kind=found, why="an event that no bot handles")
        return _say(202, status="ignored")

    def _refuse(self, pending: PendingRequest, error: RejectedDelivery) -> Response:
        """What is no delivery leaves one row, however often it comes within a minute, and nothing else."""
        door, peer = _door(pending)[:32], pending.request.peer
        self._refusals.note(f"from {peer}", error.status, str(error), door=door)
        return _say(error.status, error=str(error))


def _door(pending: PendingRequest) -> str:
    """The forge that a delivery claims to come from; after `?` is the mark by which the hive knows its hooks."""
    return pending.request.path[len(PREFIX) :].partition("?")[0]


def _say(code: int, **words: str) -> Response:
    return Response(code, json.dumps(words).encode() + b"\n")


ACCEPTED, KNOWN = _say(202, status="accepted"), _say(202, status="known")
