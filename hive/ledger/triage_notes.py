"""Triage notes: what the one comment of triage on each issue says."""

from __future__ import annotations

import json

from bots.issue_terms import TriageNote
from hive.ledger.database import Clock, Database

MOST_CHANGES = 20
"""Edits of one comment: who edits an issue again and again makes the hive write no more."""

GONE = -1
"""In the place of the id of a comment that a person has deleted."""


class TriageNotes:
    """Which comment is whose, and what it says."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def of(self, ref: str) -> TriageNote | None:
        """What was said on an issue; None if nothing."""
        row = self._db.row("SELECT comment, head, asked, body, changes FROM triage_notes WHERE ref = ?", ref)
        if row is None:
            return None
        is_settled = row["comment"] == GONE or row["changes"] >= MOST_CHANGES
        return TriageNote(row["head"], tuple(json.loads(row["asked"])), row["body"], settled=is_settled)

    def comment(self, ref: str) -> tuple[int, float]:
        """The id of the comment on an issue, 0 if there is none, and of when the issue it is about."""
        row = self._db.row("SELECT comment, as_of FROM triage_notes WHERE ref = ?", ref)
        return (0, 0.0) if row is None else (int(row["comment"]), float(row["as_of"]))

    def said(self, ref: str, comment: int, note: TriageNote, as_of: float) -> None:
        """A comment says this now; `GONE` for one that people have deleted."""
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO triage_notes (ref, comment, head, asked, body, as_of, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (ref) DO UPDATE SET comment = excluded.comment, head = excluded.head, asked = excluded.asked,"
                " body = excluded.body, as_of = excluded.as_of, changes = changes + 1, changed_at = excluded.changed_at",
                (ref, comment, note.head, json.dumps(note.asked), note.body, as_of, self._clock()),
            )
