"""Who did what, where, and when. Rows are only ever added."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hive.ledger.database import Clock, Database


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One act. `who` is a login or a part of the hive, `what` an imperative or an event, `at` unix seconds."""

    id: int
    at: float
    team: str
    who: str
    what: str
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
                "INSERT INTO audit (at, team, who, what, ref, url, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
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
