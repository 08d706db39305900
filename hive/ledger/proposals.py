"""Proposals: heads of pull requests on configurations and rosters that were evaluated while these were open."""

from __future__ import annotations

from hive.ledger.database import Clock, Database


class Proposals:
    """Pinned heads, each with the trees that were evaluated for it."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def pin(self, ref: str, head: str, tree: str) -> None:
        """Pin a head of an open pull request and the tree that was evaluated for it."""
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO proposals (ref, head, tree, pinned_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (ref, head, tree, self._clock()),
            )

    def of_repository(self, repo: str) -> dict[str, frozenset[str]]:
        """Pinned heads of a repository's pull requests, and the trees evaluated for each."""
        found: dict[str, set[str]] = {}
        prefix = repo + "#"
        for row in self._db.rows("SELECT head, tree FROM proposals WHERE substr(ref, 1, ?) = ?", len(prefix), prefix):
            found.setdefault(row["head"], set()).add(row["tree"])
        return {head: frozenset(trees) for head, trees in found.items()}

    def heads(self, ref: str) -> tuple[str, ...]:
        """The heads of a pull request that were pinned, the oldest first."""
        rows = self._db.rows("SELECT head FROM proposals WHERE ref = ? ORDER BY pinned_at, rowid", ref)
        return tuple(dict.fromkeys(row["head"] for row in rows))
