"""A ledger remembers the rounds of a review, and what was dismissed counts for the code that it was about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bots.models import Category, Finding, Level
from bots.review_rounds import FindingState, RememberedFinding, ReviewRound
from hive.ledger import Dismissal, Ledger

PULL, OTHER = "forgejo:acme/app#1", "forgejo:acme/app#2"
FOUND = Finding("a.py", 3, Level.RED, Category.SECURITY, "S602", "Shell", "Because.", 20, "x", "ruff", 4)
KNOWN = RememberedFinding(1, FOUND, FindingState.STILL, "c0ffee", since=1, seen=2, was="y")
ROUND = ReviewRound(2, "a" * 40, "main", "b" * 40, "BLOCKED", (KNOWN,))
WORD = Dismissal(1, "c0ffee", "S602", "a.py", "mara", "it is meant so")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger whose clock a test does not need."""
    made = Ledger(tmp_path / "ledger.db", lambda: 1000.0)
    yield made
    made.close()


def test_a_round_is_read_as_it_was_stored(ledger: Ledger) -> None:
    """Each pull request has its own, whole and in full."""
    assert ledger.review_memory.last(PULL) is None
    for _ in range(2):
        ledger.review_memory.store(PULL, ROUND)
    assert ledger.review_memory.last(PULL) == ROUND
    assert ledger.review_memory.last(OTHER) is None


def test_an_older_round_comes_too_late(ledger: Ledger) -> None:
    """What is known of the newest round is not replaced by one before it."""
    ledger.review_memory.store(PULL, ROUND)
    ledger.review_memory.store(PULL, replace(ROUND, number=1, findings=()))
    assert ledger.review_memory.last(PULL) == ROUND


def test_a_dismissal_is_for_one_code(ledger: Ledger) -> None:
    """It ends an open finding whose code is the same, however late the round is stored, and no other one."""
    ledger.review_memory.dismiss(PULL, WORD)
    ledger.review_memory.dismiss(PULL, replace(WORD, why="again"))
    changed = replace(KNOWN, number=1, context="decaf")
    fixed = replace(KNOWN, state=FindingState.FIXED)
    for known, state in ((KNOWN, "dismissed"), (changed, "still_open"), (fixed, "fixed")):
        ledger.review_memory.store(PULL, replace(ROUND, findings=(known,)))
        [found] = (ledger.review_memory.last(PULL) or ROUND).findings
        assert found.state.value == state
    ledger.review_memory.store(PULL, ROUND)
    [found] = (ledger.review_memory.last(PULL) or ROUND).findings
    assert (found.by, found.why) == ("mara", "it is meant so")
    ledger.review_memory.store(OTHER, ROUND)
    assert ledger.review_memory.last(OTHER) == ROUND


def test_the_newest_round_is_kept(ledger: Ledger) -> None:
    """Old rounds are deleted in time, the one that counts never."""
    for number in (1, 2, 3):
        ledger.review_memory.store(PULL, replace(ROUND, number=number))
    assert ledger.pruning.count(2000.0) == {"review_rounds": 2, "review_facts": 1}
    assert ledger.pruning.prune("review_rounds", 2000.0) == 2
    assert ledger.review_memory.last(PULL) == replace(ROUND, number=3)


def test_a_closed_pull_request_is_forgotten_in_time(ledger: Ledger) -> None:
    """Rounds and dismissals of one that is over go after a while, those of an open one stay; what became of them is counted longer."""
    for ref in (PULL, OTHER):
        ledger.review_memory.store(ref, ROUND)
        ledger.review_memory.dismiss(ref, WORD)
    ledger.review_memory.close(PULL)
    ledger.review_memory.close("forgejo:acme/app#3")
    assert ledger.review_memory.closed() == {PULL: 1000.0}
    assert ledger.pruning.count(0.0, 1000.0) == {}
    assert ledger.pruning.count(0.0, 1001.0) == {"review_rounds": 1, "dismissals": 1}
    for table in ("review_rounds", "dismissals", "closed_reviews"):
        ledger.pruning.prune(table, 0.0, 1001.0)
    assert ledger.review_memory.last(PULL) is None
    assert (ledger.review_memory.last(OTHER), len(ledger.review_memory.dismissals(OTHER))) != (None, 0)
    assert len(ledger.review_lessons.facts()) == 2
    assert ledger.review_memory.closed() == {PULL: 1000.0}
    ledger.pruning.prune("closed_reviews", 1001.0, 1001.0)
    assert ledger.review_memory.closed() == {}


def test_another_round_opens_it_again(ledger: Ledger) -> None:
    """A pull request that was reopened and reviewed is not over."""
    ledger.review_memory.store(PULL, ROUND)
    ledger.review_memory.close(PULL)
    ledger.review_memory.store(PULL, replace(ROUND, number=3))
    assert ledger.review_memory.closed() == {}


def test_what_became_of_a_finding(ledger: Ledger) -> None:
    """The newest word counts: of a round, or of who dismissed it, even where that came between the look and its round."""
    ledger.review_memory.store(PULL, ROUND)
    [fact] = ledger.review_lessons.facts("forgejo:acme/app")
    assert (fact.rule, fact.path, fact.level, fact.state, fact.by) == ("S602", "a.py", "red", FindingState.STILL, "")
    ledger.review_memory.dismiss(PULL, WORD)
    ledger.review_memory.store(PULL, ROUND)
    [fact] = ledger.review_lessons.facts()
    assert (fact.state, fact.by, fact.why) == (FindingState.DISMISSED, "mara", "it is meant so")
    ledger.review_memory.store(PULL, replace(ROUND, findings=(replace(KNOWN, state=FindingState.FIXED),)))
    [fact] = ledger.review_lessons.facts()
    assert (fact.state, fact.by) == (FindingState.FIXED, "")
    assert ledger.review_lessons.facts("forgejo:acme/ap") == []
    assert ledger.review_lessons.facts(since=1000.5) == []
