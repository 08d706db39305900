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

from forge.webhook import BadDelivery, Delivery, verify_lower
from hive.ledger import Act, Ledger, pack
from hive.refusals import Refusals
from hive.web.exchange import Answer, Ticket

log = logging.getLogger("hive.web")

PREFIX = "/hook/"
MAX_BATCH = 128


@dataclass(frozen=True, slots=True)
class Door:
    """How deliveries of one forge are checked. `kinds` are those that are read."""

    secrets: Callable[[], tuple[bytes, ...]]
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True)
class Desk:
    """What the receiver needs of the house: where to write, who may send, whom to wake."""

    ledger: Ledger
    doors: Mapping[str, Door]
    wake: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Letter:
    """A delivery that bears the signature, packed for the ledger."""

    delivery: Delivery
    packed: bytes


_Checked = _Letter | BadDelivery | str


class Clerk:
    """Takes tickets from the loop, and answers them on its thread: a second one would only wait for the first."""

    def __init__(self, desk: Desk, refusals: Refusals) -> None:
        self._desk = desk
        self._refusals = refusals
        self._waiting: list[Ticket] = []

    def take(self, ticket: Ticket) -> None:
        """One more delivery."""
        self._waiting.append(ticket)

    def settle(self) -> list[tuple[Ticket, Answer]]:
        """Answer a batch of those that wait: check each, store all in one transaction. Only what is stored is accepted."""
        batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        return self._settled(batch) if batch else []

    def _settled(self, batch: list[Ticket]) -> list[tuple[Ticket, Answer]]:
        refused: list[tuple[Ticket, Answer]] = []
        sound: list[tuple[Ticket, _Letter | str]] = []
        for ticket in batch:
            found = self._check(ticket)
            if isinstance(found, BadDelivery):
                refused.append((ticket, self._refuse(ticket, found)))
            else:
                sound.append((ticket, found))
        return refused + (self._stored(sound) if sound else [])

    def _stored(self, sound: list[tuple[Ticket, _Letter | str]]) -> list[tuple[Ticket, Answer]]:
        """Store what bears a signature, in one transaction."""
        try:
            with self._desk.ledger.transaction():
                answers = [(ticket, self._store(ticket, found)) for ticket, found in sound]
        except sqlite3.Error as error:
            log.error("ledger_unwritable error=%r", str(error))
            return [(ticket, _say(503, error="the ledger cannot be written")) for ticket, _ in sound]
        if any(isinstance(found, _Letter) for _, found in sound):
            self._desk.wake()
        return answers

    def _check(self, ticket: Ticket) -> _Checked:
        """A letter, why it is none, or why nobody reads it."""
        request, name = ticket.request, _door(ticket)
        door = self._desk.doors.get(name)
        if request.fault is not None:
            return BadDelivery(*request.fault)
        if door is None:
            return BadDelivery(404, "no forge of that name")
        if request.method != "POST":
            return BadDelivery(405, "deliveries are sent by POST")
        try:
            delivery = verify_lower(name, request.headers, request.body, door.secrets())
        except BadDelivery as error:
            return error
        if delivery.kind not in door.kinds:
            return delivery.kind
        if not (delivery.body.startswith(b"{") and delivery.body.rstrip().endswith(b"}")):
            return BadDelivery(
                400, f"{delivery.kind} is no JSON object: the content type of the webhook should be application/json"
            )
        return _Letter(delivery, pack(delivery.body))

    def _store(self, ticket: Ticket, found: _Letter | str) -> Answer:
        ledger = self._desk.ledger
        if isinstance(found, _Letter):
            known = not ledger.intake.receive(found.delivery, found.packed)
            return KNOWN if known else ACCEPTED
        door = _door(ticket)
        ledger.audit.add(f"forge:{door}", Act.DELIVERY_IGNORED, kind=found, why="no event that is looked at")
        return _say(202, status="ignored")

    def _refuse(self, ticket: Ticket, error: BadDelivery) -> Answer:
        """What is no delivery leaves one row, however often it comes within a minute, and nothing else."""
        door, peer = _door(ticket)[:32], ticket.request.peer
        self._refusals.note(f"from {peer}", error.status, str(error), door=door)
        return _say(error.status, error=str(error))


def _door(ticket: Ticket) -> str:
    """The forge that a delivery is said to come from; behind `?` is the mark by which the hive knows its hooks."""
    return ticket.request.path[len(PREFIX) :].partition("?")[0]


def _say(code: int, **words: str) -> Answer:
    return Answer(code, json.dumps(words).encode() + b"\n")


ACCEPTED, KNOWN = _say(202, status="accepted"), _say(202, status="known")
