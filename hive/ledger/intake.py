"""Deliveries, and the jobs that they make: a bot owes a look at a ref."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from forge import events
from forge.events import Event
from forge.types import Ref
from forge.webhook import Delivery
from hive.codec import Codec
from hive.ledger.database import Clock, Database, Lost

LEASE_SECONDS = 120.0
"""A job's bot has this long before another worker takes it again."""

MAX_ATTEMPTS = 8

_EVENTS = {kind.__name__: kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event)}


@dataclass(frozen=True, slots=True)
class Job:
    """One look that a bot owes, taken by this worker until its lease runs out."""

    id: int
    team: str
    bot: str
    event: Event
    attempts: int


def pack(body: bytes) -> bytes:
    """A body as the ledger keeps it: about a fifth of what a forge sends."""
    return zlib.compress(body, 1)


class Intake:
    """What came in, and who has to look."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def is_json(self, body: bytes) -> bool:
        """Whether a body is JSON in UTF-8: asked of the database, which does not hold up other threads."""
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return False
        row = self._db.row("SELECT json_valid(?) AS valid", text)
        return bool(row and row["valid"])

    def receive(self, delivery: Delivery, packed: bytes) -> bool:
        """Store a delivery, to be read later; `packed` is its body by `pack`. False if it is known already."""
        with self._db.transaction() as db:
            cursor = db.execute(
                "INSERT INTO deliveries (team, forge, uuid, kind, body, received_at, state)"
                " VALUES ('', ?, ?, ?, ?, ?, 'waiting') ON CONFLICT DO NOTHING",
                (delivery.forge, delivery.id, delivery.kind, packed, self._clock()),
            )
        return bool(cursor.rowcount)

    def unread(self, limit: int = 100) -> list[tuple[int, Delivery]]:
        """Deliveries that nobody has read, oldest first, each with its id."""
        rows = self._db.rows("SELECT * FROM deliveries WHERE state = 'waiting' ORDER BY id LIMIT ?", limit)
        return [
            (row["id"], Delivery(row["forge"], row["uuid"], row["kind"], zlib.decompress(row["body"]))) for row in rows
        ]

    def read(self, delivery: int, *, team: str = "", failed: bool = False) -> None:
        """A delivery was read; belongs into the transaction that stores the jobs it makes."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE deliveries SET team = ?, state = ? WHERE id = ?",
                (team, "failed" if failed else "read", delivery),
            )

    def owe(self, team: str, wanted: Iterable[tuple[str, Event]], *, delivery: int | None = None) -> list[int]:
        """Make jobs: `wanted` pairs a bot with an event, and a pair that is known makes no second one.

        Returns the ids of new jobs.
        """
        made = []
        with self._db.transaction() as db:
            for bot, event in wanted:
                cursor = db.execute(
                    "INSERT INTO jobs (team, bot, ref, event_type, event_key, event, delivery, state, next_at,"
                    " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?) ON CONFLICT DO NOTHING",
                    (
                        *(team, bot, str(event.ref), type(event).__name__, event.key),
                        *(Codec(type(event)).dumps(event), delivery, self._clock(), self._clock()),
                    ),
                )
                if cursor.rowcount and cursor.lastrowid:
                    made.append(cursor.lastrowid)
        return made

    def waits(self, bot: str, ref: Ref) -> bool:
        """Whether a look of a bot at a ref is owed that nobody has begun: it will see what happens now."""
        row = self._db.row("SELECT 1 FROM jobs WHERE bot = ? AND ref = ? AND state = 'waiting'", bot, str(ref))
        return row is not None

    def claim(self, job_id: int) -> Job | None:
        """Take a due job, unless another one of its ref is being looked at or is older and due."""
        now = self._clock()
        with self._db.transaction() as db:
            row = db.execute(
                "UPDATE jobs SET state = 'running', lease_until = ?, attempts = attempts + 1"
                " WHERE id = ? AND next_at <= ? AND (state = 'waiting' OR (state = 'running' AND lease_until < ?))"
                " AND NOT EXISTS (SELECT 1 FROM jobs AS other WHERE other.ref = jobs.ref AND other.id != jobs.id AND"
                " ((other.state = 'running' AND other.lease_until >= ?)"
                " OR (other.id < jobs.id AND other.state = 'waiting' AND other.next_at <= ?"
                " AND NOT EXISTS (SELECT 1 FROM resting_jobs AS resting WHERE resting.id = other.id))))"
                " AND NOT EXISTS (SELECT 1 FROM resting_jobs AS resting WHERE resting.id = jobs.id) RETURNING *",
                (now + LEASE_SECONDS, job_id, now, now, now, now),
            ).fetchone()
        if row is None:
            return None
        event = Codec(_EVENTS[row["event_type"]]).loads(row["event"])
        return Job(row["id"], row["team"], row["bot"], event, row["attempts"])

    def finish(self, job: Job) -> None:
        """The look is done; belongs into the transaction that stores its effects. Raises Lost."""
        self._end(job, "done", "", 0.0)

    def rest(self, job: Job, error: str) -> None:
        """The look could not be tried: it waits, and has lost no attempt. Raises Lost."""
        self._end(job, "waiting", error, 0.0, uncounted=1)

    def postpone(self, job: Job, error: str, delay: float) -> bool:
        """Look again after `delay` seconds; False if that was the last attempt. Raises Lost."""
        again = job.attempts < MAX_ATTEMPTS
        self._end(job, "waiting" if again else "failed", error, delay)
        return again

    def fail(self, job: Job, error: str) -> None:
        """The bot cannot look at this; nothing will change that. Raises Lost."""
        self._end(job, "failed", error, 0.0)

    def renew(self, job: Job) -> bool:
        """Hold a job for longer; False if somebody else has it."""
        with self._db.transaction() as db:
            cursor = db.execute(
                "UPDATE jobs SET lease_until = ? WHERE id = ? AND state = 'running' AND attempts = ?",
                (self._clock() + LEASE_SECONDS, job.id, job.attempts),
            )
        return bool(cursor.rowcount)

    def _end(self, job: Job, state: str, error: str, delay: float, *, uncounted: int = 0) -> None:
        # The number of the attempt is the fence: whoever took the job since then has a higher one.
        with self._db.transaction() as db:
            cursor = db.execute(
                "UPDATE jobs SET state = ?, error = ?, next_at = ?, lease_until = 0, attempts = attempts - ?"
                " WHERE id = ? AND state = 'running' AND attempts = ?",
                (state, error[:500], self._clock() + delay, uncounted, job.id, job.attempts),
            )
            if not cursor.rowcount:
                raise Lost(f"job {job.id}, attempt {job.attempts}")

    def next_of(self, job: Job) -> int | None:
        """The job that waits behind this one for the same ref, if any."""
        row = self._db.row(
            "SELECT min(id) AS id FROM jobs WHERE ref = ? AND state = 'waiting' AND next_at <= ?",
            *(str(job.event.ref), self._clock()),
        )
        return None if row is None else row["id"]

    def due(self, limit: int = 200) -> list[int]:
        """Jobs that somebody should take now, oldest first, one for each ref.

        A job that killed its worker too often is given up.
        """
        now = self._clock()
        with self._db.transaction() as db:
            db.execute(
                "UPDATE jobs SET state = 'failed', error = 'its worker died each time'"
                " WHERE state = 'running' AND lease_until < ? AND attempts >= ?",
                (now, MAX_ATTEMPTS),
            )
        found = self._db.rows(
            "SELECT min(id) AS id FROM jobs WHERE state IN ('waiting', 'running') AND next_at <= ?"
            " AND lease_until < ? AND NOT EXISTS (SELECT 1 FROM resting_jobs AS resting WHERE resting.id = jobs.id)"
            " GROUP BY ref ORDER BY 1 LIMIT ?",
            *(now, now, limit),
        )
        return [row["id"] for row in found]

    def release_all(self) -> None:
        """No worker is alive: what the last one held can be taken at once."""
        with self._db.transaction() as db:
            db.execute("UPDATE jobs SET lease_until = 0 WHERE state = 'running'")
            db.execute("UPDATE effects SET lease_until = 0 WHERE state = 'applying'")

    def deliveries(self) -> int:
        """How many deliveries have come in."""
        return int(self._db.rows("SELECT count(*) FROM deliveries")[0][0])

    def cursor(self, name: str) -> str | None:
        """Where a sweep stopped."""
        row = self._db.row("SELECT value FROM cursors WHERE name = ?", name)
        return None if row is None else str(row["value"])

    def move_cursor(self, name: str, value: str) -> None:
        """Remember where a sweep stopped; belongs into the transaction that stores what it found."""
        with self._db.transaction() as db:
            db.execute("INSERT OR REPLACE INTO cursors (name, value) VALUES (?, ?)", (name, value))
