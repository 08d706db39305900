"""Effects: deeds owed to a forge or to the hive itself, each under a key that makes it one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hive.ledger.database import Clock, Database, Lost

LEASE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Effect:
    """One deed. `actor` is the login whose hand does it, `payload` the intent as JSON text."""

    id: int
    team: str
    actor: str
    kind: str
    key: str
    payload: str
    state: str
    attempts: int
    result: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


class Effects:
    """What is owed, and what became of it."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def owe(self, team: str, actor: str, kind: str, key: str, payload: str, *, job: int | None = None) -> int:
        """Store a deed; one with a known key is the known one. Returns its id."""
        now = self._clock()
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO effects (team, job, actor, kind, key, payload, state, next_at, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?, ?) ON CONFLICT DO NOTHING",
                (team, job, actor, kind, key, payload, now, now),
            )
            row = db.execute("SELECT id FROM effects WHERE key = ?", (key,)).fetchone()
        return int(row["id"])

    def claim(self, effect_id: int) -> Effect | None:
        """Take a due deed."""
        now = self._clock()
        with self._db.transaction() as db:
            row = db.execute(
                "UPDATE effects SET state = 'applying', lease_until = ?, attempts = attempts + 1 WHERE id = ?"
                " AND next_at <= ? AND (state = 'waiting' OR (state = 'applying' AND lease_until < ?))"
                " AND NOT EXISTS (SELECT 1 FROM resting_effects AS resting WHERE resting.id = effects.id) RETURNING *",
                (now + LEASE_SECONDS, effect_id, now, now),
            ).fetchone()
        return None if row is None else _effect(row)

    def finish(self, effect: Effect, result: Mapping[str, Any], *, state: str = "done") -> None:
        """The deed is done, or was dropped because the world has moved on. Raises Lost."""
        self._end(effect, state, "", 0.0)
        with self._db.transaction() as db:
            db.execute("UPDATE effects SET result = ? WHERE id = ?", (json.dumps(result, sort_keys=True), effect.id))

    def rest(self, effect: Effect, error: str, delay: float = 0.0) -> None:
        """The deed could not be tried: it waits, for `delay` seconds at least, and has lost no attempt. Raises Lost."""
        self._end(effect, "waiting", error, delay, uncounted=1)

    def postpone(self, effect: Effect, error: str, delay: float) -> None:
        """Try again after `delay` seconds. Raises Lost."""
        self._end(effect, "waiting", error, delay)

    def fail(self, effect: Effect, error: str) -> None:
        """The deed cannot be done. Raises Lost."""
        self._end(effect, "failed", error, 0.0)

    def _end(self, effect: Effect, state: str, error: str, delay: float, *, uncounted: int = 0) -> None:
        # The number of the attempt is the fence: whoever took the deed since then has a higher one.
        with self._db.transaction() as db:
            cursor = db.execute(
                "UPDATE effects SET state = ?, error = ?, next_at = ?, lease_until = 0, attempts = attempts - ?"
                " WHERE id = ? AND state = 'applying' AND attempts = ?",
                (state, error[:500], self._clock() + delay, uncounted, effect.id, effect.attempts),
            )
            if not cursor.rowcount:
                raise Lost(f"effect {effect.id}, attempt {effect.attempts}")

    def due(self, limit: int = 200) -> list[int]:
        """Deeds that somebody should do now, oldest first."""
        now = self._clock()
        found = self._db.rows(
            "SELECT id FROM effects WHERE state IN ('waiting', 'applying') AND next_at <= ? AND lease_until < ?"
            " AND NOT EXISTS (SELECT 1 FROM resting_effects AS resting WHERE resting.id = effects.id)"
            " ORDER BY id LIMIT ?",
            *(now, now, limit),
        )
        return [row["id"] for row in found]

    def states(self, keys: Iterable[str]) -> list[str]:
        """How deeds stand, by their keys; empty for one that was never owed."""
        found = (self._db.row("SELECT state FROM effects WHERE key = ?", key) for key in keys)
        return ["" if row is None else str(row["state"]) for row in found]

    def get(self, effect_id: int) -> Effect:
        """A deed as it stands; raises LookupError for an unknown id."""
        row = self._db.row("SELECT * FROM effects WHERE id = ?", effect_id)
        if row is None:
            raise LookupError(f"no effect {effect_id}")
        return _effect(row)


def _effect(row: Any) -> Effect:
    return Effect(
        id=row["id"],
        team=row["team"],
        actor=row["actor"],
        kind=row["kind"],
        key=row["key"],
        payload=row["payload"],
        state=row["state"],
        attempts=row["attempts"],
        result=json.loads(row["result"]),
        error=row["error"],
    )
