"""Red checks and conflicts of the runs' own pull requests are found within a round or two, each once."""

from __future__ import annotations

import pytest

from forge.models import CommitStatus, FileEdit, PullRequest, State
from hive.app.polls import own_pulls, pollers
from hive.poller.own_pulls import OwnPulls
from tests.hive.conftest import APP, HiveEnv


@pytest.fixture
def pull(hive_env: HiveEnv) -> PullRequest:
    """The pull request of a run of iris', as polling knows it."""
    mara, ledger = hive_env.mara, hive_env.instance.ledger
    for poller in pollers(hive_env.instance):
        poller.sweep()
    issue = mara.open_issue(APP, "A page is wrong", "It shows 0.", marker="It shows").ref
    run = ledger.runs.start("acme", "iris", str(issue), "k", "do it")
    mara.commit(APP, [FileEdit("b", b"b\n")], message="b", branch="trunk", start="main")
    mara.commit(APP, [FileEdit("a.py", b"x = 1\n")], message="a", branch="agent/iris/1", start="trunk")
    made = mara.open_pull(APP, head="agent/iris/1", base="trunk", title="Count", body="")
    ledger.runs.set_pull(run, str(made.ref))
    turn = ledger.runs.claim("iris")
    assert turn is not None
    ledger.runs.end_turn(turn, "pushed")
    for poller in pollers(hive_env.instance):
        poller.sweep()
    return made


def told(hive_env: HiveEnv, own: OwnPulls) -> list[str]:
    """The events that bots got in a round."""
    jobs = own.look()
    with hive_env.instance.ledger.transaction() as db:
        rows = [db.execute("SELECT bot, event_type FROM jobs WHERE id = ?", (job,)).fetchone() for job in jobs]
    return [f"{row['bot']} {row['event_type']}" for row in rows]


def test_red_checks_are_found(hive_env: HiveEnv, pull: PullRequest) -> None:
    """A red status of others is an event once; green ones, and the hive's own, are none."""
    (own,), core = own_pulls(hive_env.instance), hive_env.house_core()
    for context, state in (("ci/lint", State.SUCCESS), ("ci/test", State.PENDING), ("hive/review", State.FAILURE)):
        core.set_status(APP, pull.head_sha, CommitStatus(context, state))
    assert told(hive_env, own) == []
    core.set_status(APP, pull.head_sha, CommitStatus("ci/test", State.FAILURE, "2 failed"))
    assert told(hive_env, own) == ["lane status_failed"]
    assert told(hive_env, own) == []


def test_a_conflict_is_found(hive_env: HiveEnv, pull: PullRequest) -> None:
    """A base that moved into conflict is an event once, after two rounds that saw it; a draft's is none."""
    (own,) = own_pulls(hive_env.instance)
    assert told(hive_env, own) == []
    hive_env.mara.commit(APP, [FileEdit("a.py", b"x = 2\n")], message="b", branch="trunk")
    assert not hive_env.mara.pull(pull.ref).mergeable
    assert told(hive_env, own) == []
    assert told(hive_env, own) == ["lane pull_request_conflicted"]
    assert told(hive_env, own) == []
    hive_env.mara.edit(pull.ref, title="WIP: Count")
    assert [told(hive_env, own) for _ in range(3)] == [[], [], []]


def test_a_busy_run_is_left_alone(hive_env: HiveEnv, pull: PullRequest) -> None:
    """What an agent works on changes anyway: it is looked at when its turn is over."""
    ledger = hive_env.instance.ledger
    assert ledger.runs.idle_pulls() == [str(pull.ref)]
    ledger.runs.add_turn(1, "k2", "more", by_person=True)
    assert ledger.runs.idle_pulls() == []
    ledger.runs.end(1, "merged")
    assert ledger.runs.idle_pulls() == []
