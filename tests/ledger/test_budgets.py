"""Budgets: no cap is exceeded however many ask at once, and nothing that was spent is forgotten."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bots.money import CENT, DOLLAR
from hive.ledger import (
    CapBusy,
    Caps,
    Hold,
    Ledger,
    OverCap,
    Quote,
    Spender,
    TokenCounts,
)
from hive.ledger.budgets import HOLD_SECONDS, STOP_SECONDS
from hive.ledger.caps import SCOPES
from tests.conftest import Clock

ISSUE = "forgejo:acme/app#1"
OTHER = "forgejo:acme/app#2"
ELSEWHERE = "forgejo:acme/lib#1"
US = "this process"
TOKENS = TokenCounts(input=1000, output=200)
QUOTE = Quote("m", TOKENS, amount=10 * CENT, least=10 * CENT)
KILLED = """
import os, signal, sys
from pathlib import Path
from hive.ledger import Caps, Ledger, Quote, Spender, TokenCounts
ledger = Ledger(Path(sys.argv[1]))
run = ledger.runs.start("acme", "iris", "forgejo:acme/app#1", "k", "do it")
quote = Quote("m", TokenCounts(input=1000, output=200), amount=5, least=5)
ledger.budgets.reserve(Spender("acme", "iris", "forgejo:acme/app#1", run, 1), Caps(run=7), quote, "a process that dies")
os.kill(os.getpid(), signal.SIGKILL)
"""


def spender(ledger: Ledger, ref: str = ISSUE, agent: str = "iris") -> Spender:
    """A turn of a run."""
    run = ledger.runs.start("acme", agent, ref, f"{agent} {ref}", "do it")
    return Spender("acme", agent, ref, run, 100 + run)


def spend(ledger: Ledger, who: Spender, caps: Caps, cost: int = 10 * CENT) -> None:
    """A request that costs what was reserved for it."""
    hold = ledger.budgets.reserve(who, caps, replace(QUOTE, amount=cost, least=cost), US)
    ledger.budgets.settle(hold, TOKENS, cost, is_estimate=False)


def total(ledger: Ledger) -> int:
    """All that is booked."""
    return sum(row.cost for row in ledger.spending.by("team"))


@pytest.mark.parametrize("seed", range(3))
def test_many_workers_at_a_cap(ledger: Ledger, seed: int) -> None:
    """Sixteen that ask at the same moment spend no more than the cap, and hardly less."""
    cap, overlap = 4 * DOLLAR, threading.Barrier(16)

    def work(number: int) -> None:
        chance, who = random.Random(seed * 100 + number), spender(ledger, agent=f"a{number}")
        overlap.wait()
        while True:
            most = chance.randrange(5, 40) * CENT
            try:
                hold = ledger.budgets.reserve(who, Caps(team_day=cap), replace(QUOTE, amount=most, least=4 * CENT), US)
            except CapBusy:
                continue
            except OverCap:
                return
            ledger.budgets.settle(hold, TOKENS, chance.randrange(1, hold.amount + 1), is_estimate=False)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert 0.95 * cap <= total(ledger) <= cap


@pytest.mark.parametrize(("scope", "period"), SCOPES)
def test_a_cap_counts_in_every_scope(ledger: Ledger, scope: str, period: str) -> None:
    """Whichever is reached first refuses, says which it is, and leaves no reservation anywhere."""
    who = spender(ledger)
    caps = Caps(**{"_".join(filter(None, (scope, period))): 15 * CENT})
    spend(ledger, who, caps)
    with pytest.raises(OverCap) as caught:
        ledger.budgets.reserve(who, caps, QUOTE, US)
    reached = caught.value.reached
    assert (reached.scope, reached.period, reached.cap, reached.spent) == (scope, period, 15 * CENT, 10 * CENT)
    ledger.budgets.reserve(who, Caps(), QUOTE, US)
    assert ledger.budgets.settle_dead("the next process") == 1


@pytest.mark.parametrize(
    ("cap", "others"),
    [
        (Caps(run=10 * CENT), [(ISSUE, "atlas"), (OTHER, "iris")]),
        (Caps(issue=10 * CENT), [(OTHER, "iris")]),
        (Caps(agent_day=10 * CENT), [(ISSUE, "atlas")]),
        (Caps(repo_day=10 * CENT), [(ELSEWHERE, "iris")]),
    ],
    ids=str,
)
def test_a_cap_is_that_of_one(ledger: Ledger, cap: Caps, others: list[tuple[str, str]]) -> None:
    """What one run, issue, agent or repository has spent is no other's."""
    spend(ledger, spender(ledger), cap)
    for ref, agent in others:
        spend(ledger, spender(ledger, ref, agent), cap)


def test_what_others_reserve_is_waited_for(ledger: Ledger) -> None:
    """A request that fits once others are settled is not over the cap; nor is it cut down for them."""
    who, caps = spender(ledger), Caps(run=25 * CENT)
    quote = replace(QUOTE, least=CENT)
    first = ledger.budgets.reserve(who, caps, quote, US)
    ledger.budgets.reserve(who, caps, quote, US)
    with pytest.raises(CapBusy) as caught:
        ledger.budgets.reserve(who, caps, quote, US)
    assert caught.value.reached.held == 20 * CENT
    ledger.budgets.settle(first, TOKENS, CENT, is_estimate=False)
    assert ledger.budgets.reserve(who, caps, quote, US).amount == 10 * CENT


def test_the_last_request_is_smaller(ledger: Ledger) -> None:
    """What is left of a cap is given to a request that can do with it."""
    who, caps = spender(ledger), Caps(run=13 * CENT)
    spend(ledger, who, caps)
    assert ledger.budgets.reserve(who, caps, replace(QUOTE, least=2 * CENT), US).amount == 3 * CENT


def test_what_costs_nothing_has_no_cap(ledger: Ledger) -> None:
    """A model at home answers whatever was spent on others, and its tokens are booked."""
    who, caps = spender(ledger), Caps(run=0)
    hold = ledger.budgets.reserve(who, caps, Quote("m", TOKENS, amount=0, least=0), US)
    ledger.budgets.settle(hold, TOKENS, 0, is_estimate=False)
    with pytest.raises(OverCap):
        ledger.budgets.reserve(who, caps, QUOTE, US)
    assert ledger.spending.of_run(who.run).tokens == 1200


def test_a_killed_process_has_spent_what_it_reserved(ledger: Ledger) -> None:
    """Nobody knows what its request cost: it is booked as estimated, once, and blocks nothing any more."""
    path = ledger._db._path
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)])
    assert done.returncode == -signal.SIGKILL
    assert ledger.budgets.settle_dead(US) == 1
    assert ledger.budgets.settle_dead(US) == 0
    (row,) = ledger.spending.by("agent")
    assert (row.name, row.cost, row.input, row.output, row.estimates) == ("iris", 5, 1000, 200, 1)
    spend(ledger, spender(ledger), Caps(run=7), cost=2)


def test_a_living_process_keeps_its_holds(ledger: Ledger, clock: Clock) -> None:
    """Until their time is over; an answer that comes after all corrects what was booked then."""
    who = spender(ledger)
    hold = ledger.budgets.reserve(who, Caps(), QUOTE, US)
    assert ledger.budgets.settle_dead(US) == 0
    clock.pass_(HOLD_SECONDS + 1)
    assert ledger.budgets.settle_dead(US) == 1
    assert total(ledger) == 10 * CENT
    ledger.budgets.settle(hold, TokenCounts(input=7, output=5), 3 * CENT, is_estimate=False)
    assert total(ledger) == 3 * CENT
    consistent(ledger)


def test_settled_twice_is_settled_once(ledger: Ledger) -> None:
    """A booking is made for a hold, so that no retry doubles it; a hold of which nothing came is dropped."""
    who = spender(ledger)
    hold = ledger.budgets.reserve(who, Caps(), QUOTE, US)
    for _ in range(2):
        ledger.budgets.settle(hold, TOKENS, 2 * CENT, is_estimate=False)
    ledger.budgets.settle(Hold(10_000, 1), TOKENS, 2 * CENT, is_estimate=False)
    ledger.budgets.drop(ledger.budgets.reserve(who, Caps(), QUOTE, US))
    assert ledger.budgets.settle_dead("the next process") == 0
    assert total(ledger) == 2 * CENT
    consistent(ledger)


def consistent(ledger: Ledger) -> None:
    """Every sum is that of its bookings."""
    with ledger.transaction() as db:
        booked = db.execute("SELECT * FROM bookings").fetchall()
        sums = {
            (row["scope"], row["name"], row["period"]): row["spent"] for row in db.execute("SELECT * FROM spending")
        }
        runs = {row["id"]: (row["tokens_in"], row["tokens_out"]) for row in db.execute("SELECT * FROM runs")}
    wanted: dict[tuple[str, str, str], int] = {}
    tokens = dict.fromkeys(runs, (0, 0))
    for row in booked:
        who = Spender(*(row[name] for name in ("team", "agent", "ref", "run", "turn")))
        for _, _, key in who.accounts(row["at"]):
            wanted[key] = wanted.get(key, 0) + row["cost"]
        read = row["input"] + row["cache_read"] + row["cache_write"]
        tokens[who.run] = tokens[who.run][0] + read, tokens[who.run][1] + row["output"]
    assert {key: spent for key, spent in sums.items() if spent or key in wanted} == wanted
    assert runs == tokens


@pytest.mark.parametrize("seed", range(5))
def test_one_truth(ledger: Ledger, clock: Clock, seed: int) -> None:
    """Whatever happens in whatever order, sums, counters of runs and bookings say the same."""
    chance = random.Random(seed)
    spenders = [spender(ledger, ref, agent) for ref in (ISSUE, OTHER, ELSEWHERE) for agent in ("iris", "atlas")]
    holds: list[Hold] = []
    for _ in range(60):
        match chance.randrange(5):
            case 0 | 1:
                quote = replace(QUOTE, amount=chance.randrange(10) * CENT, least=0)
                holds.append(ledger.budgets.reserve(chance.choice(spenders), Caps(), quote, chance.choice([US, "old"])))
            case 2 if holds:
                tokens = TokenCounts(*(chance.randrange(1000) for _ in range(4)))
                cost = chance.randrange(10 * CENT)
                ledger.budgets.settle(chance.choice(holds), tokens, cost, is_estimate=chance.random() < 0.3)
            case 3:
                clock.pass_(chance.choice([1, HOLD_SECONDS, 86_400, 20 * 86_400]))
            case _:
                ledger.budgets.settle_dead(US)
    consistent(ledger)


@pytest.mark.parametrize(
    ("caps", "until"),
    [(Caps(agent_day=10 * CENT), "2027-02-01T00:00"), (Caps(team_month=10 * CENT), "2027-02-01T00:00")],
    ids=["day", "month"],
)
def test_a_cap_is_renewed(ledger: Ledger, clock: Clock, caps: Caps, until: str) -> None:
    """A new day or month, by UTC, begins with all of it; a request counts for the one in which it was made."""
    clock.now = datetime(2027, 1, 31, 23, 59, 50, tzinfo=UTC).timestamp()
    who = spender(ledger)
    hold = ledger.budgets.reserve(who, caps, QUOTE, US)
    clock.pass_(20)
    ledger.budgets.reserve(who, caps, QUOTE, US)
    ledger.budgets.settle(hold, TOKENS, 10 * CENT, is_estimate=False)
    clock.pass_(-20)
    with pytest.raises(OverCap) as caught:
        ledger.budgets.reserve(who, caps, QUOTE, US)
    assert datetime.fromtimestamp(caught.value.reached.until, UTC).isoformat()[:16] == until


def test_warnings_are_given_once(ledger: Ledger) -> None:
    """At 75 and at 95 percent, and again after an operator has added to the cap."""
    who, caps, marks = spender(ledger), Caps(run=DOLLAR), []
    for _ in range(10):
        hold = ledger.budgets.reserve(who, caps, QUOTE, US)
        marks += [warning.level for warning in ledger.budgets.settle(hold, TOKENS, 10 * CENT, is_estimate=False)]
    assert marks == [75, 95]
    ledger.budgets.raise_caps(ISSUE, who.run, DOLLAR)
    for _ in range(6):
        hold = ledger.budgets.reserve(who, caps, QUOTE, US)
        marks += [warning.level for warning in ledger.budgets.settle(hold, TOKENS, 10 * CENT, is_estimate=False)]
    assert marks == [75, 95, 75]


def test_a_raise_finds_what_it_lets_go_on(ledger: Ledger) -> None:
    """The run that its own cap or that of its issue has stopped, once; no ended one, and none that waits for a day."""
    mine, peer, waiting = spender(ledger), spender(ledger, agent="atlas"), spender(ledger, agent="vega")
    ended = spender(ledger, agent="rigel")
    for who, caps in (
        (mine, Caps(run=0)),
        (peer, Caps(issue=0)),
        (waiting, Caps(agent_day=0)),
        (ended, Caps(issue=0)),
    ):
        with pytest.raises(OverCap) as caught:
            ledger.budgets.reserve(who, caps, QUOTE, US)
        ledger.budgets.stop(who, caught.value.reached)
        assert ledger.budgets.stopped(who.turn) == caught.value.reached
    ledger.runs.end(ended.run, "closed")
    assert ledger.budgets.raise_caps(ISSUE, mine.run, 10 * CENT) == [mine.run, peer.run]
    assert ledger.budgets.raise_caps(ISSUE, mine.run, 10 * CENT) == []
    assert ledger.budgets.stopped(mine.turn) is None
    spend(ledger, mine, Caps(run=0))
    spend(ledger, peer, Caps(issue=0))


def test_a_stop_ends_when_its_cap_gives_way(ledger: Ledger, clock: Clock) -> None:
    """With the day that it waited for, or when a request fits later, whatever the reason; not by a small one beside it."""
    who = spender(ledger)
    for caps, seconds in ((Caps(agent_day=0), 86_400.0), (Caps(run=0), STOP_SECONDS + 1)):
        with pytest.raises(OverCap) as caught:
            ledger.budgets.reserve(who, caps, QUOTE, US)
        ledger.budgets.stop(who, caught.value.reached)
        ledger.budgets.reserve(who, Caps(), QUOTE, US)
        assert ledger.budgets.stopped(who.turn) is not None
        clock.pass_(seconds)
        ledger.budgets.reserve(who, Caps(), QUOTE, US)
        assert ledger.budgets.stopped(who.turn) is None


def test_spending_is_listed(ledger: Ledger) -> None:
    """By whatever it is asked, the dearest first, and days in their order."""
    for agent, cost in (("iris", 1), ("atlas", 3), ("iris", 1)):
        spend(ledger, spender(ledger, agent=agent), Caps(), cost * CENT)
    assert [(row.name, row.cost, row.requests) for row in ledger.spending.by("agent")] == [
        ("atlas", 3 * CENT, 1),
        ("iris", 2 * CENT, 2),
    ]
    assert [row.name for row in ledger.spending.by("day")] == ["2027-01-15"]
    assert [row.name for row in ledger.spending.by("repo")] == ["forgejo:acme/app"]
    assert ledger.spending.by("issue", since=ledger.clock() + 1) == []


def test_old_spending_is_pruned(ledger: Ledger, clock: Clock) -> None:
    """Bookings and the sums of past days go; what an issue has cost in all stays."""
    who = spender(ledger)
    spend(ledger, who, Caps(issue=DOLLAR))
    clock.pass_(400 * 86_400.0)
    for table in ("bookings", "spending", "budget_stops"):
        ledger.pruning.prune(table, clock() - 200 * 86_400.0)
    with ledger.transaction() as db:
        left = [(row["scope"], row["spent"]) for row in db.execute("SELECT scope, spent FROM spending")]
    assert sorted(left) == [("issue", 10 * CENT), ("run", 10 * CENT)]
    assert total(ledger) == 0


def test_what_refused_is_shown(ledger: Ledger) -> None:
    """A cap is known from the first request on that it refused: people are told of what."""
    who = spender(ledger)
    with pytest.raises(OverCap):
        ledger.budgets.reserve(who, Caps(run=CENT, team_day=DOLLAR), QUOTE, US)
    found = ledger.spending.budget(ISSUE)
    assert found is not None
    assert [(cap.scope, cap.period, cap.spent, cap.cap) for cap in found.caps] == [
        ("run", "", 0, CENT),
        ("team", "day", 0, DOLLAR),
    ]
