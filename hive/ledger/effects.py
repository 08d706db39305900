"""Effects: actions on a forge or on the ledger itself, one for each kind and key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hive.ledger.database import Clock, Database, StaleLease
from hive.ledger.leases import CLAIMABLE, Leases

LEASE_SECONDS = 60.0

_DUE = f"""
    {CLAIMABLE} AND next_at <= :now
    AND NOT EXISTS (SELECT 1 FROM suspended_effects WHERE suspended_effects.id = effects.id)
"""  # noqa: S608  ours


@dataclass(frozen=True, slots=True)
class Effect:
    """One stored action. `actor` is the login that acts, `payload` the action as JSON, `ref` its subject.

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
    turn: int | None = None


class Effects:
    """The outbox: pending actions and their results."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._leases = Leases(db, clock, "effects", LEASE_SECONDS)

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
        """Store an action, or find the one of its kind and key; returns the effect's id."""
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
        """Claim an effect, if it is due."""
        row = self._leases.claim(f"SELECT id FROM effects WHERE id = :id AND {_DUE}", {"id": effect_id})  # noqa: S608  ours
        return None if row is None else _effect(row)

    def finish(
        self, effect: Effect, result: Mapping[str, Any], *, state: str = "done", event_key: str = "", ref: str = ""
    ) -> None:
        """The effect is done, or was superseded. Raises StaleLease.

        `event_key` is the key of the event that the forge will send, `ref` the subject that was created.
        """
        self._end(
            effect,
            state,
            result=json.dumps(result, sort_keys=True),
            event_key=event_key,
            ref=ref or effect.ref,
            done_at=self._clock(),
        )

    def release(self, effect: Effect, error: str, delay: float = 0.0) -> None:
        """Make it pending again and refund the attempt, after `delay` seconds at least. Raises StaleLease."""
        self._end(effect, "pending", error, delay, refund=True)

    def retry(self, effect: Effect, error: str, delay: float) -> None:
        """Try again after `delay` seconds; the attempt counts. Raises StaleLease."""
        self._end(effect, "pending", error, delay)

    def fail(self, effect: Effect, error: str) -> None:
        """Give up the effect. Raises StaleLease."""
        self._end(effect, "failed", error)

    def _end(
        self, effect: Effect, state: str, error: str = "", delay: float = 0.0, *, refund: bool = False, **columns: Any
    ) -> None:
        columns |= {"error": error[:500], "next_at": self._clock() + delay}
        if not self._leases.end(effect.id, effect.attempts, state, refund=refund, **columns):
            raise StaleLease(f"effect {effect.id}, attempt {effect.attempts}")

    def expire_leases(self) -> None:
        """Expire all leases, when no worker is alive."""
        self._leases.expire()

    def due(self, limit: int = 200) -> list[int]:
        """Effects that can be claimed now, oldest first."""
        values = {"now": self._clock(), "limit": limit}
        found = self._db.rows(f"SELECT id FROM effects WHERE {_DUE} ORDER BY id LIMIT :limit", values)  # noqa: S608  ours
        return [row["id"] for row in found]

    def newest_on(self, ref: str, actor: str) -> tuple[int, int] | None:
        """An account's newest effect on a subject, and its depth: what the account's events come from."""
        row = self._db.row(
            "SELECT id, depth FROM effects WHERE ref = ? AND actor = ? AND state IN ('running', 'done')"
            " ORDER BY id DESC LIMIT 1",
            *(ref, actor),
        )
        return None if row is None else (row["id"], row["depth"])

    def done_before(self, effect: Effect, prefix: str) -> list[Effect]:
        """The done effects of the same kind whose keys begin so and that are older than this one, oldest first."""
        rows = self._db.rows(
            "SELECT * FROM effects WHERE key >= ? AND key < ? AND kind = ? AND state = 'done' AND id < ? ORDER BY id",
            *(prefix, f"{prefix}\U0010ffff", effect.kind, effect.id),
        )
        return [_effect(row) for row in rows]

    def last_done(self, effect: Effect) -> Effect | None:
        """The newest done effect of the same kind, account and subject that is older than this one."""
        row = self._db.row(
            "SELECT * FROM effects WHERE ref = ? AND actor = ? AND kind = ? AND state = 'done' AND id < ?"
            " ORDER BY id DESC LIMIT 1",
            *(effect.ref, effect.actor, effect.kind, effect.id),
        )
        return None if row is None else _effect(row)

    def count_writes(self, team: str, ref: str, since: float, but: Iterable[str]) -> int:
        """How many effects were done on a subject after `since`, except those of some kinds."""
        spared = tuple(but)
        marks = ", ".join("?" * len(spared))
        row = self._db.row(
            f"SELECT count(*) AS n FROM effects WHERE ref = ? AND team = ? AND done_at > ? AND state = 'done'"  # noqa: S608
            f" AND kind NOT IN ({marks})",
            *(ref, team, since, *spared),
        )
        return int(row["n"]) if row else 0

    def state_and_ref(self, key: str, kind: str) -> tuple[str, str]:
        """An effect's state, and the subject that it is on or has created; empty for an unknown one."""
        row = self._db.row("SELECT state, ref FROM effects WHERE key = ? AND kind = ?", key, kind)
        return ("", "") if row is None else (row["state"], row["ref"])

    def of_job(self, job: int) -> list[Effect]:
        """The effects of a job, in their order."""
        return [_effect(row) for row in self._db.rows("SELECT * FROM effects WHERE job = ? ORDER BY id", job)]

    def states(self, keys: Iterable[str]) -> list[str]:
        """The states of effects by their keys, which several kinds may share; empty for an unknown key."""
        found: list[str] = []
        for key in keys:
            rows = self._db.rows("SELECT state FROM effects WHERE key = ? ORDER BY id", key)
            found += [str(row["state"]) for row in rows] or [""]
        return found

    def get(self, effect_id: int) -> Effect:
        """An effect as stored; raises LookupError for an unknown id."""
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
        turn=row["turn"],
    )
