"""Of each run people see one comment, which says how it stands: edited in place, never a second one, seldom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bots.intents import StartRun
from forge.gitea.admin import GiteaAdmin
from forge.models import Comment, Ref, State
from hive.app.set_up import ADMIN
from hive.demo.setup import FORGE
from hive.ledger import (
    NEVER,
    Ledger,
    ProgressItem,
    RunProgress,
    RunSpending,
    Scope,
    SuspensionReason,
    Turn,
)
from hive.ledger.caps import BudgetScope, CapReached, Period
from hive.outbox.enqueue import enqueue
from hive.outbox.progress_text import digest, progress_text
from hive.worker.progress_sync import SELDOM_SECONDS, SOON_SECONDS, ProgressSync
from hive.worker.worker import Worker
from tests.conftest import Clock
from tests.hive.conftest import APP, HiveEnv

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
PULL = Ref(APP, 2)
BEGUN = RunProgress(7, "acme", "iris", Ref(APP, 1), is_open=True, outcome="", last="", since=NOON, turn=3)
AT_WORK = replace(BEGUN, is_held=True, steps=14, edits=1, commands=5, tokens_in=18_240, tokens_out=2_100)
PUSHED = replace(AT_WORK, turn=0, is_held=False, last="pushed", pull=PULL, checks="`make` ✅", verdict=State.PENDING)
MONEY = RunSpending(25, 20_000, 370_000_000, (CapReached(BudgetScope.RUN, Period.WHOLE, 600_000_000, 370_000_000),))
PAUSED = replace(BEGUN, suspended=SuspensionReason.PAUSED, why="paused by mara")
LIMITED = replace(AT_WORK, is_held=False, suspended=SuspensionReason.RATE_LIMITED, why="model: 529", again_at=NOON)
OWN = (ProgressItem("reproduce *it*", is_done=True), ProgressItem("ask @mara about acme/app#9", is_done=False))
RED = replace(PUSHED, turn=4, is_held=True, verdict=State.FAILURE, verdict_says="🔴 2 findings")


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("queued", BEGUN),
        ("paused", PAUSED),
        ("limited", LIMITED),
        ("working", replace(AT_WORK, items=OWN)),
        ("draft", replace(PUSHED, last="blocked", is_draft=True, checks="`make` ❌")),
        ("in-review", PUSHED),
        ("fixing", RED),
        ("reviewed", replace(PUSHED, verdict=State.SUCCESS, verdict_says="🟢 nothing to fix")),
        ("stuck", replace(RED, turn=0, is_held=False, blocked="the agent and the review do not agree")),
        ("asked", replace(AT_WORK, turn=0, is_held=False, last="asked")),
        ("answered", replace(AT_WORK, turn=0, is_held=False, last="answered")),
        ("proposed", replace(BEGUN, turn=0, last="proposed", waits_for=Ref(APP, 9))),
        ("merged", replace(PUSHED, is_open=False, outcome="merged", verdict=State.SUCCESS)),
        ("cancelled", replace(AT_WORK, is_open=False, outcome="cancelled")),
    ],
)
def test_what_a_run_looks_like_golden(name: str, run: RunProgress, golden: Callable[[str, str], None]) -> None:
    """Each state of a run has its line; steps are ticked by what the host knows, and an agent's own words are escaped."""
    golden(f"progress/{name}.md", progress_text(run))


def test_money_golden(golden: Callable[[str, str], None]) -> None:
    """What was booked is shown as money, with how far the nearest cap is spent."""
    golden("progress/money.md", progress_text(PUSHED, MONEY))


def test_one_comment_from_the_start_to_the_end(hive_env: HiveEnv) -> None:
    """Queued, working, over: one comment of the hive says so, and the last edit is made on a closed issue."""
    worker, issue = hive_env.worker(), filed(hive_env)
    run = begin(hive_env, worker, issue)
    first = only(hive_env, issue)
    assert "**queued**" in first.body
    turn = claimed(hive_env)
    hive_env.instance.ledger.progress.note_steps(run, steps=1, edits=1, commands=0)
    assert "**working**" in shown(hive_env, worker, issue)
    hive_env.instance.ledger.runs.end_turn(turn, "answered")
    hive_env.mara.close(issue)
    hive_env.instance.ledger.runs.end(run, "closed")
    assert "**ended**: closed without a merge" in shown(hive_env, worker, issue)
    assert only(hive_env, issue).id == first.id
    assert enqueued(hive_env) == []


def test_killed_between_posting_and_recording(hive_env: HiveEnv) -> None:
    """A worker that dies after the comment was posted, or edited, finds it again: there is one."""
    worker, issue, ledger = hive_env.worker(), filed(hive_env), hive_env.instance.ledger
    run = begin(hive_env, worker, issue)
    first = only(hive_env, issue)
    for _ in range(2):
        with ledger.transaction() as db:  # as it was before the result was recorded
            db.execute("UPDATE progress SET comment = 0 WHERE run = ?", (run,))
            db.execute("UPDATE effects SET state = 'pending', next_at = 0 WHERE kind = 'show_progress'")
        apply_due(hive_env, worker)
        assert only(hive_env, issue).id == first.id
        claimed(hive_env)
        assert "**working**" in shown(hive_env, worker, issue)
        ledger.runs.release("iris")


def test_a_deleted_comment_stays_deleted(hive_env: HiveEnv) -> None:
    """Who deletes the comment does not want it: it is not posted again, whatever happens, and nothing fails."""
    worker, issue = hive_env.worker(), filed(hive_env)
    run = begin(hive_env, worker, issue)
    hive_env.mara.delete_comment(issue, only(hive_env, issue).id)
    claimed(hive_env)
    sync(hive_env, worker)
    hive_env.instance.ledger.runs.end(run, "cancelled")
    sync(hive_env, worker)
    assert hive_env.mara.comments(issue) == []
    assert enqueued(hive_env) == []
    assert hive_env.instance.ledger.backlog.failed() == []


def test_nothing_is_posted_on_what_is_closed(hive_env: HiveEnv) -> None:
    """An issue that was closed before anything was shown stays as it is."""
    worker, issue = hive_env.worker(), filed(hive_env)
    hive_env.mara.close(issue)
    begin(hive_env, worker, issue)
    sync(hive_env, worker)
    assert hive_env.mara.comments(issue) == []


def test_a_renamed_repository(hive_env: HiveEnv) -> None:
    """The comment of a run is edited under the repository's new name."""
    worker, issue = hive_env.worker(), filed(hive_env)
    begin(hive_env, worker, issue)
    password = hive_env.instance.secret_store.password(FORGE, ADMIN)
    with GiteaAdmin(name=FORGE, url=hive_env.forge.url, login=ADMIN, password=password) as admin:
        admin._client.patch(f"/repos/{APP.path}", name="store")
    hive_env.instance.repository_tracker.refresh()
    claimed(hive_env)
    sync(hive_env, worker)
    there = Ref(replace(APP, name="store"), issue.number)
    (comment,) = hive_env.mara.comments(there)
    assert "**working**" in comment.body


def test_a_checklist_of_the_agents_own(ledger: Ledger) -> None:
    """Its newest list counts, and it holds so many items at most."""
    run = ledger.runs.start("acme", "iris", f"{APP}#1", "k", "do it")
    ledger.progress.note_items(run, [ProgressItem(str(number), is_done=False) for number in range(40)])
    found = ledger.progress.of(run)
    assert found is not None
    assert len(found[0].items) == 10
    ledger.progress.note_items(run, [ProgressItem("all", is_done=True)])
    found = ledger.progress.of(run)
    assert found is not None
    assert found[0].items == (ProgressItem("all", is_done=True),)


def test_edits_are_seldom(ledger: Ledger, clock: Clock) -> None:
    """What people wait for is shown within seconds, counters once a minute; while an edit is pending there is no other."""
    run = ledger.runs.start("acme", "iris", f"{APP}#1", "k", "do it")
    assert edits(ledger) == 1
    assert edits(ledger) == 1  # it is pending
    finish(ledger, run)
    ledger.runs.claim("iris")
    assert edits(ledger) == 1
    clock.pass_(SOON_SECONDS)
    assert edits(ledger) == 2
    finish(ledger, run)
    for _ in range(30):
        clock.pass_(SOON_SECONDS)
        ledger.progress.note_steps(run, steps=1, edits=0, commands=1)
        edits(ledger)
        finish(ledger, run)
    assert edits(ledger) <= 2 + 1 + 30 * SOON_SECONDS / SELDOM_SECONDS


def test_what_fails_is_not_tried_for_ever(ledger: Ledger, clock: Clock) -> None:
    """An edit that the forge refuses is not made again until there is something new to say."""
    ledger.runs.start("acme", "iris", f"{APP}#1", "k", "do it")
    assert edits(ledger) == 1
    (due,) = ledger.effects.due()
    effect = ledger.effects.claim(due)
    assert effect is not None
    ledger.effects.fail(effect, "403")
    clock.pass_(10 * SELDOM_SECONDS)
    assert edits(ledger) == 1
    ledger.runs.claim("iris")
    assert edits(ledger) == 2


def test_a_suspension_shows_on_the_next_turn_only(ledger: Ledger) -> None:
    """Who waits behind it is not told of the model's moods."""
    first, second = (ledger.runs.start("acme", "iris", f"{APP}#{n}", f"k{n}", "do it") for n in (1, 2))
    ledger.suspensions.suspend("acme", Scope.AGENT, "iris", SuspensionReason.PAUSED, "paused by mara", until=NEVER)
    shown_now = {run.id: run.suspended for run, _ in ledger.progress.to_show()}
    assert shown_now == {first: SuspensionReason.PAUSED, second: None}


def filed(hive_env: HiveEnv) -> Ref:
    """Mara files an issue."""
    return hive_env.mara.open_issue(APP, "A page is wrong", "It shows 0.", marker="It shows").ref


def begin(hive_env: HiveEnv, worker: Worker, issue: Ref) -> int:
    """The lane bot starts a run, and what that makes is done."""
    ledger = hive_env.instance.ledger
    enqueue(ledger, "acme", "core", StartRun(issue, "iris", "do it", key="s"), by="lane")
    apply_due(hive_env, worker)
    apply_due(hive_env, worker)
    run = ledger.runs.find(str(issue))
    assert run is not None
    return run.id


def claimed(hive_env: HiveEnv) -> Turn:
    """Iris takes her turn."""
    turn = hive_env.instance.ledger.runs.claim("iris")
    assert turn is not None
    return turn


def apply_due(hive_env: HiveEnv, worker: Worker) -> None:
    """Do what is due."""
    for effect in hive_env.instance.ledger.effects.due():
        worker.apply(effect)


def enqueued(hive_env: HiveEnv) -> list[int]:
    """The effects that looking once more enqueues, though time has passed."""
    ledger = hive_env.instance.ledger
    with ledger.transaction() as db:
        db.execute("UPDATE progress SET shown_at = 0")
    ProgressSync(ledger, "core", hive_env.instance.teams).sync()
    return ledger.effects.due()


def sync(hive_env: HiveEnv, worker: Worker) -> None:
    """Look for what has changed, though time has passed, and do it."""
    enqueued(hive_env)
    apply_due(hive_env, worker)


def shown(hive_env: HiveEnv, worker: Worker, issue: Ref) -> str:
    """What the comment says once it is in step."""
    sync(hive_env, worker)
    return only(hive_env, issue).body


def only(hive_env: HiveEnv, issue: Ref) -> Comment:
    """The one comment of an issue."""
    (comment,) = hive_env.mara.comments(issue)
    return comment


def edits(ledger: Ledger) -> int:
    """How many edits were enqueued, once it was looked for what has changed."""
    ProgressSync(ledger, "core", {"acme": None}).sync()  # type: ignore[dict-item]  # only names count
    with ledger.transaction() as db:
        return int(db.execute("SELECT count(*) FROM effects WHERE kind = 'show_progress'").fetchone()[0])


def finish(ledger: Ledger, run: int) -> None:
    """The pending edit is done."""
    for number in ledger.effects.due():
        effect, found = ledger.effects.claim(number), ledger.progress.of(run)
        assert effect is not None
        assert found is not None
        ledger.effects.finish(effect, {})
        ledger.progress.posted(run, 5, digest(found[0]), is_over=False)
