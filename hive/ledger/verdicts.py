"""Verdicts: what was said last of each pull request under the name of a commit status, of which head and for which base."""

from __future__ import annotations

from bots.intents import SetVerdict
from bots.models import VerdictView
from forge.models import CommitStatus, PullRequest, Ref, State
from hive.ledger.database import Database


class Verdicts:
    """Remembers verdicts; a status on a commit does not say for which pull request it was."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def store(self, verdict: SetVerdict) -> None:
        """Remember what was said last."""
        status = verdict.status
        with self._db.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO verdicts (ref, context, head, base, base_sha, scope, state, description, url)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(str(verdict.ref), status.context, verdict.head_sha, verdict.base, verdict.base_sha),
                    *(verdict.scope, status.state.value, status.description, status.url),
                ),
            )

    def last(self, ref: Ref, context: str) -> VerdictView | None:
        """What was said last of a pull request."""
        row = self._db.row("SELECT * FROM verdicts WHERE ref = ? AND context = ?", str(ref), context)
        return None if row is None else VerdictView(row["head"], row["base"], row["base_sha"], row["scope"])

    def current(self, pull: PullRequest, context: str) -> CommitStatus | None:
        """What was said of a pull request as it stands: of this head, for this base."""
        row = self._db.row(
            "SELECT * FROM verdicts WHERE ref = ? AND context = ? AND head = ? AND base = ?",
            *(str(pull.ref), context, pull.head_sha, pull.base_branch),
        )
        return None if row is None else CommitStatus(context, State(row["state"]), row["description"], row["url"])
