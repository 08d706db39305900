"""What reviews remember of pull requests: their rounds with all findings, and which of these were dismissed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bots.review_rounds import FindingState, ReadByModel, RememberedFinding, ReviewRound
from hive.codec import Codec
from hive.ledger.database import Clock, Database
from hive.ledger.review_lessons import ReviewLessons

_FINDINGS: Codec[tuple[RememberedFinding, ...]] = Codec(tuple[RememberedFinding, ...])
_READ = Codec(ReadByModel)


@dataclass(frozen=True, slots=True)
class Dismissal:
    """An operator's word that a finding is none, or not to be fixed; it counts for code with this `context`."""

    number: int
    context: str
    rule: str
    path: str
    by: str
    why: str


class ReviewMemory:
    """Rounds and dismissals by pull request."""

    def __init__(self, db: Database, clock: Clock, lessons: ReviewLessons) -> None:
        self._db = db
        self._clock = clock
        self._lessons = lessons

    def store(self, ref: str, done: ReviewRound) -> None:
        """Store a round; the same one again replaces it, and an older one than the newest is not stored."""
        with self._db.transaction() as db:
            newest = db.execute("SELECT max(round) FROM review_rounds WHERE ref = ?", (ref,)).fetchone()[0]
            if newest is not None and newest > done.number:
                return
            db.execute(
                "INSERT OR REPLACE INTO review_rounds"
                " (ref, round, head, base, base_sha, verdict, findings, read, reviewed_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(ref, done.number, done.head_sha, done.base, done.base_sha, done.verdict),
                    *(
                        _FINDINGS.dumps(done.findings),
                        "" if done.read is None else _READ.dumps(done.read),
                        self._clock(),
                    ),
                ),
            )
            db.execute("DELETE FROM closed_reviews WHERE ref = ?", (ref,))
            self._lessons.note(ref, {each.number: each for each in self._with_dismissals(ref, done.findings)})

    def close(self, ref: str) -> None:
        """A reviewed pull request is over; another round opens it again."""
        self._db.rows_changed(
            "INSERT INTO closed_reviews (ref, closed_at) SELECT :ref, :now"
            " WHERE EXISTS (SELECT 1 FROM review_rounds WHERE ref = :ref) ON CONFLICT DO NOTHING",
            {"ref": ref, "now": self._clock()},
        )

    def closed(self) -> dict[str, float]:
        """Reviewed pull requests that are over, and since when."""
        return {row["ref"]: row["closed_at"] for row in self._db.rows("SELECT ref, closed_at FROM closed_reviews")}

    def known(self) -> frozenset[str]:
        """Pull requests of which a round is remembered."""
        return frozenset(row["ref"] for row in self._db.rows("SELECT DISTINCT ref FROM review_rounds"))

    def last(self, ref: str) -> ReviewRound | None:
        """The newest round, with what was dismissed since; None before the first."""
        row = self._db.row("SELECT * FROM review_rounds WHERE ref = ? ORDER BY round DESC LIMIT 1", ref)
        if row is None:
            return None
        said = self._with_dismissals(ref, _FINDINGS.loads(row["findings"]))
        read = _READ.loads(row["read"]) if row["read"] else None
        return ReviewRound(row["round"], row["head"], row["base"], row["base_sha"], row["verdict"], said, read)

    def dismiss(self, ref: str, dismissal: Dismissal) -> None:
        """Store a dismissal; the first one for the same code counts."""
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO dismissals (ref, number, context, rule, path, by_login, why, dismissed_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    *(ref, dismissal.number, dismissal.context, dismissal.rule, dismissal.path),
                    *(dismissal.by, dismissal.why, self._clock()),
                ),
            )
            self._lessons.note_dismissed(ref, dismissal.number, dismissal.by, dismissal.why)

    def _with_dismissals(self, ref: str, findings: tuple[RememberedFinding, ...]) -> tuple[RememberedFinding, ...]:
        dismissed = {(each.number, each.context): each for each in self.dismissals(ref)}
        return tuple(_said(each, dismissed.get((each.number, each.context))) for each in findings)

    def dismissals(self, ref: str) -> list[Dismissal]:
        """The dismissals on a pull request, the oldest first."""
        rows = self._db.rows("SELECT * FROM dismissals WHERE ref = ? ORDER BY id", ref)
        return [
            Dismissal(row["number"], row["context"], row["rule"], row["path"], row["by_login"], row["why"])
            for row in rows
        ]


def _said(each: RememberedFinding, dismissed: Dismissal | None) -> RememberedFinding:
    if dismissed is None or not (each.is_open or each.state is FindingState.DISMISSED):
        return each
    return replace(each, state=FindingState.DISMISSED, by=dismissed.by, why=dismissed.why)
