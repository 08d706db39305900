"""Who did what, where, and when. Rows are only ever added."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hive.ledger.database import Clock, Database


class Act(StrEnum):
    """What the hive itself records; a forge's events and the hive's effects are recorded by their wire names."""

    AGENT_DESTROYED = "agent_destroyed"
    AGENT_PURGED = "agent_purged"
    AGENT_RESUMED = "agent_resumed"
    AGENT_STARTED = "agent_started"
    AGENT_STOPPED = "agent_stopped"
    AGENT_SUSPENDED = "agent_suspended"
    BACKUP_MADE = "backup_made"
    BACKUP_RESTORED = "backup_restored"
    BASE_FOLLOWED = "base_followed"
    BOTS_CAN_MERGE = "bots_can_merge"
    BUDGET_WARNING = "budget_warning"
    CALL_MADE = "call_made"
    CASCADE_ENDED = "cascade_ended"
    CHANGES_FOUND = "changes_found"
    COMMIT_ADOPTED = "commit_adopted"
    COMMIT_REJECTED = "commit_rejected"
    CONTAINER_CRASHED = "container_crashed"
    CONTAINER_NOT_STARTED = "container_not_started"
    CONTAINER_REBUILT = "container_rebuilt"
    CRASH_LOOP = "crash_loop"
    DELIVERY_IGNORED = "delivery_ignored"
    DELIVERY_UNREADABLE = "delivery_unreadable"
    DEPLOYED = "deployed"
    DEPLOYMENT_FAILED = "deployment_failed"
    EFFECT_FAILED = "effect_failed"
    EFFECT_SUPERSEDED = "effect_superseded"
    FORGE_RECOVERED = "forge_recovered"
    FORGE_UNAVAILABLE = "forge_unavailable"
    GARBAGE_COLLECTED = "garbage_collected"
    JOB_FAILED = "job_failed"
    MERGES_REFUSED = "merges_refused"
    MODEL_UNREACHABLE = "model_unreachable"
    PUSH_PASSED = "push_passed"
    RECONCILE_FAILED = "reconcile_failed"
    REPOSITORY_FOUND = "repository_found"
    REPOSITORY_LOST = "repository_lost"
    REPOSITORY_MOVED = "repository_moved"
    REPOSITORY_RENAMED = "repository_renamed"
    REQUEST_REJECTED = "request_rejected"
    ROSTER_FAILED = "roster_failed"
    ROSTER_FOLLOWED = "roster_followed"
    SECRET_BLOCKED = "secret_blocked"  # noqa: S105  an act
    SUBJECT_RESUMED = "subject_resumed"
    SUBJECT_SUSPENDED = "subject_suspended"
    TOKENS_ESTIMATED = "tokens_estimated"
    TOKEN_RECOVERED = "token_recovered"  # noqa: S105  an act
    TOKEN_REJECTED = "token_rejected"  # noqa: S105  an act
    TURN_ABANDONED = "turn_abandoned"
    TURN_ENDED = "turn_ended"
    TURN_STARTED = "turn_started"


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One act. `actor` is a login or a part of the hive, `action` an `Act` or a wire name, `at` unix seconds."""

    id: int
    at: float
    team: str
    actor: str
    action: str
    ref: str
    url: str
    detail: Mapping[str, Any] = field(default_factory=dict)


class Audit:
    """The record of acts."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def add(self, who: str, what: str, *, team: str = "", ref: str = "", url: str = "", **detail: Any) -> None:
        """Record an act, in the transaction that the thread is in, if any."""
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO audit (at, team, actor, action, ref, url, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (self._clock(), team, who, what, ref, url, json.dumps(detail, sort_keys=True, default=str)),
            )

    def last(self) -> int:
        """The newest row, 0 without one."""
        row = self._db.row("SELECT max(id) AS newest FROM audit")
        return 0 if row is None else row["newest"] or 0

    def after(self, row_id: int, limit: int = 500) -> list[AuditRow]:
        """Rows above `row_id`, oldest first."""
        found = self._db.rows("SELECT * FROM audit WHERE id > ? ORDER BY id LIMIT ?", row_id, limit)
        return [AuditRow(**{**dict(row), "detail": json.loads(row["detail"])}) for row in found]
