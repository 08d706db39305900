"""Status issues: the one issue that shows how an agent stands, and what it was to say last."""

from __future__ import annotations

from dataclasses import dataclass

from hive.ledger.database import Database


@dataclass(frozen=True, slots=True)
class StatusIssue:
    """The issue of an agent: empty `ref` before it is opened. One that a person has deleted `is_gone`, and there is no other."""

    ref: str = ""
    is_gone: bool = False
    shown: str = ""
    changes: int = 0


class StatusIssues:
    """Which issue shows which agent."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, agent: str) -> StatusIssue:
        """The issue of an agent."""
        row = self._db.row("SELECT ref, is_gone, shown, changes FROM status_issues WHERE agent = ?", agent)
        return StatusIssue() if row is None else StatusIssue(row["ref"], bool(row["is_gone"]), *row[2:])

    def to_show(self, agent: str, digest: str) -> int:
        """The issue is going to say something else; returns how often that was so."""
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO status_issues (agent, shown, changes) VALUES (?, ?, 1) ON CONFLICT (agent)"
                " DO UPDATE SET shown = excluded.shown, changes = changes + 1",
                (agent, digest),
            )
        return self.of(agent).changes

    def opened(self, agent: str, ref: str) -> None:
        """An issue shows the agent."""
        with self._db.transaction() as db:
            db.execute("UPDATE status_issues SET ref = ? WHERE agent = ?", (ref, agent))

    def gone(self, agent: str) -> None:
        """Somebody has deleted the issue: there will be no other."""
        with self._db.transaction() as db:
            db.execute("UPDATE status_issues SET is_gone = 1 WHERE agent = ?", (agent,))
