"""Cascades: rebuilds of all containers of a forge on another base, one after another, and how far each of them is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hive.ledger.database import Clock, Database
from hive.ledger.deployments import FAILED, FINAL, Baseline, Deployment, DeploymentState, insert_deployment

DELETED = -1
"""The comment of a cascade whose comment a person has deleted."""


class StepState(StrEnum):
    """How far a container of a cascade is, as stored; beyond `STARTED` its deployment says it."""

    QUEUED = "queued"
    RELEASED = "released"
    """Queued, and no freeze window holds it: an operator does not wait for the end of one."""

    STARTED = "started"
    JOINED = "joined"
    UNNEEDED = "unneeded"
    GONE = "gone"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class CascadeStep:
    """One container of a cascade. `why` is what it waits for, or what is wrong; times are unix seconds, 0 for not yet."""

    agent: str
    state: StepState
    why: str = ""
    deployment: DeploymentState | None = None
    """How far its own deployment is, or the one of a commit that brings the base along; None before it began."""

    started_at: float = 0.0
    ended_at: float = 0.0
    attempt: int = 0
    """The id of that deployment."""

    @property
    def is_queued(self) -> bool:
        """Whether it has not begun."""
        return self.state in (StepState.QUEUED, StepState.RELEASED)

    @property
    def is_under_way(self) -> bool:
        """Whether its container is about to be another one."""
        return self.state is StepState.STARTED and self.deployment is not None and self.deployment not in FINAL

    @property
    def has_failed(self) -> bool:
        """Whether it is over, and the container is on the base that it had."""
        return self.deployment in FAILED and self.state in (StepState.STARTED, StepState.JOINED)


@dataclass(frozen=True, slots=True)
class Cascade:
    """One cascade: to which base, by which commit of `hive/meta` and merged pull requests. `is_planned` is whether it has its steps."""

    id: int
    forge: str
    team: str
    base: str
    sha: str
    pulls: tuple[int, ...]
    is_planned: bool
    comment: int
    shown: str
    shown_at: float
    shows: int
    created_at: float
    ended_at: float | None

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is left to do."""
        return self.ended_at is not None


class Cascades:
    """What is to be rebuilt, in which order, and what came of it."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def begin(self, forge: str, *, team: str, base: str, sha: str, pulls: tuple[int, ...]) -> Cascade:
        """Open a cascade; what an earlier one of the forge has not begun is left to it."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE cascade_steps SET state = 'superseded' WHERE state IN ('queued', 'released') AND cascade IN"
                " (SELECT id FROM cascades WHERE forge = ? AND ended_at IS NULL)",
                (forge,),
            )
            db.execute("UPDATE cascades SET ended_at = ? WHERE forge = ? AND ended_at IS NULL", (self._clock(), forge))
            done = db.execute(
                "INSERT INTO cascades (forge, team, base, sha, pulls, created_at) VALUES (?, ?, ?, ?, ?, ?)",
                (forge, team, base, sha, json.dumps(pulls), self._clock()),
            )
            found = self.get(done.lastrowid or 0)
        assert found is not None
        return found

    def open(self) -> list[Cascade]:
        """The cascades that are not over, one of a forge at the most."""
        return [_cascade(row) for row in self._db.rows("SELECT * FROM cascades WHERE ended_at IS NULL ORDER BY id")]

    def get(self, number: int) -> Cascade | None:
        """A cascade; None for one that there is not."""
        row = self._db.row("SELECT * FROM cascades WHERE id = ?", number)
        return None if row is None else _cascade(row)

    def newest(self, forge: str) -> Cascade | None:
        """The newest cascade of a forge, open or over."""
        row = self._db.row("SELECT * FROM cascades WHERE forge = ? ORDER BY id DESC LIMIT 1", forge)
        return None if row is None else _cascade(row)

    def counting(self, forge: str) -> Cascade | None:
        """The newest cascade of a forge, if its base is the one that counts."""
        newest = self.newest(forge)
        row = self._db.row("SELECT digest FROM accepted_bases WHERE forge = ?", forge)
        return newest if newest is not None and row is not None and row["digest"] == newest.base else None

    def plan(self, cascade: Cascade, agents: Iterable[str]) -> None:
        """Queue containers in their order."""
        with self._db.transaction() as db:
            rows = [(cascade.id, agent, position) for position, agent in enumerate(agents)]
            db.executemany("INSERT INTO cascade_steps (cascade, agent, position) VALUES (?, ?, ?)", rows)
            db.execute("UPDATE cascades SET is_planned = 1 WHERE id = ?", (cascade.id,))

    def steps(self, cascade: int) -> list[CascadeStep]:
        """The containers of a cascade in their order."""
        rows = self._db.rows(
            "SELECT steps.agent, steps.state, steps.why, steps.deployment AS attempt, deployments.state AS deployment, deployments.reason,"
            " deployments.created_at, deployments.ended_at FROM cascade_steps AS steps"
            " LEFT JOIN deployments ON deployments.id = steps.deployment WHERE steps.cascade = ? ORDER BY steps.position",
            cascade,
        )
        return [_step(row) for row in rows]

    def mark(self, cascade: Cascade, agent: str, state: StepState, *, why: str = "", deployment: int = 0) -> None:
        """Write down how far a container is."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE cascade_steps SET state = ?, why = ?, deployment = ? WHERE cascade = ? AND agent = ?",
                (state, why[:300], deployment, cascade.id, agent),
            )

    def start(self, cascade: Cascade, baseline: Baseline) -> None:
        """Open a deployment of what an agent runs on the base of a cascade; it waits for nothing, since the cascade did."""
        facts = {"sha": baseline.running_sha, "pulls": "[]", "cursor": baseline.cursor, "created_at": self._clock()}
        facts |= {"base": cascade.base, "cascade": cascade.id}
        with self._db.transaction():
            opened = insert_deployment(self._db, baseline, DeploymentState.BUILD, **facts)
            self.mark(cascade, baseline.agent, StepState.STARTED, deployment=opened)

    def join(self, cascade: Cascade, agent: str, deployment: Deployment, why: str) -> None:
        """Let a deployment that waits bring the base along when it begins."""
        with self._db.transaction() as db:
            db.execute("UPDATE deployments SET base = ? WHERE id = ?", (cascade.base, deployment.id))
            self.mark(cascade, agent, StepState.JOINED, why=why, deployment=deployment.id)

    def again(self, cascade: Cascade, agent: str, *, at_once: bool = False) -> bool:
        """Queue a container once more, and open its cascade if that is over; False if it is not among them.

        `at_once` waits for no freeze window.
        """
        state = StepState.RELEASED if at_once else StepState.QUEUED
        with self._db.transaction() as db:
            done = db.execute(
                "UPDATE cascade_steps SET state = ?, why = '', deployment = 0 WHERE cascade = ? AND agent = ?",
                (state, cascade.id, agent),
            )
            if done.rowcount:
                db.execute("UPDATE cascades SET ended_at = NULL WHERE id = ?", (cascade.id,))
        return bool(done.rowcount)

    def retry(self, cascade: Cascade) -> list[str]:
        """Queue the containers that could not be rebuilt once more; returns whose they are."""
        with self._db.transaction():
            failed = [step.agent for step in self.steps(cascade.id) if step.has_failed]
            return [agent for agent in failed if self.again(cascade, agent)]

    def release(self, cascade: Cascade) -> bool:
        """Let what is queued wait for no freeze window; False if none of it did."""
        with self._db.transaction() as db:
            done = db.execute(
                "UPDATE cascade_steps SET state = 'released', why = '' WHERE cascade = ? AND state = 'queued'",
                (cascade.id,),
            )
        return done.rowcount > 0

    def end(self, cascade: Cascade) -> None:
        """Nothing of a cascade is left to do."""
        with self._db.transaction() as db:
            db.execute("UPDATE cascades SET ended_at = ? WHERE id = ?", (self._clock(), cascade.id))

    def to_show(self, cascade: Cascade, digest: str) -> int:
        """Its comment is going to say something else; returns how often that was so."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE cascades SET shown = ?, shown_at = ?, shows = shows + 1 WHERE id = ?",
                (digest, self._clock(), cascade.id),
            )
        return cascade.shows + 1

    def posted(self, number: int, comment: int) -> None:
        """A comment shows a cascade; `DELETED` if a person has deleted it."""
        with self._db.transaction() as db:
            db.execute("UPDATE cascades SET comment = ? WHERE id = ?", (comment, number))


def _cascade(row: Any) -> Cascade:
    fields = {**dict(row), "pulls": tuple(json.loads(row["pulls"])), "is_planned": bool(row["is_planned"])}
    return Cascade(**fields)


def _step(row: Any) -> CascadeStep:
    state = StepState(row["state"])
    deployment = DeploymentState(row["deployment"]) if row["deployment"] else None
    why = row["why"] or (row["reason"] or "" if state not in (StepState.QUEUED, StepState.RELEASED) else "")
    times = (row["created_at"] or 0.0, row["ended_at"] or 0.0)
    return CascadeStep(row["agent"], state, why, deployment, *times, row["attempt"])
