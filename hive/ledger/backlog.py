"""The backlog for people: jobs, effects and turns that are pending, running or failed. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from hive.ledger.database import Clock, Database
from hive.ledger.turns import QUEUE

_JOBS = """
    SELECT 'job' AS kind, jobs.id AS id, team, bot AS who, event_type AS what, ref AS subject, state, attempts,
        next_at, created_at, error, EXISTS (SELECT 1 FROM suspended_jobs WHERE suspended_jobs.id = jobs.id) AS is_suspended
    FROM jobs WHERE {where}
"""
_EFFECTS = """
    SELECT 'effect' AS kind, effects.id AS id, team, actor AS who, kind AS what, key AS subject, state, attempts, next_at,
        created_at, error, EXISTS (SELECT 1 FROM suspended_effects WHERE suspended_effects.id = effects.id) AS is_suspended
    FROM effects WHERE {where}
"""
_TURNS = """
    SELECT 'turn' AS kind, turns.id AS id, runs.team AS team, turns.agent AS who, message AS what, ref AS subject, turns.state AS state,
        attempts, 0.0 AS next_at, turns.created_at AS created_at, '' AS error, 0 AS is_suspended
    FROM turns JOIN runs ON runs.id = turns.run WHERE {where}
"""
OPEN = " UNION ALL ".join(
    [
        _JOBS.format(where="state IN ('pending', 'running')"),
        _EFFECTS.format(where="state IN ('pending', 'running')"),
        _TURNS.format(where="turns.state IN ('pending', 'running')"),
    ]
)
FAILED = " UNION ALL ".join([_JOBS.format(where="state = 'failed'"), _EFFECTS.format(where="state = 'failed'")])
INBOX = _TURNS.format(where="turns.agent = ? AND turns.state IN ('pending', 'running')")


@dataclass(frozen=True, slots=True)
class BacklogItem:
    """One row of work. Times are unix seconds, `subject` is what it is about: a subject, or the key of an effect."""

    kind: str
    id: int
    team: str
    who: str
    what: str
    subject: str
    state: str
    attempts: int
    next_at: float
    created_at: float
    error: str
    is_suspended: bool

    @property
    def is_running(self) -> bool:
        """Whether its lease is held."""
        return self.state == "running"


class Backlog:
    """Reads jobs, effects and turns side by side."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def all(self, limit: int = 200) -> list[BacklogItem]:
        """Everything pending or running, oldest first."""
        return self._items(f"{OPEN} ORDER BY created_at, kind DESC, id LIMIT ?", limit)

    def failed(self, limit: int = 20) -> list[BacklogItem]:
        """What failed last, newest first."""
        return self._items(f"{FAILED} ORDER BY created_at DESC, id DESC LIMIT ?", limit)

    def inbox(self, agent: str, limit: int = 200) -> list[BacklogItem]:
        """An agent's open turns, in the order in which it will take them."""
        return self._items(f"{INBOX} ORDER BY turns.state = 'running' DESC, {QUEUE} LIMIT ?", agent, limit)

    def _items(self, sql: str, *values: object) -> list[BacklogItem]:
        return [
            BacklogItem(**{**dict(row), "is_suspended": bool(row["is_suspended"])})
            for row in self._db.rows(sql, *values)
        ]
