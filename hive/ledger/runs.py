"""Runs of agents: one for each issue that an agent works on, moved by turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from forge.conversation import Conversation
from hive.ledger.questions import CANCELLED
from hive.ledger.turns import LEASE_SECONDS, MAX_ATTEMPTS, Turn, Turns, written

__all__ = ["LEASE_SECONDS", "MAX_ATTEMPTS", "Run", "RunRecord", "Runs", "Turn"]


@dataclass(frozen=True, slots=True)
class Run:
    """An agent's work on one issue."""

    id: int
    team: str
    agent: str
    ref: str
    pull: str | None
    depends_on: str | None
    state: str
    outcome: str
    wake: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run for display: its outcome, those of its turns by id, and what it used."""

    id: int
    agent: str
    ref: str
    pull: str
    state: str
    outcome: str
    steps: int
    tokens_in: int
    tokens_out: int
    turns: Mapping[int, str]


class Runs(Turns):
    """Runs, and how they are moved."""

    def start(
        self,
        team: str,
        agent: str,
        ref: str,
        key: str,
        message: str,
        *,
        again: bool = False,
        effect: int | None = None,
        depth: int = 0,
        request: str = "",
        wake: str = "",
        priority: int = 0,
    ) -> int:
        """Start a run with its first turn, or find the open one of this agent and issue.

        With `again` the open one ends first, unless this very key started it. `wake` is what it was woken by, if not by an
        assignment; runs of a higher `priority` go first.
        """
        now = self._clock()
        with self._db.transaction() as db:
            if again:
                older = "agent = ? AND ref = ? AND state = 'open' AND NOT EXISTS (SELECT 1 FROM runs WHERE key = ?)"
                for row in db.execute(f"SELECT id FROM runs WHERE {older}", (agent, ref, key)).fetchall():  # noqa: S608
                    self.end(row["id"], "begun again")
            if not wake:
                woken = "agent = ? AND ref = ? AND state = 'open' AND wake != ''"
                for row in db.execute(f"SELECT id FROM runs WHERE {woken}", (agent, ref)).fetchall():  # noqa: S608
                    self.end(row["id"], "assigned")
                db.execute(
                    "UPDATE ready_queue SET state = 'claimed', agent = ?, claimed_at = 0 WHERE ref = ?", (agent, ref)
                )
            db.execute(
                "INSERT INTO runs (team, agent, ref, key, effect, wake, priority, state, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, 'open', ?)"
                " ON CONFLICT DO NOTHING",
                (team, agent, ref, key, effect, wake, priority, now),
            )
            row = db.execute(
                "SELECT id, key FROM runs WHERE key = ? OR (agent = ? AND ref = ? AND state = 'open')",
                (key, agent, ref),
            ).fetchone()
            first = key if wake and row["key"] != key else f"start:{row['id']}"  # who is at it hears it too
            self.add_turn(row["id"], first, message, by_person=True, effect=effect, depth=depth, request=request)
        return int(row["id"])

    def add_turn(
        self,
        run: int,
        key: str,
        message: str,
        *,
        by_person: bool,
        effect: int | None = None,
        depth: int = 0,
        memory: str = "",
        answers: Conversation | None = None,
        request: str = "",
    ) -> bool:
        """Give a run one more turn; False if it has it already, or has ended.

        It was caused by an `effect`, in a chain of `depth` machines, and starts with the whole transcript, or
        with a `memory` of `compact` or `new`. It answers in a conversation on a line, if it came from one. `request` is what
        it asks in plain parts, as JSON.
        """
        with self._db.transaction() as db:
            cursor = db.execute(
                "INSERT INTO turns (run, team, agent, key, message, by_person, effect, depth, memory, conversation, request,"
                " state, created_at) SELECT id, team, agent, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ? FROM runs"
                " WHERE id = ? AND state = 'open' ON CONFLICT DO NOTHING",
                (key, message, by_person, effect, depth, memory, written(answers), request, self._clock(), run),
            )
            if cursor.rowcount:
                db.execute("UPDATE runs SET blocked_reason = '' WHERE id = ?", (run,))
        return bool(cursor.rowcount)

    def request(self, turn: Turn) -> str:
        """What a turn is asked for, as JSON; if it says to go on, what the newest turn of its run before it was asked for."""
        row = self._db.row(
            "SELECT request FROM turns WHERE run = ? AND id <= ? AND request != '' ORDER BY id DESC LIMIT 1",
            *(turn.run, turn.id),
        )
        return "" if row is None else str(row["request"])

    def set_priority(self, ref: str, priority: int) -> None:
        """The open runs on an issue go before others from now on, or no more."""
        with self._db.transaction() as db:
            db.execute("UPDATE runs SET priority = ? WHERE ref = ? AND state = 'open'", (priority, ref))

    def set_pull(self, run: int, pull: str) -> None:
        """The run has a pull request."""
        with self._db.transaction() as db:
            db.execute("UPDATE runs SET pull = ? WHERE id = ?", (pull, run))

    def block(self, run: int, reason: str) -> None:
        """The run waits for an operator until it gets a turn."""
        with self._db.transaction() as db:
            db.execute("UPDATE runs SET blocked_reason = ? WHERE id = ? AND state = 'open'", (reason[:300], run))

    def set_dependency(self, run: int, ref: str) -> None:
        """Let a run wait until a pull request on a configuration is deployed."""
        with self._db.transaction() as db:
            db.execute("UPDATE runs SET depends_on = ? WHERE id = ?", (ref, run))

    def last_pull(self, agent: str, ref: str) -> str | None:
        """The newest pull request of an agent's runs on an issue."""
        return self._last("pull", agent, ref)

    def last_proposal(self, agent: str, ref: str) -> str | None:
        """The newest change of its configuration that an agent asked for while it worked on an issue."""
        return self._last("depends_on", agent, ref)

    def _last(self, what: str, agent: str, ref: str) -> str | None:
        where = f"agent = ? AND ref = ? AND {what} IS NOT NULL ORDER BY id DESC LIMIT 1"
        row = self._db.row(f"SELECT {what} AS pull FROM runs WHERE {where}", agent, ref)  # noqa: S608  a name of ours
        return None if row is None else str(row["pull"])

    def dependents(self, ref: str) -> list[int]:
        """Open runs that wait for a pull request."""
        return [row["id"] for row in self._db.rows("SELECT id FROM runs WHERE depends_on = ? AND state = 'open'", ref)]

    def idle_pulls(self) -> list[str]:
        """The pull requests of open runs without an open turn."""
        busy = "SELECT 1 FROM turns WHERE turns.run = runs.id AND turns.state != 'done'"
        where = f"state = 'open' AND pull IS NOT NULL AND NOT EXISTS ({busy})"
        return [row["pull"] for row in self._db.rows(f"SELECT pull FROM runs WHERE {where} ORDER BY id")]  # noqa: S608  ours

    def end(self, run: int, outcome: str) -> None:
        """End a run, its pending turns, and the question that it waits with."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE runs SET state = 'ended', outcome = ?, ended_at = ? WHERE id = ? AND state = 'open'",
                (outcome, self._clock(), run),
            )
            db.execute("UPDATE turns SET state = 'done', token_hash = NULL WHERE run = ? AND state != 'done'", (run,))
            db.execute(
                "UPDATE questions SET state = 'cancelled', answer = ?, settled_at = ? WHERE run = ? AND state = 'open'",
                (CANCELLED, self._clock(), run),
            )

    def ended(self, agent: str, before: float) -> list[int]:
        """The runs of an agent that ended before a time."""
        return [
            row["id"]
            for row in self._db.rows(
                "SELECT id FROM runs WHERE agent = ? AND state = 'ended' AND ended_at < ?", agent, before
            )
        ]

    def record(self, run: int) -> RunRecord | None:
        """A run with what came of its turns."""
        row = self._db.row("SELECT * FROM runs WHERE id = ?", run)
        if row is None:
            return None
        turns = self._db.rows("SELECT id, outcome, state, attempts FROM turns WHERE run = ? ORDER BY id", run)
        told = {turn["id"]: (turn["outcome"] or turn["state"]) + _tries(turn["attempts"]) for turn in turns}
        facts = (row[name] for name in ("id", "agent", "ref", "pull", "state", "outcome", "steps"))
        number, agent, ref, pull, state, outcome, steps = facts
        return RunRecord(
            *(number, agent, ref, pull or "", state, outcome or "", steps, row["tokens_in"], row["tokens_out"], told)
        )

    def newest(self, limit: int) -> list[int]:
        """The newest runs, newest first."""
        return [row["id"] for row in self._db.rows("SELECT id FROM runs ORDER BY id DESC LIMIT ?", limit)]

    def find(self, ref: str) -> Run | None:
        """The newest run whose issue or pull request is `ref`: an open one first, and work before what was asked beside it."""
        order = "state = 'open' DESC, wake = '' DESC, id DESC"
        row = self._db.row(f"SELECT * FROM runs WHERE ref = ? OR pull = ? ORDER BY {order} LIMIT 1", ref, ref)  # noqa: S608
        if row is None:
            return None
        columns = "id", "team", "agent", "ref", "pull", "depends_on", "state", "outcome", "wake", "priority"
        return Run(*(row[name] for name in columns))

    def open_subjects(self, agent: str, most: int) -> list[str]:
        """The issues of an agent's open runs, newest first."""
        found = "SELECT ref FROM runs WHERE agent = ? AND state = 'open' ORDER BY id DESC LIMIT ?"
        return [row["ref"] for row in self._db.rows(found, agent, most)]

    def jobs_of(self, run: int) -> list[int]:
        """The jobs whose effects started or continued a run, in order."""
        rows = self._db.rows(
            "SELECT DISTINCT effects.job AS job FROM effects WHERE effects.job IS NOT NULL AND effects.id IN"
            " (SELECT effect FROM runs WHERE id = ? UNION SELECT effect FROM turns WHERE run = ?) ORDER BY job",
            *(run, run),
        )
        return [row["job"] for row in rows]

    def turn_keys(self, run: int) -> frozenset[str]:
        """The keys of a run's turns."""
        return frozenset(row["key"] for row in self._db.rows("SELECT key FROM turns WHERE run = ?", run))

    def count_bot_turns(self, run: int) -> int:
        """How many of the newest turns in a row no person caused."""
        row = self._db.row(
            "SELECT count(*) AS n FROM turns WHERE run = ? AND id >"
            " (SELECT coalesce(max(id), 0) FROM turns WHERE run = ? AND by_person)",
            *(run, run),
        )
        return int(row["n"]) if row else 0


def _tries(attempts: int) -> str:
    return f", try {attempts}" if attempts > 1 else ""
