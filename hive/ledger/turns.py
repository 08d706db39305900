"""Turns of agents: who holds one, by which token, and what becomes of it when the holder is gone.

A turn is one message that the agent has to deal with. An agent takes one turn at a time, and holds it
by a token that dies with it: those of urgent runs first, then oldest first; what did not get on stands behind all that waits by then.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from dataclasses import dataclass, field
from typing import Any

from forge.conversation import Conversation
from forge.models import Ref
from hive.ledger.database import Clock, Database
from hive.ledger.leases import Leases

LEASE_SECONDS = 60.0
MAX_ATTEMPTS = 5
"""A turn that was claimed this often without progress is given up."""

QUEUE = (
    "CASE WHEN turns.released_at = 0 THEN (SELECT priority FROM runs AS own WHERE own.id = turns.run) ELSE 0 END DESC,"
    " CASE turns.state WHEN 'running' THEN turns.lease_until ELSE max(turns.created_at, turns.released_at) END, turns.id"
)
"""The order in which turns are claimed: urgent ones first, unless they were put back; one whose holder died counts from the end of its lease."""

_FIRST_OF_RUN = """
    NOT EXISTS (SELECT 1 FROM turns AS earlier WHERE earlier.run = turns.run AND earlier.id < turns.id
        AND earlier.state != 'done')
"""
_TURN = "SELECT turns.*, runs.ref, runs.pull, runs.wake FROM turns JOIN runs ON runs.id = turns.run"
_END_WOKEN = """
    UPDATE runs SET state = 'ended', outcome = ?, ended_at = ? WHERE id = ? AND wake != '' AND state = 'open'
        AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.run = runs.id AND turns.state != 'done')
        AND NOT EXISTS (SELECT 1 FROM questions WHERE questions.run = runs.id AND questions.state = 'open')
"""
_AT_HOME = "runs.id NOT IN (SELECT id FROM suspended_runs)"
"""Turns of runs whose repository is where it was."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a run, as claimed."""

    id: int
    run: int
    agent: str
    ref: str
    pull: str | None
    message: str
    attempts: int
    token: str = field(default="", repr=False)
    depth: int = 0
    memory: str = ""
    answers: Conversation | None = None
    request: str = ""
    wake: str = ""
    """What its run was woken by; empty for an assignment."""


class Turns:
    """Turns and their tokens."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._leases = Leases(db, clock, "turns", LEASE_SECONDS, fence="token_hash")

    def claim(self, agent: str) -> Turn | None:
        """The agent's next turn, with a fresh token; None while one is held, none is pending, or the agent is suspended.

        When it is time to check again whether the suspension has ended, a turn is the check.
        """
        now, token = self._clock(), secrets.token_urlsafe(32)
        if not self._may_claim(agent, now):
            return None
        with self._db.transaction():
            row = self._next(agent, now)
            if row is None:
                return None
            claimed = self._leases.claim(":id", {"id": row["id"]}, token_hash=_hash(token))
        return None if claimed is None else _turn(row, claimed["attempts"], token)

    def due_run(self, agent: str) -> int | None:
        """The run whose turn `claim` would return now."""
        now = self._clock()
        row = self._next(agent, now) if self._may_claim(agent, now) else None
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

    def _may_claim(self, agent: str, now: float) -> bool:
        rows = self._db.rows("SELECT next_at FROM suspensions WHERE scope IN ('agent', 'account') AND name = ?", agent)
        return all(row["next_at"] <= now for row in rows)

    def by_token(self, agent: str, token: str) -> Turn | None:
        """The turn of a token, as long as its lease holds."""
        row = self._db.row(
            _TURN
            + " WHERE turns.token_hash = ? AND turns.agent = ? AND turns.state = 'running' AND runs.state = 'open'",
            *(_hash(token), agent),
        )
        return None if row is None else _turn(row, row["attempts"], token)

    def renew(self, turn: Turn) -> bool:
        """Renew a turn's lease; False if it has ended."""
        return self._leases.renew(turn.id, _hash(turn.token))

    def current(self, agent: str) -> tuple[int, str] | None:
        """The turn that an agent holds, and the subject of its run."""
        row = self._db.row(_TURN + " WHERE turns.agent = ? AND turns.state = 'running'", agent)
        return None if row is None else (int(row["id"]), str(row["ref"]))

    def exhaust(self, turn: int) -> None:
        """Use up the attempts of a pending turn: its next holder gives it up."""
        with self._db.transaction() as db:
            db.execute("UPDATE turns SET attempts = ? WHERE id = ? AND state = 'pending'", (MAX_ATTEMPTS, turn))

    def release(self, agent: str, *, refund: bool = False, first: bool = False) -> None:
        """Release the turn that an agent holds, if any: behind all pending ones, or `first` again.

        The attempt counts, unless it is refunded because the turn was not at fault.
        """
        with self._db.transaction():
            held = self._db.row("SELECT id, token_hash FROM turns WHERE agent = ? AND state = 'running'", agent)
            if held is not None:
                behind = 0.0 if first else self._clock()
                self._give_back(held["id"], held["token_hash"], refund=refund, behind=behind)

    def reset_attempts(self, turn: Turn) -> None:
        """A turn has made progress: earlier interruptions no longer count."""
        with self._db.transaction() as db:
            db.execute("UPDATE turns SET attempts = 1 WHERE id = ? AND state = 'running'", (turn.id,))

    def pause(self, turn: Turn, *, behind: float = 0.0) -> bool:
        """Release a turn that cannot continue and refund its attempt, `behind` what is pending at a time, if given.

        False if another holder has it by now.
        """
        return self._give_back(turn.id, _hash(turn.token), refund=True, behind=behind)

    def _give_back(self, turn: int, token_hash: str, *, refund: bool, behind: float) -> bool:
        moved: dict[str, Any] = {"released_at": behind} if behind else {}
        return self._leases.end(turn, token_hash, "pending", refund=refund, token_hash=None, **moved)

    def was_blocked_before(self, turn: Turn) -> bool:
        """Whether an earlier turn of its run ended blocked."""
        row = self._db.row(
            "SELECT 1 FROM turns WHERE run = ? AND id < ? AND outcome = 'blocked' LIMIT 1", turn.run, turn.id
        )
        return row is not None

    def end_turn(self, turn: Turn, outcome: str, *, steps: int = 0) -> bool:
        """End a turn, and invalidate its token; False if its lease has ended.

        A run that was woken for one turn ends with it, unless it has asked something or was told more meanwhile.
        """
        ended: dict[str, Any] = {"outcome": outcome, "token_hash": None, "ended_at": self._clock()}
        with self._db.transaction() as db:
            if not self._leases.end(turn.id, _hash(turn.token), "done", **ended):
                return False
            db.execute("UPDATE runs SET steps = steps + ? WHERE id = ?", (steps, turn.run))
            db.execute(_END_WOKEN, (outcome, self._clock(), turn.run))
        return True


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


def _turn(row: sqlite3.Row, attempts: int, token: str) -> Turn:
    return Turn(
        *(row["id"], row["run"], row["agent"], row["ref"], row["pull"], row["message"], attempts, token),
        *(row["depth"], row["memory"], read(row["conversation"]), row["request"], row["wake"]),
    )
