"""Effects: deeds owed to a forge or to the hive itself, each under a key that makes it one of its kind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hive.ledger.database import Clock, Database, LeaseLost

LEASE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Effect:
    """One deed. `actor` is the login whose hand does it, `payload` the intent as JSON text, `ref` the subject it is on.

    `depth` is its job's or turn's.
    """

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
    ref: str = ""
    depth: int = 0
    job: int | None = None


class Effects:
    """What is owed, and what became of it."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def enqueue(
        self,
        team: str,
        actor: str,
        kind: str,
        key: str,
        payload: str,
        *,
        job: int | None = None,
        turn: int | None = None,
        ref: str = "",
        depth: int = 0,
    ) -> int:
        """Store a deed; one of a known kind and key is the known one, wanted once more. Returns its id."""
        now = self._clock()
        with self._db.transaction() as db:
            row = db.execute(
                "INSERT INTO effects (team, job, turn, actor, kind, key, payload, ref, depth, state, next_at, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?) ON CONFLICT (key, kind) DO UPDATE"
                " SET depth = max(depth, excluded.depth), turn = coalesce(excluded.turn, turn) RETURNING id",
                (team, job, turn, actor, kind, key, payload, ref, depth, now, now),
            ).fetchone()
        return int(row["id"])

    def claim(self, effect_id: int) -> Effect | None:
        """Take a due deed."""
        now = self._clock()
        with self._db.transaction() as db:
            row = db.execute(
                "UPDATE effects SET state = 'running', lease_until = ?, attempts = attempts + 1 WHERE id = ?"
                " AND next_at <= ? AND (state = 'pending' OR (state = 'running' AND lease_until < ?))"
                " AND NOT EXISTS (SELECT 1 FROM suspended_effects WHERE suspended_effects.id = effects.id) RETURNING *",
                (now + LEASE_SECONDS, effect_id, now, now),
            ).fetchone()
        return None if row is None else _effect(row)

    def finish(
        self, effect: Effect, result: Mapping[str, Any], *, state: str = "done", event_key: str = "", ref: str = ""
    ) -> None:
        """The deed is done, or was superseded. Raises Lost.

        `event_key` is the key of the event that the forge will send, `ref` the subject that was created.
        """
        self._end(effect, state, "", 0.0)
        with self._db.transaction() as db:
            db.execute(
                "UPDATE effects SET result = ?, event_key = ?, ref = ?, done_at = ? WHERE id = ?",
                (json.dumps(result, sort_keys=True), event_key, ref or effect.ref, self._clock(), effect.id),
            )

    def release(self, effect: Effect, error: str, delay: float = 0.0) -> None:
        """The deed could not be tried: it waits, for `delay` seconds at least, and has lost no attempt. Raises Lost."""
        self._end(effect, "pending", error, delay, uncounted=1)

    def retry(self, effect: Effect, error: str, delay: float) -> None:
        """Try again after `delay` seconds. Raises Lost."""
        self._end(effect, "pending", error, delay)

    def fail(self, effect: Effect, error: str) -> None:
        """The deed cannot be done. Raises Lost."""
        self._end(effect, "failed", error, 0.0)

    def _end(self, effect: Effect, state: str, error: str, delay: float, *, uncounted: int = 0) -> None:
        # The number of the attempt is the fence: whoever took the deed since then has a higher one.
        with self._db.transaction() as db:
            cursor = db.execute(
                "UPDATE effects SET state = ?, error = ?, next_at = ?, lease_until = 0, attempts = attempts - ?"
                " WHERE id = ? AND state = 'running' AND attempts = ?",
                (state, error[:500], self._clock() + delay, uncounted, effect.id, effect.attempts),
            )
            if not cursor.rowcount:
                raise LeaseLost(f"effect {effect.id}, attempt {effect.attempts}")

    def due(self, limit: int = 200) -> list[int]:
        """Deeds that somebody should do now, oldest first."""
        now = self._clock()
        found = self._db.rows(
            "SELECT id FROM effects WHERE state IN ('pending', 'running') AND next_at <= ? AND lease_until < ?"
            " AND NOT EXISTS (SELECT 1 FROM suspended_effects WHERE suspended_effects.id = effects.id)"
            " ORDER BY id LIMIT ?",
            *(now, now, limit),
        )
        return [row["id"] for row in found]

    def newest_on(self, ref: str, actor: str) -> tuple[int, int] | None:
        """The last deed of an account on a subject, and how deep it was: what the account's events come from."""
        row = self._db.row(
            "SELECT id, depth FROM effects WHERE ref = ? AND actor = ? AND state IN ('running', 'done')"
            " ORDER BY id DESC LIMIT 1",
            *(ref, actor),
        )
        return None if row is None else (row["id"], row["depth"])

    def last_done(self, effect: Effect) -> Effect | None:
        """The deed of the same kind that the same account did last on the same subject before this one was enqueued."""
        row = self._db.row(
            "SELECT * FROM effects WHERE ref = ? AND actor = ? AND kind = ? AND state = 'done' AND id < ?"
            " ORDER BY id DESC LIMIT 1",
            *(effect.ref, effect.actor, effect.kind, effect.id),
        )
        return None if row is None else _effect(row)

    def count_writes(self, team: str, ref: str, since: float, but: Iterable[str]) -> int:
        """How many deeds were done on a subject after `since`, those of some kinds aside."""
        spared = tuple(but)
        marks = ", ".join("?" * len(spared))
        row = self._db.row(
            f"SELECT count(*) AS n FROM effects WHERE ref = ? AND team = ? AND done_at > ? AND state = 'done'"  # noqa: S608
            f" AND kind NOT IN ({marks})",
            *(ref, team, since, *spared),
        )
        return int(row["n"]) if row else 0

    def state_and_ref(self, key: str, kind: str) -> tuple[str, str]:
        """How a deed stands, and the subject that it is on or has made; empty for one that was never owed."""
        row = self._db.row("SELECT state, ref FROM effects WHERE key = ? AND kind = ?", key, kind)
        return ("", "") if row is None else (row["state"], row["ref"])

    def of_job(self, job: int) -> list[Effect]:
        """The deeds that a look made, in their order."""
        return [_effect(row) for row in self._db.rows("SELECT * FROM effects WHERE job = ? ORDER BY id", job)]

    def states(self, keys: Iterable[str]) -> list[str]:
        """How deeds stand, by their keys, which several kinds may share; empty for one that was never owed."""
        found: list[str] = []
        for key in keys:
            rows = self._db.rows("SELECT state FROM effects WHERE key = ? ORDER BY id", key)
            found += [str(row["state"]) for row in rows] or [""]
        return found

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
        ref=row["ref"],
        depth=row["depth"],
        job=row["job"],
    )
