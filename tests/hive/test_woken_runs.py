"""What an agent was woken for beside its work leaves no trace on the forge but its receipt and its answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from bots.intents import React, StartRun
from bots.wake_kind import Wake
from forge.models import Ref
from hive.gateway import broker
from hive.ledger import Ledger
from hive.outbox.actions import PostAnswer, ShowProgress
from hive.outbox.enqueue import enqueue
from hive.worker.run_display import RunDisplay
from hive.worker.worker import Worker
from tests.hive.conftest import APP, HiveEnv
from tests.hive.test_pushes import session_of


@pytest.mark.parametrize("wake", list(Wake))
def test_only_a_receipt_and_an_answer(hive_env: HiveEnv, tmp_path: Path, wake: Wake) -> None:
    """No label, no progress comment; the turn's words are posted, unless an announcement has woken it; then the run is over."""
    ledger, worker = hive_env.instance.ledger, hive_env.worker()
    issue = hive_env.mara.open_issue(APP, "A freeze", "From Friday on. m", marker="m").ref
    session, other = session_of(hive_env, tmp_path)
    ledger.runs.end_turn(other, "answered")
    ledger.runs.end(other.run, "closed")
    start = StartRun(issue, "iris", "read this", key="s", wake=wake)
    enqueue(ledger, "acme", "core", start, by="wakes")
    enqueue(ledger, "acme", "core", React(issue, 0, "eyes", key="r", after=("s",)), by="wakes")
    show(hive_env, worker)
    assert hive_env.mara.issue(issue).labels == ()
    assert [reaction.content for reaction in hive_env.mara.reactions(issue)] == ["eyes"]
    turn = ledger.runs.claim("iris")
    assert turn is not None
    assert turn.wake == wake
    ended = {"outcome": "answered", "message": "Noted.", "steps": 1}
    with broker.create(session).test_client() as client:
        headers = {"Authorization": f"Bearer {turn.token}"}
        assert client.post("/v1/end", json=ended, headers=headers).status_code == 200
    show(hive_env, worker)
    assert kinds(ledger, ShowProgress.WIRE) == 0
    answers = [comment.body for comment in hive_env.mara.comments(issue) if "Noted." in comment.body]
    assert len(answers) == kinds(ledger, PostAnswer.WIRE) == (wake is not Wake.ANNOUNCEMENT)
    assert len(hive_env.mara.comments(issue)) == len(answers)
    assert hive_env.mara.issue(issue).labels == ()
    run = ledger.runs.find(str(issue))
    assert run is not None
    assert run.state == "ended"


def test_work_beside_it_is_shown_as_ever(hive_env: HiveEnv) -> None:
    """Who was asked on an issue that another run works on changes nothing of its labels."""
    ledger, worker = hive_env.instance.ledger, hive_env.worker()
    issue: Ref = hive_env.mara.open_issue(APP, "A page is wrong", "It is. m", marker="m").ref
    enqueue(ledger, "acme", "core", StartRun(issue, "iris", "do it", key="a"), by="lane")
    show(hive_env, worker)
    ledger.runs.start("acme", "noah", str(issue), "w", "what do you think?", wake=Wake.MENTION)
    show(hive_env, worker)
    assert hive_env.mara.issue(issue).labels == ("state/working",)
    turn = ledger.runs.claim("iris")
    assert turn is not None
    ledger.runs.end_turn(turn, "answered")
    show(hive_env, worker)
    assert hive_env.mara.issue(issue).labels == ()


def show(hive_env: HiveEnv, worker: Worker) -> None:
    """Everything that is due is done, and shown."""
    ledger = hive_env.instance.ledger
    for _ in range(3):
        for effect in ledger.effects.due():
            worker.apply(effect)
        RunDisplay(ledger, "core", hive_env.instance.teams).sync()


def kinds(ledger: Ledger, wire: str) -> int:
    """How many effects of a kind there were."""
    with ledger.transaction() as db:
        return int(db.execute("SELECT count(*) FROM effects WHERE kind = ?", (wire,)).fetchone()[0])
