"""Incidents: what is wrong with the hive itself from one time to another, and the crashes of containers."""

from __future__ import annotations

from hive.ledger.database import Clock, Database


class Incidents:
    """What is wrong now, one incident for each subject of a team."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def start(self, team: str, subject: str) -> int | None:
        """Open an incident; returns its number, or None if it is open already."""
        with self._db.transaction() as db:
            cursor = db.execute(
                "INSERT INTO incidents (team, subject, started_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (team, subject, self._clock()),
            )
        return cursor.lastrowid if cursor.rowcount else None

    def current(self, team: str, subject: str) -> tuple[int, float] | None:
        """The number of what is wrong now, and since when."""
        row = self._db.row(
            "SELECT id, started_at FROM incidents WHERE team = ? AND subject = ? AND ended_at IS NULL", team, subject
        )
        return None if row is None else (row["id"], row["started_at"])

    def end(self, number: int) -> None:
        """It is well again."""
        with self._db.transaction() as db:
            db.execute("UPDATE incidents SET ended_at = ? WHERE id = ?", (self._clock(), number))

    def record_crash(self, team: str, agent: str, turn: int = 0) -> None:
        """Record the unexpected end of an agent's container; `turn` is the one that it held, if any."""
        with self._db.transaction() as db:
            row = (team, agent, self._clock(), turn)
            db.execute("INSERT INTO crashes (team, agent, at, turn) VALUES (?, ?, ?, ?)", row)

    def count_crashes(self, agent: str, since: float) -> int:
        """How often an agent's container has crashed since a time; all crashes at turns of one subject are one."""
        row = self._db.row(
            "SELECT count(*) - count(runs.ref) + count(DISTINCT runs.ref) AS n FROM crashes"
            " LEFT JOIN turns ON turns.id = crashes.turn LEFT JOIN runs ON runs.id = turns.run"
            " WHERE crashes.agent = ? AND crashes.at >= ?",
            *(agent, since),
        )
        return int(row["n"]) if row else 0

    def count_crashes_at(self, turn: int, since: float) -> int:
        """How often a container has crashed since a time while it held a turn."""
        row = self._db.row("SELECT count(*) AS n FROM crashes WHERE turn = ? AND at >= ?", turn, since)
        return int(row["n"]) if row else 0

    def clear_crashes(self, agent: str) -> None:
        """Forget an agent's crashes: it starts afresh."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM crashes WHERE agent = ?", (agent,))
