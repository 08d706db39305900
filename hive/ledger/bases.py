"""Bases: what every container of a forge holds, as operators merged it last, and each one that containers were built on."""

from __future__ import annotations

from hive.ledger.database import Clock, Database


class Bases:
    """The texts of bases by digest, and the one of each forge that counts. The empty digest is no base."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def accept(self, forge: str, sha: str, digest: str, content: str) -> bool:
        """Let a base count from now on; False if it is the one that counts already."""
        with self._db.transaction() as db:
            before = self.accepted(forge)
            if digest:
                db.execute(
                    "INSERT INTO bases (digest, content) VALUES (?, ?) ON CONFLICT DO NOTHING", (digest, content)
                )
            db.execute(
                "INSERT INTO accepted_bases (forge, digest, sha, accepted_at) VALUES (?, ?, ?, ?) ON CONFLICT (forge)"
                " DO UPDATE SET digest = excluded.digest, sha = excluded.sha, accepted_at = excluded.accepted_at",
                (forge, digest, sha, self._clock()),
            )
        return digest != before

    def accepted(self, forge: str) -> str:
        """The digest of the base of a forge that counts."""
        row = self._db.row("SELECT digest FROM accepted_bases WHERE forge = ?", forge)
        return "" if row is None else str(row["digest"])

    def content(self, digest: str) -> str | None:
        """The text of a base; None for one that never counted."""
        row = self._db.row("SELECT content FROM bases WHERE digest = ?", digest)
        return None if row is None else str(row["content"])
