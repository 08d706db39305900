"""Nothing that was merged counts until a forge has shown, at this start, that no bot can merge."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from forge.embedded import EmbeddedForge
from forge.gitea.client import Client
from hive.app.merge_trials import MergeTrials
from hive.app.set_up import ADMIN
from hive.cli import main
from hive.demo.setup import FORGE
from hive.ledger import DeploymentState
from hive.outbox.incidents import IncidentReporter
from hive.reconcile.holds import Holds
from hive.supervisor.heartbeat import Heartbeat
from tests.hive.conftest import CONFIG, HiveEnv

RULE = "/repos/agent-configs/iris/branch_protections/main"


@dataclass
class Start:
    """One start of a host, as far as its trials go; `at_once` takes the pauses away."""

    env: HiveEnv
    trials: MergeTrials = field(init=False)

    def __post_init__(self) -> None:
        instance = self.env.instance
        self.trials = MergeTrials(instance, IncidentReporter(instance.ledger, "core", instance.ops))

    def look(self) -> str | None:
        """Try, whether it is time to or not; returns why deployments are held."""
        self.trials._due.clear()
        self.trials.look(Heartbeat(None, 1.0))
        return self.trials.why_held("acme")


@pytest.fixture
def start(hive_env: HiveEnv) -> Start:
    """A host that has just been started."""
    return Start(hive_env)


@contextmanager
def raw(env: HiveEnv) -> Iterator[Client]:
    """The site admin."""
    client = Client(env.forge.url, login=ADMIN, password=env.instance.secret_store.password(FORGE, ADMIN))
    yield client
    client.close()


def rows(env: HiveEnv, sql: str) -> list[Any]:
    """Rows of the ledger."""
    return env.instance.ledger._db.rows(sql)


def issues(env: HiveEnv) -> list[str]:
    """The titles of issues that the hive opens."""
    found = rows(env, "SELECT payload FROM effects WHERE kind = 'open_issue' ORDER BY id")
    return [json.loads(row["payload"])["title"] for row in found]


def closed(env: HiveEnv) -> int:
    """How many of them it closes."""
    return len(rows(env, "SELECT 1 FROM effects WHERE kind = 'add_to_issue'"))


def listed(env: HiveEnv, command: str) -> str:
    """What an operator at the machine is shown."""
    config = str(Path(env.instance.settings.home) / "hive.yaml")
    done = CliRunner().invoke(main, [*command.split(), config])
    assert done.exit_code == 0, done.output
    return str(done.output)


def acts(env: HiveEnv) -> list[str]:
    """What the audit log has of trials."""
    told = {"merges_refused", "bots_can_merge"}
    return [row.action for row in env.instance.ledger.audit.after(0) if row.action in told]


def test_nothing_counts_before_it_was_tried(start: Start) -> None:
    """Until the trial is over everything is held without a word; then it is one row of the audit log, and no issue."""
    assert start.trials.why_held("acme") == ""
    assert start.trials.is_held(FORGE)
    assert start.look() is None
    assert not start.trials.is_held(FORGE)
    (row,) = [row for row in start.env.instance.ledger.audit.after(0) if row.action == "merges_refused"]
    assert (row.detail["accounts"], row.detail["forge"]) == ("4", FORGE)
    assert issues(start.env) == []
    start.trials.look(Heartbeat(None, 1.0))
    assert acts(start.env) == ["merges_refused"], "it is tried once for each start"


def test_a_bot_that_could_merge(start: Start) -> None:
    """One issue, a line for operators at the machine, and no deployment begins until the protection is back."""
    env, ledger = start.env, start.env.instance.ledger
    with raw(env) as admin:
        admin.patch(RULE, enable_merge_whitelist=False)
    baseline = ledger.deployments.baseline("iris")
    assert baseline is not None
    deployment = ledger.deployments.start(baseline, "1" * 40, (7,), 1)
    holds = Holds(ledger, (), start.trials.why_held)
    hold = holds.of(deployment)
    assert hold is not None
    assert hold.is_brief
    for _ in range(2):
        why = start.look()
        assert why is not None
        assert "a bot could approve its own work" in why
    hold = holds.of(deployment)
    assert hold is not None
    assert (hold.why, hold.is_brief) == (why, False)
    assert issues(env) == [f"🔴 {FORGE}: a bot could merge, and nothing is deployed"]
    assert acts(env) == ["bots_can_merge"]
    assert "nothing new is deployed: a bot could approve its own work" in listed(env, "agents list")
    assert "a bot could approve its own work" in listed(env, "queue")
    ledger.deployments.transition(deployment, DeploymentState.BUILD)
    under_way = ledger.deployments.current("iris")
    assert under_way is not None
    assert holds.of(under_way) is None, "what has begun is brought to its end"
    env.provision()
    assert start.look() is None
    assert acts(env) == ["bots_can_merge", "merges_refused"]
    assert closed(env) == 1
    assert "nothing new is deployed" not in listed(env, "agents list")


def test_a_forge_that_is_down(start: Start) -> None:
    """It stops nobody: it is tried when it answers, until then nothing new is deployed, and that is to be seen."""
    env = start.env
    env.forge.stop()
    for _ in range(2):
        why = start.look()
        assert why is not None
        assert "is not known yet" in why
    assert "nothing new is deployed: whether bots can merge" in listed(env, "agents list")
    assert issues(env) == acts(env) == []
    assert start.trials._due[FORGE] > 0


def test_it_is_tried_when_the_forge_answers(start: Start, tmp_path: Path) -> None:
    """What was held for a forge that was down goes on by itself, without another start."""
    env, port = start.env, int(start.env.forge.url.rpartition(":")[2])
    env.forge.stop()
    assert start.look()
    with EmbeddedForge(tmp_path / "forge", port=port):
        assert start.look() is None
    assert "nothing new is deployed" not in listed(env, "agents list")


def test_what_passed_counts_until_others_are_tried(start: Start) -> None:
    """With other agents all are tried again: a forge that is away then takes nothing back, a bot that could merge does."""
    assert start.look() is None
    start.trials.follow(start.env.instance)
    assert start.trials.why_held("acme") is None
    with raw(start.env) as admin:
        admin.patch(RULE, enable_merge_whitelist=False)
        assert start.look()
    start.env.provision()
    assert start.look() is None
    start.env.forge.stop()
    assert start.look() is None


def test_the_branch_is_where_it_was(start: Start) -> None:
    """Where everything is open, trying moves nothing."""
    env = start.env
    before = env.mara.branch(CONFIG, "main").sha
    with raw(env) as admin:
        admin.delete(RULE)
    assert start.look()
    assert env.mara.branch(CONFIG, "main").sha == before
