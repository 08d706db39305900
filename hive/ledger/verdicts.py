"""The last verdict on each pull request, by the name of its commit status."""

from __future__ import annotations

from bots.intents import SetVerdict
from bots.views import VerdictView
from forge.models import CommitStatus, PullRequest, Ref, State
from hive.ledger.database import Database


class Verdicts:
    """Stores verdicts, since a commit status does not say for which pull request it is."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def store(self, verdict: SetVerdict) -> None:
        """Store a verdict."""
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
        """The last verdict on a pull request."""
        row = self._db.row("SELECT * FROM verdicts WHERE ref = ? AND context = ?", str(ref), context)
        return None if row is None else VerdictView(row["head"], row["base"], row["base_sha"], row["scope"])

    def current(self, pull: PullRequest, context: str) -> CommitStatus | None:
        """The verdict on a pull request's head for its base; None if it is of another head or base."""
        row = self._db.row(
            "SELECT * FROM verdicts WHERE ref = ? AND context = ? AND head = ? AND base = ?",
            *(str(pull.ref), context, pull.head_sha, pull.base_branch),
        )
        return None if row is None else CommitStatus(context, State(row["state"]), row["description"], row["url"])
