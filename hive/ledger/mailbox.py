"""Messages that join a turn that is being worked on: what people said meanwhile, each once.

Such a message is a pending turn of the same run. It joins when the line of the transcript that holds it is stored, in the
same transaction: a harness that is killed before that leaves it pending, and one that is killed after that has read it.
"""

from __future__ import annotations

from dataclasses import dataclass

from hive.ledger.database import Clock, Database
from hive.ledger.turns import Turn

JOINED = "joined"
"""The outcome of a turn whose message an earlier turn of its run has taken."""

_WAITING = """
    SELECT id, message FROM turns WHERE run = :run AND id > :turn AND state = 'pending' AND by_person AND conversation = ''
        AND NOT EXISTS (SELECT 1 FROM turns AS reset WHERE reset.run = turns.run AND reset.id > :turn AND reset.id <= turns.id
            AND reset.state != 'done' AND reset.memory != '')
    ORDER BY id
"""
"""Not what is answered in a conversation on a line, and nothing from a turn on that starts with less memory."""


class NoSuchMessage(Exception):
    """No such message waits for this turn, or it reads otherwise."""


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """A message for a turn, under the number of its own."""

    turn: int
    text: str


class WaitingMessages:
    """The messages that wait for turns."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def waiting(self, turn: Turn) -> list[WaitingMessage]:
        """What a person said in the run of a turn since that began, oldest first."""
        rows = self._db.rows(_WAITING, {"run": turn.run, "turn": turn.id})
        return [WaitingMessage(row["id"], row["message"]) for row in rows]

    def join(self, turn: Turn, message: WaitingMessage) -> None:
        """Let a message be part of a turn; raises NoSuchMessage. It is the caller's transaction."""
        if message not in self.waiting(turn):
            raise NoSuchMessage(f"no message {message.turn} with these words waits for turn {turn.id}")
        with self._db.transaction() as db:
            db.execute(
                "UPDATE turns SET state = 'done', outcome = ?, ended_at = ? WHERE id = ?",
                (JOINED, self._clock(), message.turn),
            )
