"""Unresolved conversations on lines of pull requests that an agent's run handles."""

from __future__ import annotations

from collections.abc import Iterable

from forge.conversation import Conversation
from forge.models import Ref
from hive.ledger.database import Database


class Conversations:
    """Conversations by run, each with the head of its pull request when the run got it."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def track(self, run: int, about: Iterable[Conversation], head: str) -> None:
        """Track conversations for a run; a resolved one stays resolved, also if it is reopened."""
        with self._db.transaction() as db:
            db.executemany(
                "INSERT INTO conversations (ref, comment, review, run, head) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (ref, comment) DO UPDATE SET run = excluded.run, head = excluded.head",
                [(str(each.ref), each.id, each.review, run, head) for each in about],
            )

    def unresolved(self, run: int) -> list[tuple[Conversation, str]]:
        """The unresolved conversations of a run, each with the head at that time."""
        rows = self._db.rows("SELECT * FROM conversations WHERE run = ? AND NOT is_resolved ORDER BY comment", run)
        return [(Conversation(Ref.parse(row["ref"]), row["review"], row["comment"]), row["head"]) for row in rows]

    def resolve(self, conversation: Conversation) -> None:
        """It was resolved, or deleted."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE conversations SET is_resolved = 1 WHERE ref = ? AND comment = ?",
                (str(conversation.ref), conversation.id),
            )
