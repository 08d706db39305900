"""The state of runs, from which labels are derived, and the labels enqueued last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bots.views import RunStatus
from forge.models import Ref
from hive.ledger.database import Database
from hive.ledger.suspensions import SuspensionReason

_STANDINGS = """
    SELECT runs.id AS id, runs.team AS team, runs.agent AS agent, runs.ref AS ref, runs.pull AS pull, runs.state AS state,
        runs.outcome AS outcome, runs.blocked_reason AS blocked, runs.labels AS labels,
        (SELECT min(id) FROM turns WHERE turns.run = runs.id AND turns.state != 'done') AS turn,
        (SELECT min(id) FROM turns WHERE turns.agent = runs.agent AND turns.state != 'done'
            AND turns.run NOT IN (SELECT id FROM suspended_runs)) AS next_turn,
        (SELECT outcome FROM turns WHERE turns.run = runs.id AND turns.state = 'done' AND turns.outcome != 'joined'
            ORDER BY id DESC LIMIT 1) AS last,
        (SELECT reason FROM suspensions WHERE suspensions.scope IN ('agent', 'account') AND suspensions.team = runs.team AND suspensions.name = runs.agent
            ORDER BY since LIMIT 1) AS suspended,
        (SELECT reason FROM suspended_runs WHERE suspended_runs.id = runs.id LIMIT 1) AS stranded,
        EXISTS (SELECT 1 FROM questions WHERE questions.run = runs.id AND questions.state = 'open') AS asks
    FROM runs WHERE {where} ORDER BY runs.id
"""


_STATUS = """
    SELECT runs.*,
        (SELECT spent FROM spending WHERE scope = 'run' AND name = cast(runs.id AS TEXT) AND period = '') AS cost,
        (SELECT scope FROM budget_stops WHERE budget_stops.run = runs.id AND until = 0) AS over_cap,
        (SELECT detail FROM suspensions WHERE scope = 'repository_turns' AND suspensions.team = runs.team
            AND name = substr(runs.ref, 1, instr(runs.ref, '#') - 1)) AS held_up,
        EXISTS (SELECT 1 FROM questions WHERE questions.run = runs.id AND questions.state = 'open') AS asks,
        turns.id AS turn, turns.state AS turn_state, ended.outcome AS last,
        coalesce(runs.ended_at, turns.created_at, ended.ended_at, runs.created_at) AS since
    FROM runs
    LEFT JOIN turns ON turns.id = (SELECT min(id) FROM turns WHERE turns.run = runs.id AND turns.state != 'done')
    LEFT JOIN turns AS ended
        ON ended.id = (SELECT max(id) FROM turns WHERE turns.run = runs.id AND turns.state = 'done'
            AND turns.outcome != 'joined')
"""

ASKED = "it has asked a question; /answer, or any comment, answers it"
OVER_CAP = "the budget of this {of} is spent; /budget +2 adds to it"


@dataclass(frozen=True, slots=True)
class RunState:
    """The state of a run.

    `blocked` is why it waits for an operator; `last` the outcome of its newest ended turn. `is_busy` is whether a turn
    is open, `suspended` why that turn waits: its repository is lost, or it is the next one of a suspended agent.
    `labels` are those that were enqueued last, None if there were none.
    """

    id: int
    team: str
    agent: str
    ref: str
    pull: str | None
    is_open: bool
    outcome: str
    blocked: str
    last: str
    is_busy: bool
    suspended: SuspensionReason | None
    labels: str | None
    asks: bool = False
    """Whether it waits for the answer to a question."""


class RunStates:
    """Reads how runs stand, and remembers what was shown of it."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, ref: str) -> list[RunState]:
        """All runs of an issue that were assigned, oldest first."""
        return self._found("runs.ref = ? AND runs.wake = ''", ref)

    def open_of(self, agent: str) -> list[RunState]:
        """The open runs of an agent, oldest first."""
        return self._found("runs.agent = ? AND runs.state = 'open'", agent)

    def status(self, ref: str) -> RunStatus | None:
        """The status of the newest run whose issue or pull request is `ref`, or that depends on it."""
        where = "runs.ref = ? OR runs.pull = ? OR runs.depends_on = ? ORDER BY runs.id DESC LIMIT 1"
        row = self._db.row(f"{_STATUS} WHERE {where}", ref, ref, ref)
        return None if row is None else _status(row)

    def open_statuses(self, agent: str) -> list[tuple[str, RunStatus]]:
        """The issue and the status of each open run of an agent, oldest first; others can have theirs on the same issue."""
        rows = self._db.rows(f"{_STATUS} WHERE runs.agent = ? AND runs.state = 'open' ORDER BY runs.id", agent)
        return [(row["ref"], _status(row)) for row in rows]

    def with_labels(self) -> list[RunState]:
        """Runs whose labels may have to change: those that are open, and those that ended with labels."""
        return self._found("runs.wake = '' AND (runs.state = 'open' OR runs.labels IS NOT '')")

    def set_labels(self, run: int, labels: str) -> None:
        """These labels were enqueued for a run, or set; while it is unknown which, they are None."""
        with self._db.transaction() as db:
            db.execute("UPDATE runs SET labels = ? WHERE id = ?", (labels, run))

    def forget_labels(self) -> None:
        """Nothing is known of the labels of open runs: they are enqueued again."""
        with self._db.transaction() as db:
            db.execute("UPDATE runs SET labels = NULL WHERE state = 'open'")

    def _found(self, where: str, *values: object) -> list[RunState]:
        return [_standing(row) for row in self._db.rows(_STANDINGS.format(where=where), *values)]


def _standing(row: Any) -> RunState:
    is_next = row["turn"] is not None and row["turn"] == row["next_turn"]
    suspended = row["stranded"] or (row["suspended"] if is_next else None)
    return RunState(
        id=row["id"],
        team=row["team"],
        agent=row["agent"],
        ref=row["ref"],
        pull=row["pull"],
        is_open=row["state"] == "open",
        outcome=row["outcome"],
        blocked=row["blocked"],
        last=row["last"] or "",
        is_busy=row["turn"] is not None,
        suspended=SuspensionReason(suspended) if suspended else None,
        labels=row["labels"],
        asks=bool(row["asks"]),
    )


def _status(row: Any) -> RunStatus:
    is_stuck = row["last"] in {"blocked", "failed", "no-op"}
    is_over_cap = row["over_cap"] and (is_stuck or row["last"] == "partial")
    over_cap = OVER_CAP.format(of=row["over_cap"]) if is_over_cap else ""
    return RunStatus(
        id=row["id"],
        agent=row["agent"],
        is_open=row["state"] == "open",
        outcome=row["outcome"],
        since=datetime.fromtimestamp(row["since"], UTC),
        turn=row["turn"] or 0,
        is_held=row["turn_state"] == "running",
        pull=Ref.parse(row["pull"]) if row["pull"] else None,
        waits_for=Ref.parse(row["depends_on"]) if row["depends_on"] and row["last"] == "proposed" else None,
        blocked=row["blocked_reason"]
        or (ASKED if row["asks"] else "")
        or over_cap
        or (f"its last turn ended: {row['last']}" if is_stuck else ""),
        tokens_in=row["tokens_in"],
        tokens_out=row["tokens_out"],
        cost=row["cost"] or 0,
        held_up=row["held_up"] or "",
    )
