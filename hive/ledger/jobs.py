"""Jobs: a bot handles an event. Each is stored once and leased to one worker at a time.

An event that repeats a pending one is merged into its job. The most urgent due job is claimed first;
on one subject jobs run in the order of their events.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from forge.events import EVENTS, CommentPosted, Event, ReviewAsked, SubjectChanged
from forge.models import Ref
from hive.codec import Codec
from hive.ledger.database import Clock, Database, StaleLease
from hive.ledger.leases import Leases

LEASE_SECONDS = 120.0
"""A job's bot has this long before another worker takes it again."""

MAX_ATTEMPTS = 25
"""Looks that were put off: so often the world was in the way."""

MAX_DEATHS = 5
"""Jobs whose worker died so often in a row, such as for want of memory, are not claimed again."""

ALONE = (CommentPosted, ReviewAsked)
"""Events that are never coalesced: each has its own meaning."""

_AWAKE = """
    {jobs}.team NOT IN (SELECT team FROM suspensions WHERE scope = 'team')
    AND NOT EXISTS (SELECT 1 FROM suspensions WHERE suspensions.team = {jobs}.team AND
        ((suspensions.scope = 'bot' AND suspensions.name = {jobs}.bot) OR (suspensions.scope = 'subject' AND suspensions.name = {jobs}.ref)))
"""
_DUE = """
    state = 'pending' AND next_at <= :now AND {awake}
    AND ref NOT IN (SELECT ref FROM jobs WHERE state = 'running')
    AND NOT EXISTS (SELECT 1 FROM jobs AS older WHERE older.ref = jobs.ref AND older.state = 'pending'
        AND older.id < jobs.id AND older.next_at <= :now AND {older_awake})
    AND (:of_team = 0 OR :of_team > (SELECT count(*) FROM jobs AS held WHERE held.state = 'running' AND held.team = jobs.team))
    AND (:of_bot = 0 OR :of_bot > (SELECT count(*) FROM jobs AS held
        WHERE held.state = 'running' AND held.team = jobs.team AND +held.bot = jobs.bot))
""".format(awake=_AWAKE.format(jobs="jobs"), older_awake=_AWAKE.format(jobs="older"))  # noqa: S608  ours
_WHICH = "SELECT id FROM jobs WHERE {due} ORDER BY priority, id LIMIT {limit}"
_THIS = _WHICH.format(due=f"id = :id AND {_DUE}", limit=1)
_NEXT = _WHICH.format(due=_DUE, limit=1)
_NEXT_ALONE = _WHICH.format(due=f"event_type IN ({', '.join(repr(kind.WIRE) for kind in ALONE)}) AND {_DUE}", limit=1)
_ALL_DUE = _WHICH.format(due=_DUE, limit=":limit")


class Priority(IntEnum):
    """How urgent a job is: the lowest first."""

    OPERATOR = 0
    PERSON = 1
    MACHINE = 2
    SWEEP = 3


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an event came from: a person or a machine, and for a machine the effect that made it.

    `depth` is how many machines in a row have answered one another.
    """

    priority: Priority = Priority.PERSON
    by_person: bool = True
    cause: int | None = None
    depth: int = 0


@dataclass(frozen=True, slots=True)
class ConcurrencyLimit:
    """How many jobs may run at once, for each team and for each bot of a team; 0 for no limit."""

    per_team: int = 0
    per_bot: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """One job, held by this worker until its lease expires."""

    id: int
    team: str
    bot: str
    event: Event
    attempts: int
    depth: int = 0
    by_person: bool = True
    created_at: float = 0.0


class Jobs:
    """The queue of events for bots."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        # If a power cut undoes a claim or an end, it is repeated: neither has to wait for the disk.
        self._leases = Leases(db, clock, "jobs", LEASE_SECONDS, durable=False)

    def enqueue(
        self,
        team: str,
        wanted: Iterable[tuple[str, Event]],
        *,
        delivery: int | None = None,
        origin: Origin = Origin(),
    ) -> list[int]:
        """Enqueue jobs: `wanted` pairs a bot with an event; a known pair is not enqueued again.

        A pending job stands for the new event as well. Returns the ids of new rows.
        """
        made = []
        with self._db.transaction():
            for bot, event in wanted:
                row = self._insert(team, bot, event, delivery, origin)
                if row:
                    made.append(row)
        return made

    def _insert(self, team: str, bot: str, event: Event, delivery: int | None, origin: Origin) -> int:
        now, kind, ref = self._clock(), type(event), str(event.ref)
        standing = 0 if isinstance(event, ALONE) else self._pending(bot, ref, kind.WIRE)
        with self._db.transaction() as db:
            cursor = db.execute(
                "INSERT INTO jobs (team, bot, ref, event_type, event_key, event, delivery, cause, merged_into, depth,"
                " by_person, priority, state, next_at, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (
                    *(team, bot, ref, kind.WIRE, event.key, Codec(kind).dumps(event), delivery, origin.cause),
                    *(standing or None, origin.depth, origin.by_person, origin.priority),
                    *("merged" if standing else "pending", now, now),
                ),
            )
            if not cursor.rowcount or not cursor.lastrowid:
                if delivery is not None and isinstance(event, ALONE):
                    # Found by polling a moment ago: the delivery has more details, such as the first text.
                    db.execute(
                        "UPDATE jobs SET event = ?, delivery = ? WHERE team = ? AND bot = ? AND event_key = ?"
                        " AND state = 'pending' AND delivery IS NULL",
                        (Codec(kind).dumps(event), delivery, team, bot, event.key),
                    )
                return 0
            if standing:
                db.execute(
                    "UPDATE jobs SET depth = min(depth, ?), by_person = max(by_person, ?) WHERE id = ?",
                    (origin.depth, origin.by_person, standing),
                )
            # What waits on this subject is in the way of what is urgent, so it is as urgent.
            db.execute(
                "UPDATE jobs SET priority = ? WHERE ref = ? AND state = 'pending' AND priority > ?",
                (origin.priority, ref, origin.priority),
            )
            return cursor.lastrowid

    def _pending(self, bot: str, ref: str, kind: str) -> int:
        row = self._db.row(
            "SELECT id FROM jobs WHERE ref = ? AND state = 'pending' AND bot = ? AND event_type = ? LIMIT 1",
            *(ref, bot, kind),
        )
        return 0 if row is None else int(row["id"])

    def origin(self, job: int, *, cause: int) -> Origin:
        """The origin of a job that this one asks for: as urgent, as deep, caused by an effect of it."""
        row = self._db.row("SELECT priority, by_person, depth FROM jobs WHERE id = ?", job)
        if row is None:
            return Origin(cause=cause)
        return Origin(Priority(row["priority"]), by_person=bool(row["by_person"]), cause=cause, depth=row["depth"])

    def is_pending(self, bot: str, ref: Ref) -> bool:
        """Whether a bot has a pending job for a ref, which will see what happens now."""
        row = self._db.row("SELECT 1 FROM jobs WHERE ref = ? AND state = 'pending' AND bot = ?", str(ref), bot)
        return row is not None

    def claim(self, job_id: int) -> Job | None:
        """Claim this job, if it is due."""
        self._leases.reclaim(MAX_DEATHS)
        return self._claim(_THIS, ConcurrencyLimit(), id=job_id)

    def claim_next(self, limit: ConcurrencyLimit = ConcurrencyLimit(), *, alone: bool = False) -> Job | None:
        """Claim the most urgent job that is due, of all or of those that stand `alone`; None without one."""
        return self._claim(_NEXT_ALONE if alone else _NEXT, limit)

    def _claim(self, which: str, limit: ConcurrencyLimit, **more: int) -> Job | None:
        row = self._leases.claim(which, self._bounds(limit) | more)
        return None if row is None else job_of(row)

    def _bounds(self, ceiling: ConcurrencyLimit) -> dict[str, Any]:
        return {"now": self._clock(), "of_team": ceiling.per_team, "of_bot": ceiling.per_bot}

    def due(self, limit: int = 200, ceiling: ConcurrencyLimit = ConcurrencyLimit()) -> list[int]:
        """Jobs that can be claimed now by priority, one for each ref."""
        self._leases.reclaim(MAX_DEATHS)
        found = self._db.rows(_ALL_DUE, self._bounds(ceiling) | {"limit": limit})
        return [row["id"] for row in found]

    def expire_leases(self) -> None:
        """Expire all leases, when no worker is alive."""
        self._leases.expire()

    def finish(self, job: Job) -> None:
        """The job is done; belongs in the transaction that stores its effects. Raises StaleLease."""
        self._end(job, "done", "", 0.0)

    def supersede(self, job: Job, why: str = "") -> None:
        """Nothing comes of the job: a newer one is pending, or its subject is gone. Raises StaleLease."""
        self._end(job, "superseded", why, 0.0)

    def is_superseded(self, job: Job) -> bool:
        """Whether the same happened to the subject again since the job started."""
        return self._pending(job.bot, str(job.event.ref), type(job.event).WIRE) != 0

    def release(self, job: Job, error: str) -> None:
        """Make it pending again and refund the attempt: it could not be tried. Raises StaleLease."""
        self._end(job, "pending", error, 0.0, refund=True)

    def retry(self, job: Job, error: str, delay: float) -> bool:
        """Look again after `delay` seconds; False if that was the last attempt. Raises StaleLease."""
        again = job.attempts < MAX_ATTEMPTS
        self._end(job, "pending" if again else "failed", error, delay)
        return again

    def fail(self, job: Job, error: str) -> None:
        """Give up the job: another attempt would change nothing. Raises StaleLease."""
        self._end(job, "failed", error, 0.0)

    def renew(self, job: Job) -> bool:
        """Renew a job's lease; False if another worker holds it."""
        return self._leases.renew(job.id, job.attempts)

    def _end(self, job: Job, state: str, error: str, delay: float, *, refund: bool = False) -> None:
        columns = {"error": error[:500], "next_at": self._clock() + delay, "deaths": 0}
        if not self._leases.end(job.id, job.attempts, state, refund=refund, **columns):
            raise StaleLease(f"job {job.id}, attempt {job.attempts}")

    def machine_jobs(self, team: str, ref: str, since: float) -> int:
        """How many jobs in a row on a subject no person caused, of those created after `since`.

        Looks at what has changed are none of them: each delivery that is sent again is one, and they decide nothing.
        """
        row = self._db.row(
            "SELECT count(*) AS n FROM jobs WHERE team = ? AND ref = ? AND NOT by_person AND created_at > ? AND id >"
            " (SELECT coalesce(max(id), 0) FROM jobs AS said WHERE said.ref = ? AND said.by_person)"
            " AND state IN ('done', 'running', 'superseded') AND event_type != ?",
            *(team, ref, since, ref, SubjectChanged.WIRE),
        )
        return int(row["n"]) if row else 0


def job_of(row: Any) -> Job:
    """The job in a row of its table."""
    event = Codec(EVENTS[row["event_type"]]).loads(row["event"])
    return Job(
        *(row["id"], row["team"], row["bot"], event, row["attempts"]),
        *(row["depth"], bool(row["by_person"]), row["created_at"]),
    )
