"""Jobs: each owed once, taken by one, given back by the dead."""

from __future__ import annotations

import pytest

from forge.events import CommentPosted, IssueOpened, PullChanged
from forge.models import Ref, Repo, User
from forge.webhook import Delivery
from hive.ledger import Job, Ledger, compress
from hive.ledger.jobs import LEASE_SECONDS, MAX_ATTEMPTS, MAX_DEATHS
from tests.conftest import Clock

APP = Repo("forgejo", "acme", "app")
ONE = IssueOpened(Ref(APP, 1), User(1, "mara"), "opened:1")
OTHER = PullChanged(Ref(APP, 1), User(1, "mara"), "head:1:a")
TWO = IssueOpened(Ref(APP, 2), User(1, "mara"), "opened:2")


def delivery(uuid: str = "u1") -> Delivery:
    """A delivery with a body of its own."""
    return Delivery("forgejo", uuid, "issues", b"{}" + uuid.encode())


def claimed(ledger: Ledger, job_id: int) -> Job:
    """A job that must be there to be taken."""
    job = ledger.jobs.claim(job_id)
    assert job is not None
    return job


def test_a_delivery_is_taken_in_once(ledger: Ledger) -> None:
    """The same delivery again is not stored; it is read once, in its turn, and comes back as it was."""
    first, second = delivery(), delivery("u2")
    assert ledger.deliveries.receive(first, compress(first.body))
    assert not ledger.deliveries.receive(first, compress(first.body))
    assert ledger.deliveries.receive(second, compress(second.body))
    assert ledger.deliveries.unread() == [(1, first), (2, second)]
    ledger.deliveries.mark_read(1, team="acme")
    ledger.deliveries.mark_read(2, failed=True)
    assert ledger.deliveries.unread() == []


def test_an_event_makes_one_job(ledger: Ledger) -> None:
    """The same event by another door makes no second one."""
    assert ledger.jobs.enqueue("acme", [("triage", ONE)]) == [1]
    assert ledger.jobs.enqueue("acme", [("triage", ONE)]) == []


def test_every_bot_owes_its_own_look(ledger: Ledger) -> None:
    """An event that two bots listen to makes two jobs, and the event comes back as it was."""
    jobs = ledger.jobs.enqueue("acme", [("triage", ONE), ("lane", ONE)])
    assert len(jobs) == 2
    assert claimed(ledger, jobs[0]).event == ONE


def test_one_at_a_time_for_each_ref(ledger: Ledger) -> None:
    """Jobs of one ref are looked at one after another, oldest first; other refs do not wait."""
    ids = ledger.jobs.enqueue("acme", [("lane", ONE), ("lane", OTHER), ("lane", TWO)])
    assert ledger.jobs.claim(ids[1]) is None
    first = claimed(ledger, ids[0])
    assert ledger.jobs.claim(ids[1]) is None
    claimed(ledger, ids[2])
    ledger.jobs.finish(first)
    assert ledger.jobs.due() == [ids[1]]
    claimed(ledger, ids[1])


def test_what_stands_alone_may_be_taken_first(ledger: Ledger) -> None:
    """While looks wait, comments do not; but on one subject nothing overtakes."""
    said = CommentPosted(Ref(APP, 3), User(1, "mara"), "comment:5", 5)
    behind = CommentPosted(Ref(APP, 1), User(1, "mara"), "comment:6", 6)
    one, three, _ = ledger.jobs.enqueue("acme", [("lane", ONE), ("commands", said), ("commands", behind)])
    first = ledger.jobs.claim_next(alone=True)
    assert first is not None
    assert first.id == three
    assert ledger.jobs.claim_next(alone=True) is None
    second = ledger.jobs.claim_next()
    assert second is not None
    assert second.id == one


def test_nobody_takes_what_is_held(ledger: Ledger, clock: Clock) -> None:
    """A lease keeps others away until it runs out."""
    (job_id,) = ledger.jobs.enqueue("acme", [("lane", ONE)])
    claimed(ledger, job_id)
    assert ledger.jobs.claim(job_id) is None
    assert ledger.jobs.due() == []
    clock.pass_(LEASE_SECONDS + 1)
    assert ledger.jobs.due() == [job_id]
    assert claimed(ledger, job_id).attempts == 2


def test_a_dead_worker_gives_back_at_once(ledger: Ledger, clock: Clock) -> None:
    """A new worker frees what the last one held."""
    (job_id,) = ledger.jobs.enqueue("acme", [("lane", ONE)])
    claimed(ledger, job_id)
    ledger.expire_leases()
    clock.pass_(0.001)
    claimed(ledger, job_id)


def test_a_job_that_kills_its_worker_is_given_up(ledger: Ledger, clock: Clock) -> None:
    """It is taken a few times only; that it was put off meanwhile, by a worker that lived, is no death."""
    (job_id,) = ledger.jobs.enqueue("acme", [("lane", ONE)])
    for _ in range(2):
        for _ in range(MAX_DEATHS - 1):
            claimed(ledger, job_id)
            clock.pass_(LEASE_SECONDS + 1)
        assert ledger.jobs.retry(claimed(ledger, job_id), "the forge is down", 5)
        clock.pass_(5)
    for _ in range(MAX_DEATHS):
        assert ledger.dead_letters.crashing() == []
        claimed(ledger, job_id)
        clock.pass_(LEASE_SECONDS + 1)
    assert ledger.jobs.due() == []
    assert ledger.jobs.claim(job_id) is None
    (deadly,) = ledger.dead_letters.crashing()
    ledger.jobs.fail(deadly, "its worker died each time")
    assert ledger.dead_letters.crashing() == []


def test_postponed_waits(ledger: Ledger, clock: Clock) -> None:
    """What is postponed is due later, and not for ever."""
    (job_id,) = ledger.jobs.enqueue("acme", [("lane", ONE)])
    for _ in range(MAX_ATTEMPTS - 1):
        assert ledger.jobs.retry(claimed(ledger, job_id), "the forge is down", 5)
        assert ledger.jobs.due() == []
        clock.pass_(5)
    assert not ledger.jobs.retry(claimed(ledger, job_id), "the forge is down", 5)


def test_transactions_are_whole_or_nothing(ledger: Ledger) -> None:
    """When the process stops halfway nothing of it is there."""

    def halfway() -> None:
        with ledger.transaction():
            ledger.deliveries.receive(delivery(), compress(b"{}"))
            ledger.jobs.enqueue("acme", [("lane", ONE)])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        halfway()
    assert ledger.jobs.due() == []
    assert ledger.deliveries.unread() == []
    assert ledger.deliveries.receive(delivery(), compress(b"{}"))


def test_cursors_are_kept(ledger: Ledger) -> None:
    """A sweep goes on where it stopped."""
    assert ledger.deliveries.cursor("x") is None
    ledger.deliveries.move_cursor("x", "1")
    ledger.deliveries.move_cursor("x", "2")
    assert ledger.deliveries.cursor("x") == "2"
