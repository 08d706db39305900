"""Steps are planned from what is, so that a crash between any two loses nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hive.ledger import Generation
from hive.reconcile.steps import Activate, Actual, Build, Probe, Step, Switch, plan

SHAS = st.sampled_from(["", "a", "b"])
A, B = Generation("a"), Generation("b")
ACTUAL = st.builds(Actual, st.frozensets(st.sampled_from(["a", "b"])), SHAS, SHAS, SHAS)


def after(actual: Actual, step: Step) -> Actual:
    """What is, once a step is done."""
    match step:
        case Build():
            return Actual(actual.built | {step.sha}, actual.pointed, actual.running, actual.answered)
        case Switch():
            return Actual(actual.built, step.sha, actual.running, actual.answered)
        case Activate():
            return Actual(actual.built, actual.pointed, step.sha, "")
        case Probe():
            return Actual(actual.built, actual.pointed, actual.running, step.sha)


def test_from_nothing() -> None:
    """A container that never was takes all four steps."""
    assert plan(A, Actual()) == [Build(A), Switch(A), Activate(A), Probe(A)]


def test_nothing_to_do() -> None:
    """What runs and has answered is left alone."""
    assert plan(A, Actual(frozenset("a"), "a", "a", "a")) == []


@given(ACTUAL, st.integers(0, 4))
def test_converges_from_anywhere(actual: Actual, killed_after: int) -> None:
    """Killed after any step and planned anew, it ends with the wanted container, answering."""
    for step in plan(B, actual)[:killed_after]:
        actual = after(actual, step)
    for step in plan(B, actual):
        actual = after(actual, step)
    assert (actual.pointed, actual.running, actual.answered) == ("b", "b", "b")
    assert "b" in actual.built
    assert plan(B, actual) == []


@given(ACTUAL)
def test_never_points_to_what_is_not_built(actual: Actual) -> None:
    """Building comes before pointing, pointing before starting, and starting before the sign of life."""
    order = [Build, Switch, Activate, Probe]
    steps = [order.index(type(step)) for step in plan(A, actual)]
    assert steps == sorted(steps)
