"""Leases: one holder at a time, and what comes late from an earlier one changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from forge.events import IssueOpened
from forge.models import Ref, Repo, User
from hive.ledger import Ledger, StaleLease
from tests.conftest import Clock

LEDGER = Path(__file__).parent.parent.parent / "hive" / "ledger"
SUBJECT = Ref(Repo("forgejo", "acme", "app"), 1)
LONG = 1000.0
"""Longer than any lease."""


@dataclass(frozen=True)
class Work:
    """One row of work: how it is claimed, and how its holder renews it, gives it back and ends it."""

    claim: Callable[[], Any]
    renew: Callable[[Any], object]
    release: Callable[[Any], object]
    finish: Callable[[Any], object]


def jobs(ledger: Ledger) -> Work:
    """A job of a bot."""
    event = IssueOpened(SUBJECT, User(1, "mara"), "k")
    (number,) = ledger.jobs.enqueue("acme", [("triage", event)])
    part = ledger.jobs
    return Work(lambda: part.claim(number), part.renew, lambda job: part.release(job, "away"), part.finish)


def effects(ledger: Ledger) -> Work:
    """An effect that nobody renews: it is short."""
    part = ledger.effects
    number = part.enqueue("acme", "core", "post_comment", "k", "{}")
    return Work(
        lambda: part.claim(number),
        lambda effect: part.get(number).attempts == effect.attempts,
        lambda effect: part.release(effect, "away"),
        lambda effect: part.finish(effect, {}),
    )


def turns(ledger: Ledger) -> Work:
    """An agent's turn."""
    part = ledger.runs
    part.start("acme", "iris", str(SUBJECT), "k", "go")
    return Work(
        lambda: part.claim("iris"), part.renew, part.pause, lambda turn: part.end_turn(turn, "answered", steps=1)
    )


@pytest.fixture(params=[jobs, effects, turns])
def work(request: pytest.FixtureRequest, ledger: Ledger) -> Work:
    """The same laws for each kind of work."""
    made: Work = request.param(ledger)
    return made


def lost(act: Callable[[Any], object], held: Any) -> bool:
    """Whether a holder is told that its lease is lost."""
    try:
        return act(held) is False
    except StaleLease:
        return True


def test_one_holder(work: Work, clock: Clock) -> None:
    """What is held is claimed by nobody else, until its lease expires."""
    held = work.claim()
    assert held.attempts == 1
    assert work.claim() is None
    clock.pass_(LONG)
    assert work.claim().attempts == 2


def test_a_late_holder_changes_nothing(work: Work, clock: Clock) -> None:
    """Whoever lost a lease neither renews nor gives back nor ends what somebody else holds."""
    late = work.claim()
    clock.pass_(LONG)
    held = work.claim()
    assert [lost(act, late) for act in (work.renew, work.release, work.finish)] == [True] * 3
    assert work.claim() is None, "it is still held"
    assert not lost(work.finish, held)
    assert work.claim() is None, "and done"


def test_a_release_is_refunded(work: Work) -> None:
    """What could not be tried loses no attempt by it, however often."""
    for _ in range(3):
        held = work.claim()
        assert held.attempts == 1
        assert not lost(work.release, held)
        assert lost(work.release, held), "once is enough"


def test_a_renewed_lease_lasts(ledger: Ledger, clock: Clock) -> None:
    """A holder that renews is not taken for dead."""
    for work in (jobs(ledger), turns(ledger)):
        held = work.claim()
        for _ in range(5):
            clock.pass_(40)
            assert work.renew(held) is True
        assert work.claim() is None


def test_steps_of_a_lost_turn_do_not_count(ledger: Ledger, clock: Clock) -> None:
    """The run of a turn that somebody else holds by now is not moved by the end that its first holder tells."""
    work = turns(ledger)
    late = work.claim()
    clock.pass_(LONG)
    held = work.claim()
    work.finish(late)
    record = ledger.runs.record(held.run)
    assert record is not None
    assert (record.steps, record.turns[held.id]) == (0, "running, try 2")


def test_a_restart_expires_leases(ledger: Ledger) -> None:
    """When no worker is alive, what the last one held can be claimed at once."""
    for work in (jobs(ledger), effects(ledger)):
        assert work.claim().attempts == 1
        ledger.expire_leases()
        assert work.claim().attempts == 2


def test_leases_are_kept_in_one_place() -> None:
    """No other module of the ledger writes a lease or a number of attempts by a fence."""
    for path in LEDGER.glob("*.py"):
        if path.name != "leases.py":
            assert not re.search(
                r"lease_until = [?:0]|attempts = attempts",
                path.read_text().replace("suspensions SET attempts = attempts", ""),
            ), path.name
