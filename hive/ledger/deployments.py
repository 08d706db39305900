"""Deployments: the approved commit of each agent, and each attempt to deploy another."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from enum import StrEnum

from forge.models import Branch, Repo, Repository
from hive.ledger.database import Clock, Database
from hive.ledger.generation import Generation


class DeploymentState(StrEnum):
    """How far a deployment is, as stored."""

    VERIFIED = "verified"
    BUILD = "build"
    SWITCH = "switch"
    ACTIVATE = "activate"
    PROBE = "probe"
    ROLLING_BACK = "rolling_back"
    DEPLOYED = "deployed"
    REJECTED = "rejected"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    SUPERSEDED = "superseded"


APPLIED = frozenset({DeploymentState.DEPLOYED, DeploymentState.FAILED, DeploymentState.ROLLED_BACK})
"""States that settle which commit was accepted last."""

FAILED = frozenset({DeploymentState.FAILED, DeploymentState.ROLLED_BACK})
"""States of a deployment whose commit does not run."""

FINAL = APPLIED | {DeploymentState.REJECTED, DeploymentState.SUPERSEDED}


@dataclass(frozen=True, slots=True)
class Baseline:
    """An agent's baseline: `sha` was approved last, when the repository's newest activity was `cursor`.

    `running_sha` is the commit whose container is meant to run (empty before the first), `rejected_sha` one that is not tried again. `model` is
    the one that an operator chose for now, and a restart is due while `restart_requested_at` is later than `restarted_at`.
    `running_base` is the digest of the base of that container, and `healthy_sha` names the artifact that answered last.
    """

    agent: str
    team: str
    repo: str
    repo_id: int
    branch: str
    sha: str
    cursor: int
    running_sha: str
    healthy_sha: str
    rejected_sha: str
    check_requested_at: float
    checked_at: float
    model: str = ""
    restart_requested_at: float = 0.0
    restarted_at: float = 0.0
    running_base: str = ""

    @property
    def generation(self) -> Generation:
        """What the container is meant to run from; empty before the first."""
        return Generation(self.running_sha, self.running_base)


@dataclass(frozen=True, slots=True)
class Deployment:
    """One attempt to bring one commit into one container; `pulls` are numbers of merged pull requests.

    With a `cascade` it is the commit that runs, on another `base`.
    """

    id: int
    team: str
    agent: str
    sha: str
    pulls: tuple[int, ...]
    state: DeploymentState
    reason: str
    cursor: int
    previous_sha: str
    created_at: float
    base: str = ""
    previous_base: str = ""
    cascade: int = 0

    @property
    def generation(self) -> Generation:
        """What the container is to run from."""
        return Generation(self.sha, self.base)

    @property
    def previous(self) -> Generation:
        """What it ran from before; empty for the first one."""
        return Generation(self.previous_sha, self.previous_base)

    @property
    def is_waiting(self) -> bool:
        """Whether it was verified and has not begun."""
        return self.state is DeploymentState.VERIFIED

    @property
    def has_failed(self) -> bool:
        """Whether it is over, and its commit does not run."""
        return self.state in FAILED


class Deployments:
    """Baselines and deployments."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def register(
        self, agent: str, *, team: str, seen: Repository, branch: Branch, cursor: int, runs: bool = True
    ) -> bool:
        """Set an agent's first baseline, the head of its configuration's branch; False if it has one.

        One that does not run yet gets its container from the first merge.
        """
        with self._db.transaction() as db:
            done = db.execute(
                "INSERT INTO baselines (agent, team, repo, repo_id, branch, sha, cursor, running_sha)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (agent, team, str(seen.repo), seen.id, branch.name, branch.sha, cursor, branch.sha if runs else ""),
            )
        return bool(done.rowcount)

    def baseline(self, agent: str) -> Baseline | None:
        """An agent's baseline; None before it has one."""
        row = self._db.row("SELECT * FROM baselines WHERE agent = ?", agent)
        return None if row is None else Baseline(**dict(row))

    def forget(self, agent: str) -> None:
        """Forget an agent's baseline: its configuration has to be adopted again. What was deployed stays recorded."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM baselines WHERE agent = ?", (agent,))

    def request_check(self, agent: str) -> None:
        """Request a check of an agent's configuration."""
        with self._db.transaction() as db:
            db.execute("UPDATE baselines SET check_requested_at = ? WHERE agent = ?", (self._clock(), agent))

    def mark_checked(self, agent: str, at: float) -> None:
        """Record that an agent's configuration was checked, as it was at `at`."""
        with self._db.transaction() as db:
            db.execute("UPDATE baselines SET checked_at = ? WHERE agent = ?", (at, agent))

    def set_model(self, agent: str, model: str) -> None:
        """Set the model that an agent uses from its next turn on; empty for that of its configuration."""
        with self._db.transaction() as db:
            db.execute("UPDATE baselines SET model = ? WHERE agent = ?", (model, agent))

    def request_restart(self, agent: str) -> None:
        """An agent's container is to be stopped and started."""
        with self._db.transaction() as db:
            db.execute("UPDATE baselines SET restart_requested_at = ? WHERE agent = ?", (self._clock(), agent))

    def mark_restarted(self, agent: str, at: float) -> None:
        """The restart that was asked for at `at` is done."""
        with self._db.transaction() as db:
            db.execute("UPDATE baselines SET restarted_at = ? WHERE agent = ?", (at, agent))

    def is_healthy(self, agent: str) -> bool:
        """Whether the container of the commit that is meant to run has sent a heartbeat."""
        baseline = self.baseline(agent)
        return baseline is not None and baseline.healthy_sha == baseline.generation

    def record_heartbeat(self, agent: str, generation: str) -> None:
        """The container of an artifact gives signs of life; empty when it is gone."""
        if (baseline := self.baseline(agent)) is not None and baseline.healthy_sha != generation:
            with self._db.transaction() as db:
                db.execute("UPDATE baselines SET healthy_sha = ? WHERE agent = ?", (generation, agent))

    def newest(self, agent: str) -> Deployment | None:
        """The newest deployment of an agent that brought an approved commit, open or over."""
        row = self._db.row(
            "SELECT * FROM deployments WHERE agent = ? AND state != 'rejected' AND cascade = 0 ORDER BY id DESC LIMIT 1",
            agent,
        )
        return None if row is None else _deployment(row)

    def of_pull(self, agent: str, number: int) -> Deployment | None:
        """The newest deployment of an agent that a pull request brought; None if it brought none."""
        rows = self._db.rows("SELECT * FROM deployments WHERE agent = ? ORDER BY id DESC", agent)
        return next((found for row in rows if number in (found := _deployment(row)).pulls), None)

    def retry(self, agent: str) -> Deployment | None:
        """Open a deployment of the commit that failed last; None if that is not what was approved last, or one is open."""
        baseline, last = self.baseline(agent), self.newest(agent)
        if baseline is None or last is None or last.state not in FAILED or last.sha != baseline.sha:
            return None
        return self.start(baseline, last.sha, last.pulls, last.cursor)

    def start(self, baseline: Baseline, sha: str, pulls: tuple[int, ...], cursor: int) -> Deployment:
        """Open a deployment of a verified commit, on the base that counts."""
        facts = {"sha": sha, "pulls": json.dumps(pulls), "cursor": cursor, "base": _base(self._db, baseline)}
        with self._db.transaction():
            insert_deployment(self._db, baseline, DeploymentState.VERIFIED, created_at=self._clock(), **facts)
            opened = self.current(baseline.agent)
        assert opened is not None
        return opened

    def current(self, agent: str) -> Deployment | None:
        """The deployment of an agent that is not over."""
        row = self._db.row("SELECT * FROM deployments WHERE agent = ? AND ended_at IS NULL", agent)
        if row is None:
            return None
        return _deployment(row)

    def is_under_way(self, agent: str) -> bool:
        """Whether an agent's container is about to be another one, or to be what it was before."""
        deployment = self.current(agent)
        return deployment is not None and not deployment.is_waiting

    def release(self, agent: str) -> Deployment | None:
        """Let a deployment that waits begin, whatever it waits for; None if none waits."""
        with self._db.transaction():
            deployment = self.current(agent)
            if deployment is None or not deployment.is_waiting:
                return None
            self.transition(deployment, DeploymentState.BUILD)
        return deployment

    def transition(self, deployment: Deployment, state: DeploymentState, reason: str = "") -> None:
        """Move a deployment to its next state; final states update the agent's baseline as well."""
        now = self._clock()
        with self._db.transaction() as db:
            db.execute(
                "UPDATE deployments SET state = ?, reason = ?, ended_at = ? WHERE id = ?",
                (state, reason[:4000], now if state in FINAL else None, deployment.id),
            )
            if state is DeploymentState.DEPLOYED:
                db.execute(
                    "UPDATE baselines SET running_sha = ?, running_base = ? WHERE agent = ?",
                    (deployment.sha, deployment.base, deployment.agent),
                )
            if deployment.cascade:  # it brought no commit: what was approved last, or refused, stays that
                return
            if state in APPLIED:
                db.execute(
                    "UPDATE baselines SET sha = ?, cursor = ? WHERE agent = ?",
                    (deployment.sha, deployment.cursor, deployment.agent),
                )
            if state is DeploymentState.DEPLOYED:
                db.execute("UPDATE baselines SET rejected_sha = '' WHERE agent = ?", (deployment.agent,))
            elif state in FINAL:
                db.execute("UPDATE baselines SET rejected_sha = ? WHERE agent = ?", (deployment.sha, deployment.agent))

    def rejection_reason(self, agent: str, sha: str) -> str:
        """Why a head was refused last; empty if it never was."""
        row = self._db.row(
            "SELECT reason FROM deployments WHERE agent = ? AND sha = ? AND state = 'rejected' ORDER BY id DESC LIMIT 1",
            *(agent, sha),
        )
        return "" if row is None else str(row["reason"])

    def accept(self, agent: str, seen: Repository, sha: str, cursor: int) -> None:
        """An operator takes a head that was refused: it is brought up like one that was merged, in whichever repository it is."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE baselines SET repo = ?, repo_id = ?, rejected_sha = '' WHERE agent = ?",
                (str(seen.repo), seen.id, agent),
            )
            baseline = self.baseline(agent)
            assert baseline is not None
            self.start(baseline, sha, (), cursor)

    def reject(self, baseline: Baseline, sha: str, reason: str) -> bool:
        """Write down that a head is not approved; False if that is known."""
        if baseline.rejected_sha == sha:
            return False
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO deployments (team, agent, sha, pulls, state, reason, created_at, ended_at)"
                " VALUES (?, ?, ?, '[]', 'rejected', ?, ?, ?)",
                (baseline.team, baseline.agent, sha, reason, self._clock(), self._clock()),
            )
            db.execute("UPDATE baselines SET rejected_sha = ? WHERE agent = ?", (sha, baseline.agent))
        return True


def insert_deployment(db: Database, baseline: Baseline, state: DeploymentState, **facts: object) -> int:
    """Open a deployment after what an agent runs now; returns its id. `facts` are more columns."""
    row = {"team": baseline.team, "agent": baseline.agent, "state": state, **facts}
    row |= {"previous_sha": baseline.running_sha, "previous_base": baseline.running_base}
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    with db.transaction() as connection:
        done = connection.execute(f"INSERT INTO deployments ({names}) VALUES ({marks})", tuple(row.values()))  # noqa: S608
    return done.lastrowid or 0


def _base(db: Database, baseline: Baseline) -> str:
    """The base on which an agent's next commit is built; a roster has none."""
    if baseline.agent.startswith("@"):
        return ""
    row = db.row("SELECT digest FROM accepted_bases WHERE forge = ?", Repo.parse(baseline.repo).forge)
    return "" if row is None else str(row["digest"])


def _deployment(row: sqlite3.Row) -> Deployment:
    fields = {name: row[name] for name in row.keys() if name != "ended_at"}  # noqa: SIM118  a Row is no mapping
    return Deployment(**{**fields, "pulls": tuple(json.loads(row["pulls"])), "state": DeploymentState(row["state"])})
