"""Rosters: which agents there are as operators merged it, those that were asked for, and those that are no more."""

from __future__ import annotations

from dataclasses import dataclass

from hive.ledger.database import Clock, Database


@dataclass(frozen=True, slots=True)
class AcceptedRoster:
    """The text of a forge's `roster.yaml` at the commit that operators merged last."""

    forge: str
    sha: str
    content: str


@dataclass(frozen=True, slots=True)
class SpawnRequest:
    """An agent that an issue asks for; `why` are the words of its author, untrusted."""

    agent: str
    team: str
    lane: str
    why: str
    ref: str


@dataclass(frozen=True, slots=True)
class Tombstone:
    """An agent that was destroyed, and what operators said of purging it. Times are unix seconds."""

    agent: str
    team: str
    destroyed_at: float
    purge_asked_at: float | None = None
    purge_confirmed_at: float | None = None


class Rosters:
    """The roster of each forge, and who came and went."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def accept(self, forge: str, sha: str, content: str) -> None:
        """Let a roster count from now on."""
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO rosters (forge, sha, content, accepted_at) VALUES (?, ?, ?, ?) ON CONFLICT (forge)"
                " DO UPDATE SET sha = excluded.sha, content = excluded.content, accepted_at = excluded.accepted_at",
                (forge, sha, content, self._clock()),
            )

    def accepted(self) -> list[AcceptedRoster]:
        """The rosters that count, one for each forge that has one."""
        rows = self._db.rows("SELECT forge, sha, content FROM rosters ORDER BY forge")
        return [AcceptedRoster(row["forge"], row["sha"], row["content"]) for row in rows]

    def configured(self) -> frozenset[str]:
        """The agents whose configuration was adopted: they can run."""
        return frozenset(row["agent"] for row in self._db.rows("SELECT agent FROM baselines"))

    def request(self, spawn: SpawnRequest) -> None:
        """Remember which issue asks for an agent; the last one counts."""
        with self._db.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO spawns (agent, team, lane, why, ref) VALUES (?, ?, ?, ?, ?)",
                (spawn.agent, spawn.team, spawn.lane, spawn.why, spawn.ref),
            )

    def requested(self, agent: str) -> SpawnRequest | None:
        """What asked for an agent; None if it was added without a request, or has its configuration."""
        row = self._db.row("SELECT agent, team, lane, why, ref FROM spawns WHERE agent = ?", agent)
        return None if row is None else SpawnRequest(**dict(row))

    def fulfil(self, agent: str) -> None:
        """An agent that was asked for has its configuration."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM spawns WHERE agent = ?", (agent,))

    def open_runs(self, agent: str) -> list[tuple[int, str]]:
        """The open runs of an agent, each with its issue: others may be at work on the same one."""
        rows = self._db.rows("SELECT id, ref FROM runs WHERE agent = ? AND state = 'open' ORDER BY id", agent)
        return [(row["id"], row["ref"]) for row in rows]

    def bury(self, agent: str, team: str) -> None:
        """An agent was destroyed; what it keeps is kept until it is purged."""
        with self._db.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO tombstones (agent, team, destroyed_at) VALUES (?, ?, ?)",
                (agent, team, self._clock()),
            )

    def tombstones(self) -> list[Tombstone]:
        """The agents that were destroyed and neither revived nor purged, the oldest first."""
        return [Tombstone(**dict(row)) for row in self._db.rows("SELECT * FROM tombstones ORDER BY destroyed_at")]

    def tombstone(self, agent: str) -> Tombstone | None:
        """How an agent was destroyed; None for one that lives, never lived, or was purged."""
        row = self._db.row("SELECT * FROM tombstones WHERE agent = ?", agent)
        return None if row is None else Tombstone(**dict(row))

    def request_purge(self, agent: str) -> None:
        """One more comment asks to purge a destroyed agent: the second one decides."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE tombstones SET purge_confirmed_at = CASE WHEN purge_asked_at IS NULL THEN NULL ELSE ? END,"
                " purge_asked_at = coalesce(purge_asked_at, ?) WHERE agent = ?",
                (self._clock(), self._clock(), agent),
            )

    def unbury(self, agent: str) -> None:
        """An agent was revived, or what it kept is purged."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM tombstones WHERE agent = ?", (agent,))
