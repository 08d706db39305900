"""Questions that runs ask people: each is settled once, by an answer, by time, or with its run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hive.ledger.database import Clock, Database

EXPIRED, CANCELLED = "[expired]", "[cancelled]"
"""What stands in the place of an answer when there is none."""


_FOUND = "SELECT questions.*, runs.team, runs.agent FROM questions JOIN runs ON runs.id = questions.run WHERE"


@dataclass(frozen=True, slots=True)
class Question:
    """A question on the thread `ref`; times are unix seconds.

    `addressee` is the id of an account that may answer it beside the operators, 0 without one; `comment` is the one that asks.
    """

    id: int
    team: str
    agent: str
    run: int
    turn: int
    key: str
    ref: str
    question: str
    options: tuple[str, ...]
    addressee: int
    comment: int
    state: str
    answer: str
    answered_by: str
    asked_at: float
    expires_at: float

    @property
    def is_open(self) -> bool:
        """Whether it waits for an answer."""
        return self.state == "open"


class Questions:
    """What was asked, and what came of it."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def ask(
        self,
        run: int,
        turn: int,
        key: str,
        *,
        ref: str,
        question: str,
        options: Sequence[str],
        addressee: int,
        comment: int,
        seconds: float,
    ) -> None:
        """A run has asked, once for each key; nothing happens if the run has ended, or waits for another answer."""
        now = self._clock()
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO questions (run, turn, key, ref, question, options, addressee, comment, state, asked_at,"
                " expires_at) SELECT id, ?, ?, ?, ?, ?, ?, ?, 'open', ?, ? FROM runs WHERE id = ? AND state = 'open'"
                " ON CONFLICT DO NOTHING",
                (turn, key, ref, question, json.dumps(list(options)), addressee, comment, now, now + seconds, run),
            )

    def settle(self, question: int, state: str, answer: str, *, by: str = "") -> bool:
        """Settle an open question; False if it was settled before."""
        with self._db.transaction() as db:
            cursor = db.execute(
                "UPDATE questions SET state = ?, answer = ?, answered_by = ?, settled_at = ? WHERE id = ? AND state = 'open'",
                (state, answer, by, self._clock(), question),
            )
        return bool(cursor.rowcount)

    def open_of(self, run: int) -> Question | None:
        """The question whose answer a run waits for."""
        return self._first("questions.run = ? AND questions.state = 'open'", run)

    def by_key(self, key: str) -> Question | None:
        """A question by its key."""
        return self._first("questions.key = ?", key)

    def of_turn(self, turn: int) -> Question | None:
        """The question that a turn has asked."""
        return self._first("turn = ?", turn)

    def due(self) -> list[Question]:
        """Open questions whose time is over."""
        rows = self._db.rows(f"{_FOUND} questions.state = 'open' AND expires_at <= ?", self._clock())
        return [_question(row) for row in rows]

    def _first(self, where: str, *values: object) -> Question | None:
        row = self._db.row(f"{_FOUND} {where} ORDER BY questions.id DESC LIMIT 1", *values)
        return None if row is None else _question(row)


def _question(row: Any) -> Question:
    return Question(
        *(row["id"], row["team"], row["agent"], row["run"], row["turn"], row["key"], row["ref"], row["question"]),
        *(tuple(json.loads(row["options"])), row["addressee"], row["comment"], row["state"], row["answer"]),
        *(row["answered_by"], row["asked_at"], row["expires_at"]),
    )
