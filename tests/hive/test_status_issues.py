"""How an agent stands is one issue, edited when something changes and never else; a deleted one is not opened again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bots.money import DOLLAR
from forge.gitea.admin import GiteaAdmin
from forge.models import Issue, Repo
from hive.app.set_up import ADMIN
from hive.app.status_watch import StatusWatch
from hive.demo.setup import FORGE
from hive.ledger import NEVER, DeploymentState, Period, Scope, Suspension, SuspensionReason
from hive.ledger.standing import AgentStanding, DeploymentAttempt, Spent
from hive.outbox.agent_status import status_text
from tests.hive.conftest import HiveEnv

OPS = Repo(FORGE, "hive", "ops")


def look(env: HiveEnv) -> int:
    """The host looks at all agents, and what is owed is done; returns how much that was."""
    watch, done = StatusWatch(), 0
    for _ in range(4):
        watch.look(env.instance)
    worker = env.worker()
    for effect in env.instance.ledger.effects.due():
        worker.apply(effect)
        done += 1
    return done


def shown(env: HiveEnv) -> list[Issue]:
    """The status issues of iris."""
    found = env.mara.changed_since(OPS, datetime.now(UTC) - timedelta(hours=1))
    return [each for each in found if each.title == "🐝 iris"]


def test_one_issue_that_is_edited_only_when_something_changes(hive_env: HiveEnv) -> None:
    """Opened by core, silent while nothing changes, edited when somebody stops the agent; closed by a person, it stays closed."""
    env, ledger = hive_env, hive_env.instance.ledger
    assert look(env) == 1
    [issue] = shown(env)
    baseline = ledger.deployments.baseline("iris")
    assert baseline is not None
    assert issue.author.login == "core"
    assert f"| runs | `{baseline.running_sha[:7]}` |" in issue.body
    assert look(env) == 0
    ledger.deployments.record_heartbeat("iris", baseline.running_sha)
    assert look(env) == 0, "a container that starts for each run changes nothing"
    ledger.suspensions.suspend("acme", Scope.AGENT, "iris", SuspensionReason.STOPPED, "stopped by mara", until=NEVER)
    assert look(env) == 1
    [issue] = shown(env)
    assert "| waits | stopped by mara, since 20" in issue.body
    env.mara.close(issue.ref)
    ledger.suspensions.resume("acme", Scope.AGENT, "iris", SuspensionReason.STOPPED)
    assert look(env) == 1
    [issue] = shown(env)
    assert "| waits | for nothing but work |" in issue.body
    assert not issue.is_open


def test_a_deleted_issue_is_not_opened_again(hive_env: HiveEnv) -> None:
    """Whoever deletes it does not want it: there is no other, whatever happens to the agent."""
    env, ledger = hive_env, hive_env.instance.ledger
    look(env)
    [issue] = shown(env)
    password = env.instance.secret_store.password(FORGE, ADMIN)
    with GiteaAdmin(name=FORGE, url=env.forge.url, login=ADMIN, password=password) as admin:
        admin._client.delete(f"/repos/{OPS.path}/issues/{issue.ref.number}")
    ledger.suspensions.suspend("acme", Scope.AGENT, "iris", SuspensionReason.PAUSED, "paused by mara", until=NEVER)
    assert look(env) == 1
    assert shown(env) == []
    ledger.suspensions.resume("acme", Scope.AGENT, "iris", SuspensionReason.PAUSED)
    assert look(env) == 0
    assert shown(env) == []
    assert ledger.status_issues.of("iris").is_gone


def test_a_crash_between_opening_and_writing_it_down_opens_no_second_one(hive_env: HiveEnv) -> None:
    """The issue that was opened is found by its marker."""
    env = hive_env
    look(env)
    with env.instance.ledger.transaction() as db:
        db.execute("UPDATE status_issues SET ref = '', shown = ''")
    assert look(env) == 1
    assert len(shown(env)) == 1


AT = 1_764_590_400.0
FAILED = DeploymentAttempt(
    "c" * 40, "", 12, DeploymentState.ROLLED_BACK, "no heartbeat within 30 s\n| @mara <b>", AT, 0
)
BROKEN_BASE = replace(FAILED, base="b" * 40, pull=0, cascade=3, reason="this host has no 'rg' | `x`")
STOPPED = Suspension(
    "acme", Scope.AGENT, "iris", SuspensionReason.STOPPED, "stopped by mara on the machine of the hive", AT, NEVER, 0
)
HELD = replace(
    STOPPED, scope=Scope.DEPLOYMENTS, reason=SuspensionReason.PAUSED, detail="deployments suspended by mara: not | now"
)
NEW = replace(FAILED, sha="d" * 40, state=DeploymentState.PROBE, reason="")
RUNS = AgentStanding("a" * 40, "", "agent-configs/iris", AT)


@pytest.mark.parametrize(
    ("name", "standing"),
    [
        ("new", AgentStanding()),
        ("runs", RUNS),
        ("deploys", replace(RUNS, base="b" * 40, under_way=NEW, spent=(Spent(Period.DAY, 7 * DOLLAR, 20 * DOLLAR), Spent(Period.MONTH, 31 * DOLLAR, None)))),
        ("failed", replace(RUNS, failure=FAILED, suspensions=(STOPPED, HELD), spent=(Spent(Period.MONTH, 1, None),))),
        ("failed-base", replace(RUNS, failure=BROKEN_BASE)),
        ("left", replace(RUNS, destroyed_at=AT)),
    ],
)  # fmt: skip
def test_the_issue_golden(name: str, standing: AgentStanding, golden: Callable[[str, str], None]) -> None:
    """What people see of an agent, foreign words made harmless."""
    golden(f"status/{name}.md", status_text("acme", "iris", standing))
