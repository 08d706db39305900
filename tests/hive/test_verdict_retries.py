"""What could not be reviewed for a reason that passes is reviewed again by itself, later each time, and no longer than it is wanted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from bots.intents import SetVerdict
from bots.models import Team
from bots.review import bot as review_bot
from forge.events import PullClosed, PullMerged, ReviewAsked
from forge.models import CommitStatus, Ref, Repo, State, User
from hive.backoff import VERDICTS
from hive.ledger import Ledger, Scope, SuspensionReason
from hive.ledger.suspensions import NEVER
from hive.ledger.verdict_retries import MOST_TRIES
from hive.outbox.enqueue import enqueue
from hive.worker.verdict_retrier import VerdictRetrier
from tests.hive.conftest import APP, HiveEnv
from tests.hive.test_failure_reports import failing, look, proposed, said, shown, told, worker_with

PULL = Ref(Repo("f", "acme", "app"), 7)
CORE = User(1, "core")
HEAD, OTHER = "a" * 40, "b" * 40
LONGEST = VERDICTS.longest * (1 + VERDICTS.jitter)


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        """Now."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Time that a test moves."""
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    """An empty ledger."""
    opened = Ledger(tmp_path / "ledger.db", clock)
    yield opened
    opened.close()


def team() -> Team:
    """A team with the account of the hive."""
    return Team("acme", frozenset({2}), {}, {"core": CORE}, (), (), frozenset(), {})


def retrier(ledger: Ledger) -> VerdictRetrier:
    """For a hive with the review bot."""
    return VerdictRetrier(ledger, {"review": review_bot}, {"acme": team()})


def verdict(state: State = State.ERROR, *, head: str = HEAD, key: str = "", may_pass: bool = True) -> SetVerdict:
    """What was said of a head."""
    status = CommitStatus("hive/review", state, "", "")
    return SetVerdict(PULL, head, "main", "c" * 40, status, key=key or f"{state}:{head}:{may_pass}", may_pass=may_pass)


def jobs(ledger: Ledger) -> list[ReviewAsked]:
    """The reviews that are asked for, each claimed and done."""
    found = []
    while (job := ledger.jobs.claim_next()) is not None:
        assert isinstance(job.event, ReviewAsked)
        found.append(job.event)
        ledger.jobs.finish(job)
    return found


def next_at(ledger: Ledger) -> float:
    """When the one head is reviewed again."""
    row = ledger._db.row("SELECT next_at FROM verdict_retries")
    assert row is not None
    return float(row["next_at"])


def test_again_and_again_but_later_each_time(ledger: Ledger, clock: Clock) -> None:
    """While it fails, the wait grows to an hour; and however long that goes on, it ends."""
    at: list[float] = []
    enqueue(ledger, "acme", "core", verdict(), by="review")
    while (due_at := next_at(ledger)) != NEVER:
        clock.now = due_at
        retrier(ledger).retry()
        assert [(each.ref, each.again, each.actor) for each in jobs(ledger)] == [(PULL, True, CORE)]
        at.append(clock.now)
        assert len(at) < 30, "it never ends"
        if len(at) == 12:  # after weeks, of which each hour is like the last one
            with ledger.transaction() as db:
                db.execute("UPDATE verdict_retries SET tries = ?", (MOST_TRIES - 3,))
        if len(at) % 2:  # of half of them no verdict comes
            enqueue(ledger, "acme", "core", verdict(key=f"k{len(at)}"), by="review")
            assert ledger.verdict_retries.due() == []
    waits = [late - early for early, late in pairwise(at)]
    assert len(at) == 15
    assert waits[0] < 4 * VERDICTS.first
    assert all(later >= sooner * 0.8 for sooner, later in pairwise(waits))
    assert VERDICTS.longest <= waits[-1] <= LONGEST
    enqueue(ledger, "acme", "core", verdict(key="late"), by="review")
    assert next_at(ledger) == NEVER, "the word that comes of the last try begins nothing"


@pytest.mark.parametrize(
    "then",
    [
        verdict(State.SUCCESS, may_pass=False),
        verdict(State.FAILURE, may_pass=False),
        verdict(State.ERROR, may_pass=False),
        verdict(State.PENDING, head=OTHER, may_pass=False),
    ],
)
def test_a_word_that_stays_ends_it(ledger: Ledger, clock: Clock, then: SetVerdict) -> None:
    """Reviewed at last, not reviewable at all, or another head that waits for its own review: nothing is asked for."""
    enqueue(ledger, "acme", "core", verdict(), by="review")
    enqueue(ledger, "acme", "core", then, by="review")
    clock.now += 10 * LONGEST
    retrier(ledger).retry()
    assert jobs(ledger) == []


def test_another_head_begins_anew(ledger: Ledger, clock: Clock) -> None:
    """The patience with one head is none with the next."""
    enqueue(ledger, "acme", "core", verdict(), by="review")
    for _ in range(8):
        clock.now += LONGEST
        retrier(ledger).retry()
    assert len(jobs(ledger)) == 1, "one that waits stands for those after it"
    enqueue(ledger, "acme", "core", verdict(head=OTHER), by="review")
    clock.now += 2 * VERDICTS.first
    retrier(ledger).retry()
    assert len(jobs(ledger)) == 1


def test_what_waits_is_not_piled_up(ledger: Ledger, clock: Clock) -> None:
    """While the forge is away nothing is tried, and when it is back there is one review, soon."""
    enqueue(ledger, "acme", "core", verdict(), by="review")
    ledger.suspensions.suspend("acme", Scope.TEAM, "", SuspensionReason.FORGE_UNAVAILABLE, "away")
    for _ in range(50):
        clock.now += LONGEST
        retrier(ledger).retry()
    assert jobs(ledger) == []
    ledger.suspensions.resume("acme", Scope.TEAM, "", SuspensionReason.FORGE_UNAVAILABLE)
    assert len(jobs(ledger)) == 1
    clock.now += 4 * VERDICTS.first * (1 + VERDICTS.jitter)
    retrier(ledger).retry()
    assert len(jobs(ledger)) == 1, "waiting was no try"


def test_who_is_gone_is_not_asked(ledger: Ledger, clock: Clock) -> None:
    """A team or a bot that is no longer configured owes nothing, and nothing is kept of it."""
    for bots, teams in (({}, {"acme": team()}), ({"review": review_bot}, {})):
        enqueue(ledger, "acme", "core", verdict(), by="review")
        clock.now += LONGEST
        VerdictRetrier(ledger, bots, teams).retry()
        assert ledger.verdict_retries.due() == []
        assert jobs(ledger) == []


def test_it_heals_by_itself(hive_env: HiveEnv) -> None:
    """Given up in an outage: the status is an error, once it is over the worker reviews by itself, and says nothing twice."""
    pull, mara = proposed(hive_env), hive_env.mara.user("mara")
    ledger = hive_env.instance.ledger
    broken = worker_with(hive_env, failing(RuntimeError("no such engine")))
    look(ledger, broken, ReviewAsked(pull, mara, "a"))
    assert shown(hive_env, pull).state is State.ERROR
    [words] = said(hive_env, pull)
    assert "reviewed again by itself after a while" in words

    stop, worker = threading.Event(), hive_env.worker()
    with ledger.transaction() as db:
        db.execute("UPDATE verdict_retries SET next_at = 0")
    serving = threading.Thread(target=worker.serve, kwargs={"threads": 2, "stop": stop})
    serving.start()
    try:
        for _ in range(600):
            if shown(hive_env, pull).state is State.SUCCESS:
                break
            stop.wait(0.5)
    finally:
        stop.set()
        serving.join()
    assert shown(hive_env, pull).state is State.SUCCESS
    assert [each.state.value for each in hive_env.mara.reviews(pull)] == ["COMMENT"]
    assert told(hive_env) == []
    assert ledger.verdict_retries.due() == []


@pytest.mark.parametrize("ending", ["closed", "merged"])
def test_what_is_over_is_forgotten(hive_env: HiveEnv, ending: str) -> None:
    """A pull request that is closed or merged is not reviewed again, and its memory ends in time; reopened it is looked at."""
    ledger, worker, mara = hive_env.instance.ledger, hive_env.worker(), hive_env.mara
    pull = proposed(hive_env)
    look(ledger, worker, ReviewAsked(pull, mara.user("core"), "first"))
    assert shown(hive_env, pull).state is State.SUCCESS
    seen = mara.pull(pull)
    late = CommitStatus("hive/review", State.ERROR, "", "")
    at = (pull, seen.head_sha, seen.base_branch, seen.base_sha)
    enqueue(ledger, "acme", "core", SetVerdict(*at, late, key="late", may_pass=True), by="review")
    assert ledger.review_memory.closed() == {}
    end(hive_env, pull, ending)
    events = {"closed": PullClosed, "merged": PullMerged}
    look(ledger, worker, events[ending](pull, mara.user("mara"), "over"))
    assert set(ledger.review_memory.closed()) == {str(pull)}
    with ledger.transaction() as db:
        db.execute("UPDATE verdict_retries SET next_at = 0")
    assert ledger.verdict_retries.due() == []
    if ending == "closed":
        mara.reopen(pull)
        look(ledger, worker, ReviewAsked(pull, mara.user("core"), "again", again=True))
        assert ledger.review_memory.closed() == {}


@pytest.mark.parametrize("event", [PullClosed, PullMerged])
def test_an_old_word_of_an_end(hive_env: HiveEnv, event: type[PullClosed | PullMerged]) -> None:
    """A pull request that is open again, or was never closed, is not over because somebody says so late."""
    ledger, worker = hive_env.instance.ledger, hive_env.worker()
    pull = proposed(hive_env)
    look(ledger, worker, ReviewAsked(pull, hive_env.mara.user("core"), "first"))
    look(ledger, worker, event(pull, hive_env.mara.user("mara"), "old"))
    assert ledger.review_memory.closed() == {}
    assert shown(hive_env, pull).state is State.SUCCESS


def end(hive_env: HiveEnv, pull: Ref, ending: str) -> None:
    """Mara ends it, as soon as the forge lets her."""
    if ending == "closed":
        hive_env.mara.close(pull)
        return
    at = f"/repos/{APP.path}/pulls/{pull.number}/merge"
    hive_env.mara._client.post(at, Do="merge", head_commit_id=hive_env.mara.pull(pull).head_sha)
