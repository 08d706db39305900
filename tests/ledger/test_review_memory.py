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
    assert ledger.pruning.count(2000.0) == {"review_rounds": 2}
    assert ledger.pruning.prune("review_rounds", 2000.0) == 2
    assert ledger.review_memory.last(PULL) == replace(ROUND, number=3)
