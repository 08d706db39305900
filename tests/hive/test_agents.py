"""An operator at the machine sees how each agent stands, and says what its container is to do."""

from __future__ import annotations

import fcntl
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hive.app.up import expected
from hive.cli import main
from hive.ledger import NEVER, DeploymentState, Scope, SuspensionReason
from tests.hive.conftest import CONFIG, HiveEnv


def say(env: HiveEnv, *words: str) -> Result:
    """What `hive agents` says."""
    config = str(Path(env.instance.settings.home) / "hive.yaml")
    return CliRunner().invoke(main, ["agents", *words, config])


def test_the_list(hive_env: HiveEnv) -> None:
    """A line for each agent; without a host nobody runs, and that is what it says."""
    done = say(hive_env, "list")
    assert done.exit_code == 0, done.output
    head, line = done.output.splitlines()
    assert head.split() == ["agent", "team", "lanes", "state", "runs", "merged", "works", "on"]
    assert line.startswith("iris   acme  app    no host at ")
    (row,) = json.loads(say(hive_env, "list", "--json").output)
    assert (row["agent"], row["team"], row["lanes"], row["at"]) == ("iris", "acme", ["app"], "")
    assert row["running"] == row["merged"] == hive_env.mara.branch(CONFIG, "main").sha


@pytest.mark.parametrize(
    ("reasons", "state"),
    [
        ((SuspensionReason.PAUSED, SuspensionReason.CRASHED), "failed"),
        ((SuspensionReason.PAUSED, SuspensionReason.NEEDS_LOGIN), "needs login"),
        ((SuspensionReason.STOPPED, SuspensionReason.PAUSED), "paused"),
        ((SuspensionReason.STOPPED,), "stopped"),
        ((SuspensionReason.RATE_LIMITED,), "starting"),
    ],
)
def test_the_worst_comes_first(hive_env: HiveEnv, reasons: tuple[SuspensionReason, ...], state: str) -> None:
    """Of several reasons the one that wants the most is the state; all of them stand beside it."""
    for reason in reasons:
        hive_env.instance.ledger.suspensions.suspend(
            "acme", Scope.AGENT, "iris", reason, reason.value, until=NEVER / 1e6
        )
    lock = hive_env.instance.settings.state / "host.lock"
    lock.touch()
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        (row,) = json.loads(say(hive_env, "list", "--json").output)
    assert row["state"] == state
    assert all(reason.value in row["why"] for reason in reasons)


def test_a_start_does_not_wait_for_who_was_stopped(hive_env: HiveEnv) -> None:
    """A stopped agent stays down over restarts, and nobody waits for its sign of life."""
    assert list(expected(hive_env.instance)) == ["iris"]
    say(hive_env, "stop", "iris")
    assert list(expected(hive_env.instance)) == []


def test_what_was_merged_and_does_not_run_is_said(hive_env: HiveEnv) -> None:
    """Which commit, by which pull request, why, and what to do: until something is deployed after it."""
    deployments = hive_env.instance.ledger.deployments
    baseline = deployments.baseline("iris")
    assert baseline is not None
    deployment = deployments.start(baseline, "e" * 40, (7,), baseline.cursor + 1)
    assert "eeeeeee of #7 verified, and waits, " in say(hive_env, "list").output
    deployments.transition(deployment, DeploymentState.PROBE)
    assert "eeeeeee of #7 has to answer, " in say(hive_env, "list").output
    deployments.transition(deployment, DeploymentState.ROLLED_BACK, "no heartbeat\nat all")
    said = say(hive_env, "list").output
    assert "eeeeeee of #7 does not run: no heartbeat; merge a fix or a revert, or comment `/retry` there" in said
    baseline = deployments.baseline("iris")
    assert baseline is not None
    deployments.transition(deployments.start(baseline, "f" * 40, (8,), baseline.cursor + 1), DeploymentState.DEPLOYED)
    assert "does not run" not in say(hive_env, "list").output


def test_why_a_commit_waits_is_said(hive_env: HiveEnv) -> None:
    """In a freeze window the end of it stands beside what waits."""
    config, now, hour = hive_env.instance.settings.home / "hive.yaml", datetime.now(UTC), timedelta(hours=1)
    window = f'"{now - hour:%H:00}-{now + 2 * hour:%H:00}"'
    config.write_text(f"{config.read_text()}\ndeploy: {{freeze: [{window}]}}\n")
    deployments = hive_env.instance.ledger.deployments
    baseline = deployments.baseline("iris")
    assert baseline is not None
    deployments.start(baseline, "e" * 40, (7,), baseline.cursor + 1)
    assert "it was merged in a freeze window, which is over at" in say(hive_env, "list").output


def test_what_came_with_the_set_up_was_not_merged(hive_env: HiveEnv) -> None:
    """An agent whose first configuration is still proposed has neither a commit that runs nor one that was merged."""
    with hive_env.instance.ledger._db.transaction() as db:
        db.execute("UPDATE baselines SET running_sha = '' WHERE agent = 'iris'")
    (row,) = json.loads(say(hive_env, "list", "--json").output)
    assert (row["state"], row["running"], row["merged"]) == ("not merged yet", "", "")


def test_words_without_a_host(hive_env: HiveEnv) -> None:
    """What is wanted is written down, and it is said that nobody does it now."""
    for words, said in (
        (("stop", "iris"), "iris is stopped: its work waits"),
        (("stop", "iris"), "iris is stopped already"),
        (("start", "iris"), "iris is started, and goes on"),
        (("start", "iris"), "iris was not stopped: its container is restarted"),
        (("rebuild", "iris"), "started again from the approved commit"),
    ):
        done = say(hive_env, *words)
        assert done.exit_code == 0, done.output
        assert said in done.output
        assert "no host runs here now" in done.output


@pytest.mark.parametrize("word", ["stop", "start", "rebuild", "logs"])
def test_a_misspelt_name(hive_env: HiveEnv, word: str) -> None:
    """It is told from the nearest one, and nothing is done."""
    done = say(hive_env, word, "irs")
    assert done.exit_code == 1
    assert "there is no agent 'irs'; did you mean 'iris'?" in done.output


def test_the_log_is_safe_to_print(hive_env: HiveEnv) -> None:
    """Its end, escaped: a terminal obeys nothing of it."""
    folder = hive_env.instance.agents / "iris"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log").write_text("one\n\x1b[31mtwo\nthree\n")
    done = say(hive_env, "logs", "iris", "-n", "2")
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    assert "three" in done.output
    assert "one" not in done.output
