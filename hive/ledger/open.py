"""What is open, for people who ask: jobs, deeds and turns that wait, run, or were given up, oldest first. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from hive.ledger.database import Clock, Database
from hive.ledger.turns import QUEUE

_JOBS = """
    SELECT 'look' AS kind, jobs.id AS id, team, bot AS who, event_type AS what, ref AS place, state, attempts,
        next_at, created_at, error, EXISTS (SELECT 1 FROM suspended_jobs WHERE suspended_jobs.id = jobs.id) AS rests
    FROM jobs WHERE {where}
"""
_EFFECTS = """
    SELECT 'deed' AS kind, effects.id AS id, team, actor AS who, kind AS what, key AS place, state, attempts, next_at,
        created_at, error, EXISTS (SELECT 1 FROM suspended_effects WHERE suspended_effects.id = effects.id) AS rests
    FROM effects WHERE {where}
"""
_TURNS = """
    SELECT 'turn' AS kind, turns.id AS id, runs.team AS team, turns.agent AS who, message AS what, ref AS place, turns.state AS state,
        attempts, 0.0 AS next_at, turns.created_at AS created_at, '' AS error, 0 AS rests
    FROM turns JOIN runs ON runs.id = turns.run WHERE {where}
"""
OPEN = " UNION ALL ".join(
    [
        _JOBS.format(where="state IN ('pending', 'running')"),
        _EFFECTS.format(where="state IN ('pending', 'running')"),
        _TURNS.format(where="turns.state IN ('pending', 'running')"),
    ]
)
GIVEN_UP = " UNION ALL ".join([_JOBS.format(where="state = 'failed'"), _EFFECTS.format(where="state = 'failed'")])
INBOX = _TURNS.format(where="turns.agent = ? AND turns.state IN ('pending', 'running')")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is open. Times are unix seconds, `rests` says that its like is parked."""

    kind: str
    id: int
    team: str
    who: str
    what: str
    place: str
    state: str
    attempts: int
    next_at: float
    created_at: float
    error: str
    rests: bool

    @property
    def begun(self) -> bool:
        """Whether somebody is at it."""
        return self.state == "running"


class Open:
    """Views over jobs, effects and turns."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def all(self, limit: int = 200) -> list[Item]:
        """Everything that is owed and not done."""
        return self._items(f"{OPEN} ORDER BY created_at, kind DESC, id LIMIT ?", limit)

    def given_up(self, limit: int = 20) -> list[Item]:
        """What was given up last, newest first."""
        return self._items(f"{GIVEN_UP} ORDER BY created_at DESC, id DESC LIMIT ?", limit)

    def inbox(self, agent: str, limit: int = 200) -> list[Item]:
        """The messages that an agent has to deal with, in the order in which it will."""
        return self._items(f"{INBOX} ORDER BY turns.state = 'running' DESC, {QUEUE} LIMIT ?", agent, limit)

    def _items(self, sql: str, *values: object) -> list[Item]:
        return [Item(**{**dict(row), "rests": bool(row["rests"])}) for row in self._db.rows(sql, *values)]
