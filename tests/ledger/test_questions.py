"""A question is settled once: by an answer, by time, or with its run."""

from __future__ import annotations

from typing import Any

import pytest

from hive.ledger import CANCELLED, EXPIRED, Ledger, Question

ISSUE = "forgejo:acme/app#1"


class At:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def at() -> At:
    """The time."""
    return At()


@pytest.fixture
def ledger(tmp_path: Any, at: At) -> Any:
    """A ledger with a run."""
    made = Ledger(tmp_path / "ledger.db", at)
    made.runs.start("acme", "iris", ISSUE, "k", "do it")
    yield made
    made.close()


def ask(ledger: Ledger, key: str = "q1", *, seconds: float = 60.0) -> Question | None:
    """Run 1 asks; returns what it waits for then."""
    ledger.questions.ask(
        1, 1, key, ref=ISSUE, question="a or b?", options=["a", "b"], addressee=7, comment=5, seconds=seconds
    )
    return ledger.questions.open_of(1)


def test_a_question_is_asked_once(ledger: Ledger) -> None:
    """Under the same key it is the same one, and a run waits for one answer at a time."""
    first = ask(ledger)
    assert first is not None
    assert (first.team, first.agent, first.options, first.addressee) == ("acme", "iris", ("a", "b"), 7)
    assert ask(ledger) == ask(ledger, "q2") == first
    assert ledger.questions.settle(first.id, "answered", "a", by="mara")
    assert ask(ledger) is None
    second = ask(ledger, "q2")
    assert second is not None
    assert second.id != first.id


def test_a_question_is_settled_once(ledger: Ledger) -> None:
    """Of two answers at the same time the first one counts, whatever it was."""
    found = ask(ledger)
    assert found is not None
    assert ledger.questions.settle(found.id, "expired", EXPIRED)
    assert not ledger.questions.settle(found.id, "answered", "a", by="mara")
    settled = ledger.questions.by_key("q1")
    assert settled is not None
    assert (settled.state, settled.answer, settled.answered_by) == ("expired", EXPIRED, "")


def test_a_question_expires(ledger: Ledger, at: At) -> None:
    """When its time is over, and not before."""
    ask(ledger, seconds=60)
    at.now += 59
    assert ledger.questions.due() == []
    at.now += 1
    assert [each.key for each in ledger.questions.due()] == ["q1"]


def test_a_question_ends_with_its_run(ledger: Ledger) -> None:
    """However the run ends; and a run that has ended asks nothing more."""
    ask(ledger)
    ledger.runs.end(1, "cancelled")
    found = ledger.questions.by_key("q1")
    assert found is not None
    assert (found.state, found.answer) == ("cancelled", CANCELLED)
    assert ask(ledger, "q2") is None
