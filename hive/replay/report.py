"""A job, a delivery or a run decided again, in lines for people. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bots.bot import Bot, Context
from forge.events import Event
from forge.webhook import Delivery
from hive.ledger import Ledger
from hive.replay.decision import decide
from hive.replay.recording import Unplayable, digest, unpack

KINDS = ("job", "delivery", "run")
LONGEST_NUMBER = 18
"""Digits that a row's number can have: SQLite counts to 2**63."""


class Cannot(Exception):
    """It cannot be decided again, and why."""


@dataclass
class Replay:
    """What a replay needs; `differs` is set by the first difference."""

    ledger: Ledger
    bots: Mapping[str, Bot]
    context: Callable[[str], Context]
    """The context of a team, whose requests are answered by recordings."""
    decode: Callable[[Delivery], list[Event]]
    hearers: Callable[[Event], list[str]]
    """The bots that would handle an event now."""
    differs: bool = False

    def lines(self, what: str) -> Iterator[str]:
        """Replay what `job:N`, `delivery:N` or `run:N` names; raises Cannot."""
        kind, colon, number = what.rpartition(":")
        if not (number.isascii() and number.isdigit()) or (kind if colon else "job") not in KINDS:
            raise Cannot(f"name a job, a delivery or a run as job:12, delivery:7, run:3 (it is {what[:40]!r})")
        if len(number) > LONGEST_NUMBER:
            raise Cannot(f"there is no {kind or 'job'} with such a large number")
        told = {"job": self._job, "delivery": self._delivery, "run": self._run}[kind or "job"]
        for line in told(int(number)):
            yield _plain(line)

    def _job(self, number: int) -> Iterator[str]:
        job = self.ledger.job_history.get(number)
        if job is None:
            raise Cannot(f"there is no job {number}")
        yield f"job {number}  {job.bot} {type(job.event).WIRE} {job.event.ref}  by {job.event.actor.login}"
        bot, body = self.bots.get(job.bot), self.ledger.recordings.of(number)
        if body is None:
            yield "  no recording: nothing was read, or it is no longer kept"
            return
        if bot is None:
            raise Cannot(f"no bot named {job.bot} is configured")
        try:
            recording = unpack(body)
        except Unplayable as error:
            raise Cannot(f"job {number}: {error}") from error
        ctx = self.context(job.team)
        if recording.who != digest(ctx.team):
            yield "  the team is not configured as it was then"
        found = decide(bot, job.event, ctx, recording, self.ledger.effects.of_job(number))
        self.differs |= not found.is_none
        yield from found.lines()
        if not found.then and found.is_none:
            yield "  same  no intents"

    def _delivery(self, number: int) -> Iterator[str]:
        delivery = self.ledger.deliveries.get(number)
        if delivery is None:
            raise Cannot(f"there is no delivery {number}, or its body is no longer kept")
        yield f"delivery {number}  {delivery.kind} {delivery.id} from {delivery.forge}"
        try:
            events = self.decode(delivery)
        except ValueError as error:
            raise Cannot(f"delivery {number} cannot be read: {error}") from error
        then = self.ledger.job_history.of_delivery(number)
        known = {(job.bot, job.event.key) for job in then}
        for event in events:
            yield f"  {type(event).WIRE} {event.ref}  by {event.actor.login}  key {event.key or 'none: causes a refresh'}"
            for bot in self.hearers(event) if event.key else ():
                if (bot, event.key) not in known and not self.ledger.job_history.knows(bot, event.key):
                    self.differs = True
                    yield f"+ now   {bot} would get a job"
        for job in then:
            yield from self._job(job.id)

    def _run(self, number: int) -> Iterator[str]:
        jobs = self.ledger.runs.jobs_of(number)
        if not jobs:
            raise Cannot(f"there is no run {number} with a bot's job")
        for job in jobs:
            yield from self._job(job)


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
