"""Old issues are taken in at a pace, by the bot that takes new ones, and however often the worker is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from forge.models import Issue, Ref
from hive.app.backfill import PLAN, Backfill, BackfillLoop, plan_of
from hive.cli import main
from hive.ledger import Ledger
from hive.supervisor.heartbeat import Heartbeat
from tests.hive.conftest import APP, HiveEnv

TITLES = ("the page is broken", "does the page load?", "hm", "a gzip file of the honey")
HEART = Heartbeat(None, 1.0)


def run(env: HiveEnv, *words: str, repo: str = str(APP)) -> Result:
    """The command in this process."""
    config = Path(env.instance.settings.home) / "hive.yaml"
    return CliRunner().invoke(main, ["backfill", "--repo", repo, *words, str(config)])


def file_old(env: HiveEnv, titles: Sequence[str] = TITLES) -> list[Ref]:
    """Issues that were there before the hive: polling takes none of them for new."""
    begin = datetime.now(UTC) + timedelta(seconds=len(titles) + 5)
    env.instance.ledger.deliveries.move_cursor(f"begin:{APP}", begin.isoformat())
    return [
        env.mara.open_issue(APP, title, f"Seen today. <!-- {number} -->", marker=f"<!-- {number} -->").ref
        for number, title in enumerate(titles)
    ]


def take(env: HiveEnv, most: int = 100) -> int:
    """Let the pauses pass, and take in what waits; returns how many."""
    loop, ledger, before = BackfillLoop(env.instance), env.instance.ledger, taken(env.instance.ledger)
    for _ in range(most):
        plan = plan_of(ledger, APP)
        if plan is None or not plan.waiting:
            break
        ledger.deliveries.move_cursor(f"backfill:{APP}", PLAN.dumps(replace(plan, due=0.0)))
        loop.go(HEART)
    return taken(ledger) - before


def taken(ledger: Ledger) -> int:
    """How many jobs came of it."""
    with ledger.transaction() as db:
        return int(db.execute("SELECT count(*) FROM jobs WHERE event_type = 'issue_taken_in'").fetchone()[0])


def work(env: HiveEnv) -> None:
    """Do all jobs and effects that are due."""
    worker, ledger = env.worker(), env.instance.ledger
    for _ in range(20):
        due, effects = ledger.jobs.due(50), ledger.effects.due()
        if not due and not effects:
            return
        for job in due:
            worker.run_job(job)
        for effect in effects:
            worker.apply(effect)


def now(env: HiveEnv, refs: Sequence[Ref]) -> list[Issue]:
    """The issues as they are."""
    return [env.mara.issue(ref) for ref in refs]


def test_what_it_says_is_what_it_does(hive_env: HiveEnv) -> None:
    """The preview changes nothing; what is taken in then gets these labels, and nobody's words, no comment, no agent."""
    refs = file_old(hive_env)
    before = now(hive_env, refs)
    said = run(hive_env)
    assert said.exit_code == 0, said.output
    assert "4 open issues and 0 open pull requests" in said.stdout
    assert "nothing was changed" in said.stdout
    assert (now(hive_env, refs), taken(hive_env.instance.ledger)) == (before, 0)
    promised = {
        words[0]: int(words[1])
        for line in said.stdout.splitlines()
        if len(words := line.split()) == 2 and "/" in words[0]
    }
    assert promised

    begun = run(hive_env, "--apply")
    assert "4 of 4 wait, 120 are taken in an hour: about 2 min" in begun.stdout
    assert take(hive_env) == 4
    work(hive_env)
    after = now(hive_env, refs)
    assert Counter(label for issue in after for label in issue.labels) == promised
    assert set(after[0].labels) == {"type/bug", "area/app"}
    for old, new in zip(before, after, strict=True):
        assert replace(new, labels=(), updated_at=old.updated_at) == old
        assert hive_env.mara.comments(new.ref) == []


def test_twice_is_once(hive_env: HiveEnv) -> None:
    """Taken in again, nothing is written; a label that a person took away since then stays away."""
    refs = file_old(hive_env)
    run(hive_env, "--apply")
    take(hive_env)
    work(hive_env)
    hive_env.mara.label(refs[0], add=(), remove=["type/bug"])
    before = now(hive_env, refs)
    assert "4 of 4 wait" in run(hive_env, "--apply").stdout
    assert take(hive_env) == 4
    work(hive_env)
    assert now(hive_env, refs) == before


def test_with_wake_agents_get_them(hive_env: HiveEnv) -> None:
    """What an operator filed is given to the agent of its lane, as far as she has room; the rest waits in the queue."""
    team = hive_env.instance.teams["acme"]
    hive_env.instance.teams["acme"] = replace(team, max_open_runs=1)
    refs = file_old(hive_env, ("the page is broken", "the honey is wrong"))
    assert "would be given      2" in run(hive_env, "--wake").stdout
    assert run(hive_env, "--apply", "--wake").exit_code == 0
    take(hive_env)
    work(hive_env)
    after = now(hive_env, refs)
    assert sorted(len(issue.assignees) for issue in after) == [0, 1]
    waits = next(issue for issue in after if not issue.assignees)
    assert "queue/app" in waits.labels


def test_the_pace_is_kept(hive_env: HiveEnv) -> None:
    """One at a time, with a pause; after a night without the hive there is no rush, and a clock that is set back stops nothing."""
    file_old(hive_env)
    run(hive_env, "--apply")
    ledger, loop = hive_env.instance.ledger, BackfillLoop(hive_env.instance)
    pause = loop.go(HEART)
    assert 0 < pause <= 30
    assert (taken(ledger), loop.go(HEART) > 0, taken(ledger)) == (1, True, 1)
    plan = plan_of(ledger, APP)
    assert plan is not None
    ledger.deliveries.move_cursor(f"backfill:{APP}", PLAN.dumps(replace(plan, due=ledger.clock() - 30_000)))
    for _ in range(3):
        loop.go(HEART)
    assert taken(ledger) == 2
    plan = plan_of(ledger, APP)
    assert plan is not None
    ledger.deliveries.move_cursor(f"backfill:{APP}", PLAN.dumps(replace(plan, due=ledger.clock() + 90_000)))
    loop.go(HEART)
    assert taken(ledger) == 3


def test_one_at_a_time_and_an_end(hive_env: HiveEnv) -> None:
    """Of a kind it goes on, of another it is refused; `--stop` takes nothing more in."""
    file_old(hive_env)
    assert "nothing is under way" in run(hive_env, "--stop").stdout
    run(hive_env, "--apply")
    take(hive_env, 1)
    again = run(hive_env, "--apply")
    assert "3 of 4 wait" in again.stdout
    other = run(hive_env, "--apply", "--wake")
    assert other.exit_code == 1
    assert "a backfill without --wake is under way (1 of 4): --stop it first" in other.stderr
    assert "under way: 1 of 4 are taken in" in run(hive_env).stdout
    assert "stopped after 1 of 4" in run(hive_env, "--stop").stdout
    assert take(hive_env) == 0
    assert run(hive_env, "--apply", "--wake").exit_code == 0


@pytest.mark.parametrize(
    ("words", "repo", "complaint"),
    [
        (("--stop", "--apply"), str(APP), "--stop goes with nothing else"),
        (("--stop", "--wake"), str(APP), "--stop goes with nothing else"),
        ((), "acme/app", "not a repository"),
        (("--apply",), "forgejo:acme/other", "no team works in"),
    ],
)
def test_what_is_wrong_is_a_sentence(hive_env: HiveEnv, words: tuple[str, ...], repo: str, complaint: str) -> None:
    """No traceback, and nothing begins."""
    done = run(hive_env, *words, repo=repo)
    assert (done.exit_code, complaint in done.stderr) == (1, True), done.output


def test_killed_it_goes_on(hive_env: HiveEnv) -> None:
    """A worker that is killed again and again takes each in once, and labels each once."""
    settings = hive_env.instance.settings
    config = Path(settings.home) / "hive.yaml"
    config.write_text(config.read_text() + "limits: {backfill: 3600}\n")
    refs = file_old(hive_env, [f"the page is broken, part {number}" for number in range(5)])
    assert run(hive_env, "--apply").exit_code == 0
    ledger = hive_env.instance.ledger

    def until(count: int) -> bool:
        process = subprocess.Popen(
            [sys.executable, "-m", "hive", "work", str(config)], env={**os.environ, "HIVE_LOG": "ERROR"}
        )
        try:
            end = time.monotonic() + 240
            while time.monotonic() < end and process.poll() is None:
                is_quiet = count < len(refs) or not (ledger.jobs.due(1) or ledger.effects.due())
                if taken(ledger) >= count and is_quiet and (count < len(refs) or all_labelled()):
                    return True
                time.sleep(0.05)
            return False
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(60)

    def all_labelled() -> bool:
        return all("type/bug" in issue.labels for issue in now(hive_env, refs))

    for count in (1, 3, 5):
        assert until(count), f"{count} were to be taken in"
    assert taken(ledger) == 5
    for ref in refs:
        rows = [row for row in hive_env.mara.timeline(ref) if row.kind == "label"]
        assert sorted(row.label for row in rows) == ["area/app", "type/bug"]
        assert hive_env.mara.comments(ref) == []


@pytest.mark.parametrize("told", ["", "[]", '{"team": "acme"}', "\x00"])
def test_a_plan_that_cannot_be_read_is_none(hive_env: HiveEnv, told: str) -> None:
    """What another version has written ends no worker; it is begun anew."""
    file_old(hive_env)
    ledger = hive_env.instance.ledger
    ledger.deliveries.move_cursor(f"backfill:{APP}", told)
    assert plan_of(ledger, APP) is None
    assert BackfillLoop(hive_env.instance).go(HEART) > 0
    assert "4 of 4 wait" in run(hive_env, "--apply").stdout
    plan = Backfill("acme", str(APP), wake=False, waiting=(3, 2), total=5, began=1.0)
    assert (PLAN.loads(PLAN.dumps(plan)), plan.done) == (plan, 3)
