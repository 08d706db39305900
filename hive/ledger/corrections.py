"""Corrections: what people said an issue is, after the hive had routed it. Examples to learn from."""

from __future__ import annotations

from dataclasses import dataclass

from hive.ledger.database import Clock, Database


@dataclass(frozen=True, slots=True)
class Correction:
    """The newest word on an issue: its label `type/…` and the name of its lane (empty for none), by a login, in unix seconds."""

    team: str
    repo: str
    ref: str
    kind: str
    lane: str
    by: str
    at: float


class Corrections:
    """Remembers them, one for each issue."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def record(self, team: str, ref: str, *, kind: str, lane: str, by: str) -> None:
        """What somebody says of an issue takes the place of what was said before; an empty part leaves that as it was."""
        repo = ref.partition("#")[0]
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO corrections (ref, team, repo, kind, lane, by, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (ref) DO UPDATE SET kind = CASE excluded.kind WHEN '' THEN kind ELSE excluded.kind END,"
                " lane = CASE excluded.lane WHEN '' THEN lane ELSE excluded.lane END, by = excluded.by, at = excluded.at",
                (ref, team, repo, kind, lane, by, self._clock()),
            )

    def of(self, team: str, *, repo: str = "", limit: int = 10_000) -> list[Correction]:
        """Those of a team, or of one repository of it, newest first."""
        rows = self._db.rows(
            "SELECT team, repo, ref, kind, lane, by, at FROM corrections WHERE team = ? AND ? IN ('', repo)"
            " ORDER BY at DESC, ref LIMIT ?",
            *(team, repo, limit),
        )
        return [Correction(**dict(row)) for row in rows]
