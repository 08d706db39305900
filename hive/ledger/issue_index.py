"""The index of issues' texts: which of a repository's issues say the same. SQLite's FTS5, by BM25; each repository apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from sqlite3 import Connection

from bots.issue_terms import SimilarIssue
from hive.ledger.database import Clock, Database

MOST_ISSUES = 10_000
"""Issues of a repository that are kept, the newest."""

MOST_TERMS = 24
"""The terms of an issue that are searched for: its rarest."""

MOST_ROWS = 200
"""How many issues the terms that are searched for may be in together: ranking takes time for each."""

CANDIDATES = 20
"""The best by BM25 that are looked at."""

COMPARED = 8
"""Those of them whose whole text is compared."""

LEAST_SHARED = 2
"""Issues with fewer terms in common are never alike, however short they are."""

TITLE_WEIGHT = 3.0


class IssueIndex:
    """Knows the terms of issues; a term is letters and digits only."""

    def __init__(self, db: Database, clock: Clock, *, most: int = MOST_ISSUES) -> None:
        """`most` is how many issues of a repository are kept."""
        self._db = db
        self._clock = clock
        self._most = most

    def put(self, repo: str, number: int, title: Sequence[str], body: Sequence[str]) -> None:
        """Index an issue, in the place of what was known of it; the oldest beyond the bound are forgotten."""
        repo, mark, now = repo.lower(), _mark(repo), self._clock()
        texts = (_joined(mark, title), _joined(mark, body))
        with self._db.transaction(durable=False) as db:
            known = db.execute(f"{_FIND} AND number = ?", (repo, number)).fetchone()
            if known is not None and (known["title"], known["body"]) == texts:
                return
            is_full = known is None and self._size(repo) >= self._most
            gone = (
                db.execute(_OVER, (repo, self._most - 1)).fetchall()
                if is_full
                else [known]
                if known is not None
                else []
            )
            for row in gone:
                self._forget(db, repo, row["id"], _split(mark, row["title"], row["body"]))
            row = db.execute(_INSERT, (repo, number, *texts, now)).fetchone()
            db.execute("INSERT INTO issue_terms (rowid, title, body) VALUES (?, ?, ?)", (row["id"], *texts))
            db.executemany(
                "INSERT INTO issue_term_counts (repo, term, issues) VALUES (?, ?, 1)"
                " ON CONFLICT (repo, term) DO UPDATE SET issues = issues + 1",
                [(repo, term) for term in {*_split(mark, *texts)}],
            )

    def numbers(self, repo: str) -> set[int]:
        """The issues of a repository that are indexed."""
        return {row["number"] for row in self._db.rows("SELECT number FROM issue_texts WHERE repo = ?", repo.lower())}

    def similar(self, repo: str, number: int, title: Sequence[str], body: Sequence[str]) -> list[SimilarIssue]:
        """The issues of one repository that are most like these terms, best first; never the issue `number` itself."""
        mine, total = _weights(title, body), self._size(repo.lower())
        counts = self._counts(repo.lower(), mine)
        wanted = _searched(mine, counts, total)
        if not wanted:
            return []
        mark = _mark(repo)
        ranked = "SELECT rowid FROM issue_terms WHERE issue_terms MATCH ? ORDER BY bm25(issue_terms, ?, 1.0) LIMIT ?"
        rows = self._db.rows(
            f"SELECT t.number, t.title, t.body FROM ({ranked}) AS best JOIN issue_texts AS t ON t.id = best.rowid"  # noqa: S608  ours
            " WHERE t.repo = ? AND t.number != ?",
            *(" OR ".join(f'"{mark}{term}"' for term in wanted), TITLE_WEIGHT, CANDIDATES, repo.lower(), number),
        )
        found = [(row["number"], _split(mark, row["title"]), _split(mark, row["body"])) for row in rows]
        same = [each for each in found if _numbers(each[1]) == _numbers(title)][:COMPARED]
        others = [(number, _weights(*terms)) for number, *terms in same]
        counts |= self._counts(repo.lower(), {term for _, theirs in others for term in theirs} - set(counts))
        worth = {term: _rarity(total, count) for term, count in counts.items()}
        alike = (SimilarIssue(number, _cosine(mine, theirs, worth, _rarity(total, 0))) for number, theirs in others)
        return sorted(alike, key=lambda each: (-each.score, each.number))

    def _size(self, repo: str) -> int:
        row = self._db.row("SELECT count(*) AS n FROM issue_texts WHERE repo = ?", repo)
        return 0 if row is None else int(row["n"])

    def _counts(self, repo: str, terms: Iterable[str]) -> dict[str, int]:
        """In how many issues of a repository each term is, if it is in any."""
        wanted = tuple(terms)
        holes = ", ".join("?" * len(wanted))
        sql = f"SELECT term, issues FROM issue_term_counts WHERE repo = ? AND term IN ({holes})"  # noqa: S608  holes only
        return {row["term"]: int(row["issues"]) for row in self._db.rows(sql, repo, *wanted)}

    def _forget(self, db: Connection, repo: str, row: int, terms: Iterable[str]) -> None:
        db.execute(_UNINDEX, (row,))  # as it was indexed: FTS5 reads the terms to take out from the statement
        db.execute("DELETE FROM issue_texts WHERE id = ?", (row,))
        gone = [(repo, term) for term in {*terms}]
        db.executemany("UPDATE issue_term_counts SET issues = issues - 1 WHERE repo = ? AND term = ?", gone)
        db.executemany("DELETE FROM issue_term_counts WHERE repo = ? AND term = ? AND issues <= 0", gone)


_FIND = "SELECT id, title, body FROM issue_texts WHERE repo = ?"
_OVER = f"{_FIND} ORDER BY number DESC LIMIT -1 OFFSET ?"
_INSERT = "INSERT INTO issue_texts (repo, number, title, body, indexed_at) VALUES (?, ?, ?, ?, ?) RETURNING id"
_UNINDEX = """
    INSERT INTO issue_terms (issue_terms, rowid, title, body)
    SELECT 'delete', id, title, body FROM issue_texts WHERE id = ?
"""


def _mark(repo: str) -> str:
    """What the terms of a repository begin with."""
    return f"x{sha256(repo.lower().encode()).hexdigest()[:10]}x"


def _joined(mark: str, terms: Iterable[str]) -> str:
    return " ".join(f"{mark}{term}" for term in terms if term.isalnum())


def _split(mark: str, *joined: str) -> list[str]:
    return [term.removeprefix(mark) for part in joined for term in part.split()]


def _weights(title: Iterable[str], body: Iterable[str]) -> dict[str, float]:
    return {
        **{term: 1.0 for term in body if term.isalnum()},
        **{term: TITLE_WEIGHT for term in title if term.isalnum()},
    }


def _numbers(title: Iterable[str]) -> set[str]:
    """What of a title holds a digit: `upgrade to 3.4` is not `upgrade to 3.5`."""
    return {term for term in title if any(map(str.isdigit, term))}


def _searched(mine: Mapping[str, float], counts: Mapping[str, int], total: int) -> list[str]:
    """The terms that tell most, as long as not too many issues have them; one at least."""
    found, rows = list[str](), 0
    for term in sorted(counts, key=lambda term: -mine[term] * _rarity(total, counts[term]))[:MOST_TERMS]:
        rows += counts[term]
        if found and rows > MOST_ROWS:
            break
        found.append(term)
    return found


def _rarity(total: int, count: int) -> float:
    return max(0.0, math.log((total + 1) / (count + 0.5)))


def _cosine(
    mine: Mapping[str, float], theirs: Mapping[str, float], worth: Mapping[str, float], unknown: float
) -> float:
    """The cosine of two weighted lists of terms; `unknown` is what a term is worth that is in no issue."""
    shared = [term for term in mine if term in theirs]
    if len(shared) < LEAST_SHARED:
        return 0.0
    product = sum(mine[term] * theirs[term] * worth.get(term, unknown) ** 2 for term in shared)
    lengths = (
        sum((weight * worth.get(term, unknown)) ** 2 for term, weight in each.items()) for each in (mine, theirs)
    )
    whole = math.sqrt(math.prod(lengths))
    return min(1.0, product / whole) if whole else 0.0
