"""What people are shown of a run while it goes on, and which comment shows it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from forge.models import Ref, State
from hive.ledger.database import Clock, Database
from hive.ledger.suspensions import NEVER, SuspensionReason

MAX_ITEMS = 10
"""The most items of an agent's own checklist."""

_FACTS = """
    SELECT runs.id, runs.team, runs.agent, runs.ref, runs.pull, runs.depends_on, runs.blocked_reason, runs.state,
        runs.outcome, runs.steps AS ended_steps, runs.tokens_in, runs.tokens_out, progress.steps, progress.edits,
        progress.commands, progress.items, progress.checks, progress.is_draft, progress.comment, progress.is_deleted,
        progress.shown, progress.shown_at, turns.id AS turn, turns.state AS turn_state,
        coalesce(runs.ended_at, turns.created_at, ended.ended_at, runs.created_at) AS since, ended.outcome AS last,
        (SELECT expires_at FROM questions WHERE questions.run = runs.id AND questions.state = 'open') AS asks_until,
        verdicts.state AS verdict, verdicts.description AS verdict_says, effects.state AS effect_state,
        (SELECT min(id) FROM turns WHERE turns.agent = runs.agent AND turns.state != 'done'
            AND turns.run NOT IN (SELECT id FROM suspended_runs)) AS next_turn,
        suspensions.reason AS suspended, suspensions.detail AS suspended_why, suspensions.next_at AS suspended_until,
        (SELECT reason FROM suspended_runs WHERE suspended_runs.id = runs.id LIMIT 1) AS stranded
    FROM runs LEFT JOIN progress ON progress.run = runs.id
    LEFT JOIN turns ON turns.id = (SELECT min(id) FROM turns WHERE turns.run = runs.id AND turns.state != 'done')
    LEFT JOIN turns AS ended
        ON ended.id = (SELECT max(id) FROM turns WHERE turns.run = runs.id AND turns.state = 'done')
    LEFT JOIN verdicts ON verdicts.ref = runs.pull AND verdicts.context = 'hive/review'
    LEFT JOIN effects ON effects.id = progress.effect
    LEFT JOIN suspensions ON suspensions.rowid = (SELECT rowid FROM suspensions AS s WHERE s.scope IN ('agent', 'account')
        AND s.team = runs.team AND s.name = runs.agent ORDER BY s.since LIMIT 1)
    WHERE {where} ORDER BY runs.id
"""
_TO_SHOW = """
    runs.id IN (SELECT id FROM runs WHERE state = 'open' AND wake = ''
        UNION SELECT run FROM progress WHERE comment != 0 AND NOT is_over AND NOT is_deleted)
    AND NOT coalesce(progress.is_deleted, 0)
"""


@dataclass(frozen=True, slots=True)
class ProgressItem:
    """One item of an agent's own checklist."""

    text: str
    is_done: bool


@dataclass(frozen=True, slots=True)
class RunProgress:
    """A run as people are shown it.

    `last` is the outcome of its newest ended turn, `is_held` whether its agent works on it, `turn` its oldest open turn (0:
    none). `suspended` is why that turn waits, if it is the agent's next one, `why` the same as a sentence, `again_at` when it is
    tried again. `verdict` is that of the review of its pull request. `since` is when this state began.
    """

    id: int
    team: str
    agent: str
    ref: Ref
    is_open: bool
    outcome: str
    last: str
    since: datetime
    pull: Ref | None = None
    waits_for: Ref | None = None
    blocked: str = ""
    asks_until: datetime | None = None
    """Until when it waits for the answer to a question."""

    turn: int = 0
    is_held: bool = False
    suspended: SuspensionReason | None = None
    why: str = ""
    again_at: datetime | None = None
    steps: int = 0
    edits: int = 0
    commands: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    items: tuple[ProgressItem, ...] = ()
    checks: str = ""
    is_draft: bool = False
    verdict: State | None = None
    verdict_says: str = ""


@dataclass(frozen=True, slots=True)
class ShownProgress:
    """What a run's comment says, by digest, since when, and the state of the effect that writes it; `comment` is 0 without one."""

    comment: int = 0
    is_deleted: bool = False
    digest: str = ""
    at: float = 0.0
    is_pending: bool = False


class Progress:
    """Notes what is known of runs, and which comments show it."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def note_steps(self, run: int, *, steps: int, edits: int, commands: int) -> None:
        """The transcript of a run tells of more."""
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO progress (run, steps, edits, commands) VALUES (?, ?, ?, ?) ON CONFLICT (run) DO UPDATE SET"
                " steps = steps + excluded.steps, edits = edits + excluded.edits, commands = commands + excluded.commands",
                (run, steps, edits, commands),
            )

    def note_items(self, run: int, items: Sequence[ProgressItem]) -> None:
        """The agent says where it is, by a checklist of its own."""
        written = json.dumps([[item.text, item.is_done] for item in items[:MAX_ITEMS]], ensure_ascii=False)
        self._set(run, items=written)

    def note_pull(self, run: int, *, checks: str, is_draft: bool) -> None:
        """The agent has pushed; `checks` is what came of the repository's checks, in a few words."""
        self._set(run, checks=checks, is_draft=int(is_draft))

    def enqueued(self, run: int, effect: int, digest: str) -> None:
        """An effect is going to show the run; should it fail, it is not tried again before the run changes."""
        self._set(run, effect=effect, shown=digest, shown_at=self._clock())

    def posted(self, run: int, comment: int, digest: str, *, is_over: bool) -> None:
        """A comment shows the run; `is_over` is whether it says how the run ended."""
        self._set(run, comment=comment, shown=digest, shown_at=self._clock(), is_over=int(is_over))

    def deleted(self, run: int) -> None:
        """Somebody has deleted the comment: there will be no other."""
        self._set(run, is_deleted=1)

    def of(self, run: int) -> tuple[RunProgress, ShownProgress] | None:
        """A run, and what its comment says."""
        return next(iter(self._found("runs.id = ?", run)), None)

    def to_show(self) -> list[tuple[RunProgress, ShownProgress]]:
        """Runs whose comment may have to change: those that are open, and those that ended since it was written."""
        return self._found(_TO_SHOW)

    def _set(self, run: int, **columns: object) -> None:
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        changes = ", ".join(f"{name} = excluded.{name}" for name in columns)
        with self._db.transaction() as db:
            db.execute(
                f"INSERT INTO progress (run, {names}) VALUES (?, {marks}) ON CONFLICT (run) DO UPDATE SET {changes}",  # noqa: S608
                (run, *columns.values()),
            )

    def _found(self, where: str, *values: object) -> list[tuple[RunProgress, ShownProgress]]:
        rows = self._db.rows(_FACTS.format(where=where), *values)
        return [(_progress(row), _shown(row)) for row in rows]


def _progress(row: Any) -> RunProgress:
    is_next = row["turn"] is not None and row["turn"] == row["next_turn"]
    suspended, why, until = row["stranded"], "", NEVER
    if suspended is None and is_next and row["suspended"] is not None:
        suspended, why, until = row["suspended"], row["suspended_why"], row["suspended_until"]
    waits_for = row["depends_on"] if row["last"] == "proposed" else None
    return RunProgress(
        *(row["id"], row["team"], row["agent"], Ref.parse(row["ref"]), row["state"] == "open"),
        *(row["outcome"], row["last"] or "", datetime.fromtimestamp(row["since"], UTC)),
        pull=Ref.parse(row["pull"]) if row["pull"] else None,
        waits_for=Ref.parse(waits_for) if waits_for else None,
        blocked=row["blocked_reason"],
        asks_until=datetime.fromtimestamp(row["asks_until"], UTC) if row["asks_until"] else None,
        turn=row["turn"] or 0,
        is_held=row["turn_state"] == "running",
        suspended=SuspensionReason(suspended) if suspended else None,
        why=why,
        again_at=datetime.fromtimestamp(until, UTC) if until < NEVER else None,
        steps=max(row["steps"] or 0, row["ended_steps"]),
        edits=row["edits"] or 0,
        commands=row["commands"] or 0,
        tokens_in=row["tokens_in"],
        tokens_out=row["tokens_out"],
        items=tuple(ProgressItem(text, is_done) for text, is_done in json.loads(row["items"] or "[]")),
        checks=row["checks"] or "",
        is_draft=bool(row["is_draft"]),
        verdict=State(row["verdict"]) if row["verdict"] else None,
        verdict_says=row["verdict_says"] or "",
    )


def _shown(row: Any) -> ShownProgress:
    return ShownProgress(
        *(row["comment"] or 0, bool(row["is_deleted"]), row["shown"] or "", row["shown_at"] or 0.0),
        is_pending=row["effect_state"] in ("pending", "running"),
    )
