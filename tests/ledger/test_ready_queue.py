"""The ready queue: as much open work as an agent may have, and the rest waits in order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from hive.ledger import Ledger
from hive.ledger.ready_queue import CLAIM_SECONDS
from tests.conftest import Clock


def claim(ledger: Ledger, number: int, most: int = 2) -> bool:
    """Iris is given an issue."""
    return ledger.ready_queue.claim("acme", "iris", "app", ref(number), most=most)


def ref(number: int) -> str:
    """An issue."""
    return f"forgejo:acme/app#{number}"


def waiting(ledger: Ledger) -> list[str]:
    """What waits for iris."""
    return [entry.ref for entry in ledger.ready_queue.waiting("iris")]


def test_claims_and_runs_count_together(ledger: Ledger, clock: Clock) -> None:
    """What was given counts until its run does, and as long as that is open; who was asked beside work does not."""
    ledger.runs.start("acme", "iris", ref(9), "w", "what do you think?", wake="mention")
    assert [claim(ledger, number) for number in (1, 2, 3)] == [True, True, False]
    run = ledger.runs.start("acme", "iris", ref(1), "a", "do it")
    assert not claim(ledger, 3)
    assert ledger.ready_queue.room("iris", 2) == 0
    ledger.runs.end(run, "merged")
    assert ledger.ready_queue.room("iris", 2) == 1
    assert claim(ledger, 3)
    assert waiting(ledger) == []


def test_a_claim_is_repeated(ledger: Ledger) -> None:
    """After a crash the same answer comes again, and nothing counts twice."""
    assert [claim(ledger, number) for number in (1, 1, 2, 2, 3, 3, 1)] == [True, True, True, True, False, False, True]
    assert waiting(ledger) == [ref(3)]


def test_a_claim_without_a_run_is_forgotten(ledger: Ledger, clock: Clock) -> None:
    """An agent that never starts on what it was given, as somebody took it off, is not blocked by it for ever."""
    assert [claim(ledger, number, most=1) for number in (1, 2)] == [True, False]
    clock.now += CLAIM_SECONDS + 1
    assert claim(ledger, 2, most=1)


def test_one_place_is_given_once(ledger: Ledger) -> None:
    """However many ask at once."""
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda number: claim(ledger, number, most=3), range(1, 17)))
    assert won.count(True) == 3
    assert len(waiting(ledger)) == 13


def test_no_limit(ledger: Ledger) -> None:
    """0 lets everything through."""
    assert all(claim(ledger, number, most=0) for number in range(1, 30))
    assert ledger.ready_queue.room("iris", 0) > 0


def test_what_has_to_wait_waits(ledger: Ledger) -> None:
    """Whatever room there is; it keeps its place when it is tried again, and leaves when it is removed."""
    ledger.ready_queue.wait("acme", "iris", "app", ref(1))
    assert not claim(ledger, 2, most=1) or waiting(ledger) == [ref(1)]
    ledger.ready_queue.wait("acme", "iris", "app", ref(1))
    ledger.ready_queue.labelled(ref(1))
    (entry,) = ledger.ready_queue.waiting("iris")
    assert (entry.lane, entry.is_labelled) == ("app", True)
    assert ledger.ready_queue.agents("acme") == ["iris"]
    ledger.ready_queue.remove(ref(1))
    assert ledger.ready_queue.agents("acme") == []
