"""What became of findings, by rule and path, and the suppressions that were proposed because of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bots.review_lessons import FindingFact
from bots.review_rounds import FindingState, RememberedFinding
from hive.ledger.database import Clock, Database


@dataclass(frozen=True, slots=True)
class ProposedSuppression:
    """A proposal: `pull` is its pull request (empty until it is opened), `closed_at` when it was seen to be closed without a merge."""

    id: int
    rule: str
    path: str
    pull: str
    times: int
    closed_at: float | None


class ReviewLessons:
    """Facts of findings, and proposals by repository."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def note(self, ref: str, findings: Mapping[int, RememberedFinding]) -> None:
        """Write down how the findings of a pull request stand, within a transaction of the caller."""
        rows = [(ref, *_row(each), self._clock()) for each in findings.values()]
        with self._db.transaction() as db:
            db.executemany(
                "INSERT INTO review_facts (ref, number, rule, engine, path, level, category, state, by_login, why, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (ref, number) DO UPDATE SET"
                " at = CASE WHEN state = excluded.state THEN at ELSE excluded.at END,"
                " rule = excluded.rule, engine = excluded.engine, path = excluded.path, level = excluded.level,"
                " category = excluded.category, state = excluded.state, by_login = excluded.by_login, why = excluded.why",
                rows,
            )

    def note_dismissed(self, ref: str, number: int, by: str, why: str) -> None:
        """Write down that a finding was dismissed; one that is not known is none."""
        self._db.rows_changed(
            "UPDATE review_facts SET state = :state, by_login = :by, why = :why, at = :now"
            " WHERE ref = :ref AND number = :number AND state != :state",
            {
                "state": FindingState.DISMISSED.value,
                "by": by,
                "why": why,
                "now": self._clock(),
                "ref": ref,
                "number": number,
            },
        )

    def facts(self, repo: str = "", since: float = 0.0) -> list[FindingFact]:
        """What became of findings since a time, the oldest first; of all repositories without one."""
        rows = self._db.rows(
            "SELECT * FROM review_facts WHERE at >= ? AND (? = '' OR substr(ref, 1, length(?) + 1) = ? || '#')"
            " ORDER BY at, ref, number",
            *(since, repo, repo, repo),
        )
        return [
            FindingFact(
                *(row["ref"], row["number"], row["rule"], row["engine"], row["path"], row["level"], row["category"]),
                *(FindingState(row["state"]), row["by_login"], row["why"], row["at"]),
            )
            for row in rows
        ]

    def proposals(self, repo: str) -> list[ProposedSuppression]:
        """All that was proposed for a repository."""
        rows = self._db.rows("SELECT * FROM suppression_proposals WHERE repo = ? ORDER BY id", repo)
        return [
            ProposedSuppression(row["id"], row["rule"], row["path"], row["pull"], row["times"], row["closed_at"])
            for row in rows
        ]

    def propose(self, repo: str, rule: str, path: str) -> int:
        """Write down that a suppression is proposed, for the first time or again; returns how many times that is by now."""
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO suppression_proposals (repo, rule, path, proposed_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (repo, rule, path) DO UPDATE SET"
                " times = times + 1, pull = '', closed_at = NULL, proposed_at = excluded.proposed_at",
                (repo, rule, path, self._clock()),
            )
            row = db.execute(
                "SELECT times FROM suppression_proposals WHERE repo = ? AND rule = ? AND path = ?", (repo, rule, path)
            ).fetchone()
            return int(row[0])

    def opened(self, repo: str, rule: str, path: str, pull: str) -> None:
        """Write down the pull request of a proposal."""
        self._db.rows_changed(
            "UPDATE suppression_proposals SET pull = :pull WHERE repo = :repo AND rule = :rule AND path = :path",
            {"pull": pull, "repo": repo, "rule": rule, "path": path},
        )

    def refused(self, proposal: int) -> None:
        """Write down that people have closed a proposal; the first time counts."""
        self._db.rows_changed(
            "UPDATE suppression_proposals SET closed_at = :now WHERE id = :id AND closed_at IS NULL",
            {"now": self._clock(), "id": proposal},
        )


def _row(each: RememberedFinding) -> tuple[int | str, ...]:
    found = each.finding
    return (
        *(each.number, found.rule, found.engine, found.path, found.effective_level.name.lower()),
        *(found.category.value, each.state.value, each.by, each.why),
    )
