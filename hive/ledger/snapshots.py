"""Changes found on a forge, each once, and snapshots of repositories and subjects."""

from __future__ import annotations

from datetime import datetime

from forge.models import User
from forge.poll_changes import Change, ChangeKind
from hive.ledger.database import Database


class Snapshots:
    """The memory of polling; the snapshots are JSON whose shape the poller knows."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add_change(self, forge: str, change: Change, *, team: str = "") -> bool:
        """Write a change down; False if it is known."""
        who = change.actor
        with self._db.transaction() as db:
            done = db.execute(
                "INSERT INTO changes (key, forge, repo_id, kind, place, what, actor_id, actor, at, team)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    *(change.key, forge, change.repo_id, change.kind.value, change.place, change.what),
                    *(who.id, who.login, change.at.isoformat(), team),
                ),
            )
        return bool(done.rowcount)

    def changes_after(self, row_id: int, limit: int = 1000) -> list[tuple[int, Change]]:
        """Changes above a row, in the order in which they were found."""
        found = self._db.rows("SELECT * FROM changes WHERE id > ? ORDER BY id LIMIT ?", row_id, limit)
        return [
            (
                row["id"],
                Change(
                    key=row["key"],
                    kind=ChangeKind(row["kind"]),
                    repo_id=row["repo_id"],
                    place=row["place"],
                    actor=User(row["actor_id"], row["actor"]),
                    at=datetime.fromisoformat(row["at"]),
                    what=row["what"],
                ),
            )
            for row in found
        ]

    def repositories(self, forge: str, owner: str) -> dict[int, str]:
        """The repositories that are remembered below an owner, by id."""
        found = self._db.rows(
            "SELECT repo_id, value FROM repository_snapshots WHERE forge = ? AND owner = ?", forge, owner
        )
        return {row["repo_id"]: row["value"] for row in found}

    def save_repository(self, forge: str, owner: str, repo_id: int, value: str, *, team: str = "") -> None:
        """Save the snapshot of a repository."""
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO repository_snapshots (forge, repo_id, owner, value, team) VALUES (?, ?, ?, ?, ?) ON CONFLICT"
                " (forge, repo_id) DO UPDATE SET owner = excluded.owner, value = excluded.value, team = excluded.team",
                (forge, repo_id, owner, value, team),
            )

    def delete_repository(self, forge: str, repo_id: int) -> None:
        """Forget a repository and all that is in it."""
        with self._db.transaction() as db:
            for table in ("repository_snapshots", "subject_snapshots"):
                db.execute(f"DELETE FROM {table} WHERE forge = ? AND repo_id = ?", (forge, repo_id))  # noqa: S608  ours

    def subjects(self, forge: str, repo_id: int) -> dict[int, str]:
        """The subjects that are remembered in a repository, by number."""
        found = self._db.rows(
            "SELECT number, value FROM subject_snapshots WHERE forge = ? AND repo_id = ?", forge, repo_id
        )
        return {row["number"]: row["value"] for row in found}

    def subject(self, forge: str, repo_id: int, number: int) -> str | None:
        """The last snapshot of a subject; None without one."""
        row = self._db.row(
            "SELECT value FROM subject_snapshots WHERE forge = ? AND repo_id = ? AND number = ?", forge, repo_id, number
        )
        return None if row is None else str(row["value"])

    def save_subject(self, forge: str, place: tuple[int, int], value: str, was: str | None, *, team: str = "") -> bool:
        """Save the snapshot of a subject (repository's id, number); False if the stored one is not `was`."""
        with self._db.transaction() as db:
            if self.subject(forge, *place) != was:
                return False
            db.execute(
                "INSERT INTO subject_snapshots (forge, repo_id, number, value, team) VALUES (?, ?, ?, ?, ?) ON CONFLICT"
                " (forge, repo_id, number) DO UPDATE SET value = excluded.value, team = excluded.team",
                (forge, *place, value, team),
            )
        return True

    def delete_subject(self, forge: str, repo_id: int, number: int) -> None:
        """Forget a subject."""
        with self._db.transaction() as db:
            db.execute(
                "DELETE FROM subject_snapshots WHERE forge = ? AND repo_id = ? AND number = ?", (forge, repo_id, number)
            )
