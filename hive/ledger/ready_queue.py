"""The ready queue: issues that wait until their agent has less open work, and those that it was given a moment ago."""

from __future__ import annotations

from dataclasses import dataclass

from hive.ledger.database import Clock, Database

CLAIM_SECONDS = 600.0
"""How long an issue that was given to an agent counts as its open work without a run."""

MOST = 100
"""Waiting issues that are looked at."""


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """An issue that waits for an agent; `is_labelled` is whether the label of its queue was set."""

    ref: str
    team: str
    agent: str
    lane: str
    is_labelled: bool


class ReadyQueue:
    """Who waits for whom."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def claim(self, team: str, agent: str, lane: str, ref: str, *, most: int) -> bool:
        """Claim an issue for an agent that has less than `most` open (0: no limit), else let it wait; whether it was claimed.

        Atomic: of two claims for one free place, one waits. Repeated, it answers the same.
        """
        now = self._clock()
        with self._db.transaction() as db:
            known = db.execute("SELECT state, agent FROM ready_queue WHERE ref = ?", (ref,)).fetchone()
            if known is not None and (known["state"], known["agent"]) == ("claimed", agent):
                return True
            is_free = not most or self._open(agent, now) < most
            state, claimed_at = ("claimed", now) if is_free else ("waiting", 0.0)
            db.execute(
                "INSERT INTO ready_queue (ref, team, agent, lane, state, queued_at, claimed_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (ref) DO UPDATE SET agent = excluded.agent, lane = excluded.lane, state = excluded.state,"
                " claimed_at = excluded.claimed_at",
                (ref, team, agent, lane, state, now, claimed_at),
            )
        return is_free

    def room(self, agent: str, most: int) -> int:
        """How many issues an agent may be given now; with no limit, as many as are looked at."""
        return max(0, most - self._open(agent, self._clock())) if most else MOST

    def wait(self, team: str, agent: str, lane: str, ref: str) -> None:
        """Let an issue wait, whatever the agent has open: something has to be closed first."""
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO ready_queue (ref, team, agent, lane, state, queued_at) VALUES (?, ?, ?, ?, 'waiting', ?)"
                " ON CONFLICT (ref) DO UPDATE SET agent = excluded.agent, lane = excluded.lane, state = 'waiting'",
                (ref, team, agent, lane, self._clock()),
            )

    def get(self, ref: str) -> QueueEntry | None:
        """An issue that waits or was claimed."""
        return next(iter(self._entries("ref = ?", ref)), None)

    def waiting(self, agent: str) -> list[QueueEntry]:
        """What waits for an agent, oldest first."""
        return self._entries("agent = ? AND state = 'waiting'", agent)

    def agents(self, team: str) -> list[str]:
        """The agents of a team for whom something waits."""
        found = "SELECT DISTINCT agent FROM ready_queue WHERE team = ? AND state = 'waiting' ORDER BY agent"
        return [row["agent"] for row in self._db.rows(found, team)]

    def labelled(self, ref: str) -> None:
        """The label of its queue was set."""
        with self._db.transaction() as db:
            db.execute("UPDATE ready_queue SET labelled = 1 WHERE ref = ?", (ref,))

    def remove(self, ref: str) -> None:
        """It waits no longer."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM ready_queue WHERE ref = ?", (ref,))

    def _open(self, agent: str, now: float) -> int:
        """The open work of an agent: runs, and what it was given and has not begun."""
        row = self._db.row(
            "SELECT (SELECT count(*) FROM runs WHERE agent = ? AND state = 'open' AND wake = '')"
            " + (SELECT count(*) FROM ready_queue WHERE agent = ? AND state = 'claimed' AND claimed_at > ?) AS open",
            *(agent, agent, now - CLAIM_SECONDS),
        )
        return 0 if row is None else int(row["open"])

    def _entries(self, where: str, *values: object) -> list[QueueEntry]:
        rows = self._db.rows(f"SELECT * FROM ready_queue WHERE {where} ORDER BY queued_at, ref LIMIT {MOST}", *values)  # noqa: S608
        return [QueueEntry(row["ref"], row["team"], row["agent"], row["lane"], bool(row["labelled"])) for row in rows]
