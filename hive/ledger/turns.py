"""Turns of agents: who holds one, by which token, and what becomes of it when the holder is gone.

A turn is one message that the agent has to deal with. An agent takes one turn at a time, and holds it
by a token that dies with it: oldest first, and what did not get on stands behind all that waits by then.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from dataclasses import dataclass

from forge.conversation import Conversation
from forge.models import Ref
from hive.ledger.database import Clock, Database

LEASE_SECONDS = 60.0
MAX_ATTEMPTS = 5
"""A turn that was taken this often without a step forward is given up."""

QUEUE = (
    "CASE turns.state WHEN 'running' THEN turns.lease_until ELSE max(turns.created_at, turns.released_at) END, turns.id"
)
"""The order in which turns are taken; one whose holder died without a word was let go when its lease ended."""

_FIRST_OF_RUN = """
    NOT EXISTS (SELECT 1 FROM turns AS earlier WHERE earlier.run = turns.run AND earlier.id < turns.id
        AND earlier.state != 'done')
"""
_TURN = "SELECT turns.*, runs.ref, runs.pull FROM turns JOIN runs ON runs.id = turns.run"
_AT_HOME = "runs.id NOT IN (SELECT id FROM suspended_runs)"
"""Turns of runs whose repository is where it was."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a run, as taken. `first` says that the run begins with it."""

    id: int
    run: int
    agent: str
    ref: str
    pull: str | None
    message: str
    attempts: int
    token: str = ""
    depth: int = 0
    memory: str = ""
    answers: Conversation | None = None


class Turns:
    """Turns and their tokens."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def claim(self, agent: str) -> Turn | None:
        """The agent's next turn, with a fresh token; None while one is held, none waits, or the agent rests.

        When the time has come to look whether it still has to rest, a turn is how to find out.
        """
        now = self._clock()
        token = secrets.token_urlsafe(32)
        if not self._awake(agent, now):
            return None
        with self._db.transaction() as db:
            row = self._next(agent, now)
            if row is None:
                return None
            db.execute(
                "UPDATE turns SET state = 'running', token_hash = ?, lease_until = ?, attempts = attempts + 1"
                " WHERE id = ?",
                (_hash(token), now + LEASE_SECONDS, row["id"]),
            )
        return Turn(
            *(row["id"], row["run"], agent, row["ref"], row["pull"], row["message"], row["attempts"] + 1, token),
            *(row["depth"], row["memory"], read(row["conversation"])),
        )

    def due_run(self, agent: str) -> int | None:
        """The run whose turn `take` would give out now."""
        now = self._clock()
        row = self._next(agent, now) if self._awake(agent, now) else None
        return None if row is None else int(row["run"])

    def _next(self, agent: str, now: float) -> sqlite3.Row | None:
        if self._db.row(
            "SELECT 1 FROM turns JOIN runs ON runs.id = turns.run WHERE turns.agent = ? AND turns.state = 'running'"
            " AND turns.lease_until >= ? AND runs.state = 'open'",
            *(agent, now),
        ):
            return None
        return self._db.row(
            _TURN + " WHERE turns.agent = ? AND turns.state != 'done' AND runs.state = 'open'"
            f" AND {_AT_HOME} AND {_FIRST_OF_RUN} ORDER BY {QUEUE} LIMIT 1",
            agent,
        )

    def _awake(self, agent: str, now: float) -> bool:
        rows = self._db.rows("SELECT next_at FROM suspensions WHERE scope IN ('agent', 'account') AND name = ?", agent)
        return all(row["next_at"] <= now for row in rows)

    def by_token(self, agent: str, token: str) -> Turn | None:
        """The turn that a token stands for, as long as it is held."""
        row = self._db.row(
            _TURN
            + " WHERE turns.token_hash = ? AND turns.agent = ? AND turns.state = 'running' AND runs.state = 'open'",
            *(_hash(token), agent),
        )
        if row is None:
            return None
        return Turn(
            *(row["id"], row["run"], agent, row["ref"], row["pull"], row["message"], row["attempts"]),
            depth=row["depth"],
            memory=row["memory"],
            answers=read(row["conversation"]),
        )

    def renew(self, turn: Turn) -> None:
        """Renew the lease of a held turn."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE turns SET lease_until = ? WHERE id = ? AND state = 'running'",
                (self._clock() + LEASE_SECONDS, turn.id),
            )

    def current(self, agent: str) -> tuple[int, str] | None:
        """The turn that an agent holds, and the subject of its run."""
        row = self._db.row(_TURN + " WHERE turns.agent = ? AND turns.state = 'running'", agent)
        return None if row is None else (int(row["id"]), str(row["ref"]))

    def exhaust(self, turn: int) -> None:
        """A turn that waits has had its attempts: whoever takes it next gives it up."""
        with self._db.transaction() as db:
            db.execute("UPDATE turns SET attempts = ? WHERE id = ? AND state = 'pending'", (MAX_ATTEMPTS, turn))

    def release(self, agent: str, *, refund: bool = False, first: bool = False) -> None:
        """Give back the turn that an agent holds, if it holds one: behind what is pending, or `first` again.

        The attempt counts, unless it is refunded since it failed through no fault of the turn's own.
        """
        with self._db.transaction() as db:
            db.execute(
                "UPDATE turns SET state = 'pending', lease_until = 0, token_hash = NULL, attempts = attempts - ?,"
                " released_at = max(released_at, ?) WHERE agent = ? AND state = 'running'",
                (refund, 0.0 if first else self._clock(), agent),
            )

    def reset_attempts(self, turn: Turn) -> None:
        """A held turn came a step forward: what broke it off before is no reason any more to give it up."""
        with self._db.transaction() as db:
            db.execute("UPDATE turns SET attempts = 1 WHERE id = ? AND state = 'running'", (turn.id,))

    def pause(self, turn: Turn, *, behind: float = 0.0) -> bool:
        """The turn could not go on: it has lost no attempt, and stands behind what waits at that time, if one is given.

        False if somebody else has it by now.
        """
        with self._db.transaction() as db:
            cursor = db.execute(
                "UPDATE turns SET state = 'pending', lease_until = 0, token_hash = NULL, attempts = attempts - 1,"
                " released_at = max(released_at, ?) WHERE id = ? AND state = 'running' AND attempts = ?",
                (behind, turn.id, turn.attempts),
            )
        return bool(cursor.rowcount)

    def end_turn(self, turn: Turn, outcome: str, *, steps: int = 0) -> None:
        """The turn is dealt with, and its token is worth nothing any more."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE turns SET state = 'done', outcome = ?, token_hash = NULL, ended_at = ? WHERE id = ?",
                (outcome, self._clock(), turn.id),
            )
            db.execute("UPDATE runs SET steps = steps + ? WHERE id = ?", (steps, turn.run))


def written(answers: Conversation | None) -> str:
    """In which conversation a turn answers, as text; empty for the thread of its run."""
    return "" if answers is None else f"{answers.ref} {answers.review} {answers.id}"


def read(answers: str) -> Conversation | None:
    """The same from its text."""
    if not answers:
        return None
    ref, review, remark = answers.rsplit(" ", 2)
    return Conversation(Ref.parse(ref), int(review), int(remark))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
