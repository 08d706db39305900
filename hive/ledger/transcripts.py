"""Transcripts: what was said and done in a run, line by line, as its harness reports it.

Lines are numbered from 0 and never change. The host's copy is the only one. A harness that was killed
sends its last line again, or finds it stored.
"""

from __future__ import annotations

import json
from typing import Any

from hive.ledger.compression import compress, decompress
from hive.ledger.database import Clock, Database

MAX_BYTES = 64 << 20
"""What the lines of one run may take, packed."""

MAX_LINES = 50_000


class OutOfSequence(Exception):
    """A line that does not continue the transcript: its sender has another one."""


class TranscriptFull(Exception):
    """The transcript of a run has grown as long as one may."""


class Transcripts:
    """The lines of all runs."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def append(self, run: int, number: int, line: dict[str, Any]) -> bool:
        """Add a line; False if it is there already. Raises Astray for one that is there otherwise or lacks one before it, Full."""
        body = compress(json.dumps(line, ensure_ascii=False).encode())
        with self._db.transaction() as db:
            row = db.execute(
                "SELECT count(*) AS lines, coalesce(sum(length(body)), 0) AS size FROM transcripts WHERE run = ?",
                (run,),
            ).fetchone()
            if number < row["lines"]:
                if self._line(run, number) != line:
                    raise OutOfSequence(f"line {number} of run {run} reads otherwise")
                return False
            if number > row["lines"]:
                raise OutOfSequence(f"run {run} has {row['lines']} lines: line {number} cannot be the next")
            if row["lines"] >= MAX_LINES or row["size"] + len(body) > MAX_BYTES:
                raise TranscriptFull(f"the transcript of run {run} is full")
            db.execute(
                "INSERT INTO transcripts (run, number, body, received_at) VALUES (?, ?, ?, ?)",
                (run, number, body, self._clock()),
            )
        return True

    def of(self, run: int) -> list[dict[str, Any]]:
        """All lines of a run, in their order."""
        rows = self._db.rows("SELECT body FROM transcripts WHERE run = ? ORDER BY number", run)
        return [json.loads(decompress(bytes(row["body"]))) for row in rows]

    def since(self, run: int, number: int) -> list[tuple[float, dict[str, Any]]]:
        """The lines of a run from a number on, each with when it came."""
        rows = self._db.rows(
            "SELECT body, received_at FROM transcripts WHERE run = ? AND number >= ? ORDER BY number", run, number
        )
        return [(row["received_at"], json.loads(decompress(bytes(row["body"])))) for row in rows]

    def delete_before(self, before: float, limit: int = 20) -> int:
        """Drop the transcripts of some runs that ended before a time; returns of how many."""
        with self._db.transaction(durable=False) as db:
            old = "SELECT DISTINCT transcripts.run AS id FROM transcripts JOIN runs ON runs.id = transcripts.run"
            where = " WHERE runs.state = 'ended' AND runs.ended_at < ? LIMIT ?"
            runs = [row["id"] for row in db.execute(old + where, (before, limit)).fetchall()]
            db.executemany("DELETE FROM transcripts WHERE run = ?", [(run,) for run in runs])
        return len(runs)

    def _line(self, run: int, number: int) -> dict[str, Any]:
        row = self._db.row("SELECT body FROM transcripts WHERE run = ? AND number = ?", run, number)
        line: dict[str, Any] = json.loads(decompress(bytes(row["body"]))) if row else {}
        return line
