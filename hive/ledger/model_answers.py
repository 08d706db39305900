"""Answers of models about pull requests, kept so that a job that is run again does not pay for them again."""

from __future__ import annotations

from hive.ledger.database import Clock, Database


class ModelAnswers:
    """Answers by a digest of the model and of all that it was asked."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def find(self, digest: str) -> str | None:
        """The answer to a question that was asked before."""
        row = self._db.row("SELECT answer FROM model_answers WHERE digest = ?", digest)
        return None if row is None else str(row["answer"])

    def store(self, digest: str, ref: str, model: str, answer: str) -> None:
        """Store an answer; the first one to a question counts."""
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO model_answers (digest, ref, model, answer, answered_at) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (digest, ref, model, answer, self._clock()),
            )
