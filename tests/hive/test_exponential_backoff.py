"""Waits between tries: they double, they have a bound, and no outage is too long for them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive import backoff
from hive.backoff import OUTAGE_PROBES, ExponentialBackoff
from hive.ledger import NEVER, Ledger, Scope, SuspensionReason
from tests.conftest import Clock

HIVE = Path(__file__).parent.parent.parent / "hive"
POLICIES = {name: each for name, each in vars(backoff).items() if isinstance(each, ExponentialBackoff)}


def test_waits_double() -> None:
    """Each failure in a row doubles the wait, up to the longest."""
    plain = ExponentialBackoff(0.5, 6.0)
    assert [plain.delay(failures) for failures in range(6)] == [0.5, 0.5, 1.0, 2.0, 4.0, 6.0]


@pytest.mark.parametrize("name", POLICIES)
@given(failures=st.integers(0, 10**9), asked=st.floats(0, 10_000))
def test_waits_have_bounds(name: str, failures: int, asked: float) -> None:
    """However often it failed, a wait is no shorter than what was asked for, and not much longer than the longest."""
    policy = POLICIES[name]
    wait = policy.delay(failures, at_least=asked)
    assert max(asked, min(policy.first, policy.longest)) <= wait
    assert wait <= max(asked, policy.longest) * (1 + policy.jitter)


def test_those_who_failed_together_come_back_apart() -> None:
    """Jitter spreads the waits, and shortens none."""
    spread = {ExponentialBackoff(1.0, 60.0, jitter=0.2).delay(1, at_least=30.0) for _ in range(50)}
    assert len(spread) > 10
    assert min(spread) >= 30.0


def test_an_outage_of_weeks(ledger: Ledger, clock: Clock) -> None:
    """A forge that was probed in vain thousands of times is probed again half a minute later."""
    ledger.suspensions.suspend("acme", Scope.TEAM, "", SuspensionReason.FORGE_UNAVAILABLE, "forge unavailable")
    with ledger.transaction() as db:
        db.execute("UPDATE suspensions SET attempts = 5000")
    (suspension,) = ledger.suspensions.due()
    ledger.suspensions.reschedule(suspension, OUTAGE_PROBES.delay(suspension.attempts + 1))
    (suspension,) = ledger.suspensions.all()
    assert clock() < suspension.next_at <= clock() + 30.0 < NEVER


def test_there_is_one_formula() -> None:
    """No module outside the agent's container doubles waits by itself."""
    for path in HIVE.rglob("*.py"):
        if path != HIVE / "backoff.py" and "agent" not in path.relative_to(HIVE).parts:
            found = re.search(r"(\d|seconds|delay|SECONDS) ?\* ?2(\.0)? ?\*\* ?|random\.uniform", path.read_text())
            assert found is None, f"{path}: {found and found[0]}"
    assert "2 **" not in (HIVE / "gateway" / "agent_backoff.py").read_text()
