"""The calls that runs made on their brokers, so that each may be made so many times only."""

from __future__ import annotations

from hive.ledger.database import Clock, Database


class BrokerCalls:
    """Counts calls, by run and name. A call has a key: the same one again is the same call."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def count(self, run: int, name: str, key: str, *, most: int) -> bool:
        """Count a call, if it is new; False if the run has made `most` others already."""
        with self._db.transaction() as db:
            made = (
                "SELECT count(*) AS n, coalesce(sum(key = ?), 0) AS known FROM broker_calls WHERE run = ? AND name = ?"
            )
            row = db.execute(made, (key, run, name)).fetchone()
            if row["known"]:
                return True
            if row["n"] >= most:
                return False
            values = (run, name, key, self._clock())
            db.execute("INSERT INTO broker_calls (run, name, key, at) VALUES (?, ?, ?, ?)", values)
        return True

    def forget(self, run: int, name: str, key: str) -> None:
        """A call was malformed, and does not count."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM broker_calls WHERE run = ? AND name = ? AND key = ?", (run, name, key))

    def counts(self, run: int) -> dict[str, int]:
        """How often a run has made each call."""
        rows = self._db.rows(
            "SELECT name, count(*) AS n FROM broker_calls WHERE run = ? GROUP BY name ORDER BY name", run
        )
        return {row["name"]: row["n"] for row in rows}
