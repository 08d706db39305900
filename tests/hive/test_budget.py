"""An agent's budget: the gateway asks for money before it asks the model, and ends or rests in honest words."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from bots.money import CENT, DOLLAR, exactly
from hive.app.status import queue
from hive.config.costs import BudgetSettings
from hive.gateway import model_proxy
from hive.gateway.admission import Guard
from hive.gateway.budget import IMAGE_TOKENS, LEAST_REPLY, SEARCHES, Budget, caps_of, quoted
from hive.gateway.budget_waits import BudgetWaits
from hive.gateway.model_errors import ModelFailed
from hive.gateway.pricing import ModelPrice, PriceList, price_list
from hive.gateway.run_costs import with_costs
from hive.ledger import (
    BudgetScope,
    CapReached,
    Caps,
    Ledger,
    Period,
    Quote,
    Spender,
    SuspensionReason,
    TokenCounts,
    Turn,
)
from hive.outbox.run_footer import without_footer
from hive.outbox.state_labels import labels_of
from tests.conftest import Clock
from tests.hive.conftest import APP, HiveEnv
from tests.hive.test_broker import ASKED, EVENTS, ISSUE, Socket, Upstream, resting, routed, socket, taken
from tests.hive.test_commands import deliver, drain, sweep

__all__ = ["socket"]
MODEL = "claude-sonnet-5-5"
PRICES = price_list()
LONG = {**ASKED, "max_tokens": 100_000}
WHOLE = [*EVENTS, b'data: {"type":"message_stop"}\n\n']
DAY = 86_400.0


@pytest.fixture
def turn(ledger: Ledger) -> Turn:
    """A turn of iris."""
    ledger.runs.start("acme", "iris", ISSUE, "k1", "do it")
    return taken(ledger)


def who(turn: Turn) -> Spender:
    """On whose account a turn goes."""
    return Spender("acme", turn.agent, turn.ref, turn.run, turn.id)


def spend(ledger: Ledger, turn: Turn, caps: Caps, cost: int) -> None:
    """Something was spent before."""
    quote = Quote(MODEL, TokenCounts(), cost, cost)
    ledger.budgets.settle(ledger.budgets.reserve(who(turn), caps, quote, ""), TokenCounts(10), cost, is_estimate=False)


def through(ledger: Ledger, upstream: Upstream, caps: Caps, **more: Any) -> FlaskClient:
    """The gateway of iris with a budget."""
    budget = Budget(ledger, "acme", PRICES, caps=lambda: caps, **more)
    asked = model_proxy.Upstream(routed(upstream), lambda: (MODEL,), resting(ledger), spending=budget)
    return model_proxy.create(asked, Guard(ledger, "acme", "iris")).test_client()


def post(client: FlaskClient, turn: Turn, body: dict[str, Any] = ASKED) -> Any:
    """Ask the model."""
    answer = client.post("/v1/messages", json=body, headers={"x-api-key": turn.token})
    assert answer.data, "it is read to its end"
    return answer


def test_a_spent_run_is_told_how_it_goes_on(ledger: Ledger, turn: Turn) -> None:
    """No model is asked, nobody should ask again, and the words say what was spent and which command continues it."""
    upstream, caps = Upstream(WHOLE), Caps(run=DOLLAR)
    spend(ledger, turn, caps, DOLLAR)
    with through(ledger, upstream, caps) as client:
        answer = post(client, turn)
    assert answer.status_code == 429
    assert answer.json["error"] == {
        "type": "billing_error",
        "message": "The budget of this run is spent: $1.00 of $1.00. An operator can comment `/budget +2` to add $2.00 and"
        " let me go on.",
    }
    assert (answer.headers["x-should-retry"], answer.headers["x-hive"]) == ("false", "stop")
    assert "retry-after" not in answer.headers
    assert upstream.asked == []


def test_a_spent_day_is_waited_for(ledger: Ledger, turn: Turn, clock: Clock) -> None:
    """The turn rests until midnight, its thread and the queue say so, and it goes on by itself with the same attempt."""
    caps = Caps(team_day=DOLLAR)
    spend(ledger, turn, caps, 99 * CENT)
    with through(ledger, Upstream(WHOLE), caps) as client:
        answer = post(client, turn, LONG)
    seconds = int(answer.headers["retry-after"])
    assert (answer.status_code, answer.headers["x-hive"], answer.headers["x-should-retry"]) == (429, "rest", "false")
    assert (clock() + seconds) % DAY == 0
    resting(ledger).put_down(turn)
    resting(ledger).put_down(turn)
    assert ledger.runs.claim("iris") is None
    waits = "waiting: budget resets 00:00 UTC (The budget of the team for today has no room for another answer"
    assert next(iter(queue(ledger))).startswith(f"suspended  acme iris: {waits}")
    assert [labels_of(run) for run in ledger.run_states.of(ISSUE)] == [{"state/over-budget"}]
    assert [text.count("Waiting: budget resets 00:00 UTC.") for text in said(ledger)] == [1]
    resting(ledger).answered()
    BudgetWaits(ledger).resume()
    assert ledger.runs.claim("iris") is None
    clock.pass_(seconds)
    BudgetWaits(ledger).resume()
    again = taken(ledger)
    assert (again.id, again.attempts) == (turn.id, 1)
    assert [row.action for row in ledger.audit.after(0)][-2:] == ["agent_suspended", "agent_resumed"]


def said(ledger: Ledger) -> list[str]:
    """What is to be posted."""
    with ledger.transaction() as db:
        rows = db.execute("SELECT payload FROM effects WHERE kind = 'post_answer' ORDER BY id").fetchall()
    return [json.loads(row["payload"])["body"] for row in rows]


def test_another_configuration_is_tried_at_once(ledger: Ledger, turn: Turn) -> None:
    """When the host starts nothing waits for a budget any more: the caps may be others."""
    spend(ledger, turn, Caps(agent_day=0), 0)
    ledger.budgets.stop(who(turn), reached(BudgetScope.AGENT, Period.DAY, ledger.clock()))
    resting(ledger).put_down(turn)
    BudgetWaits(ledger).resume(all_of_them=True)
    assert taken(ledger).id == turn.id


def reached(scope: BudgetScope, period: Period, now: float) -> CapReached:
    """A cap of a dollar that is spent."""
    return CapReached(scope, period, DOLLAR, DOLLAR, 0, period.ends(now))


def test_a_spent_repository_holds_up_no_other(ledger: Ledger, turn: Turn, clock: Clock) -> None:
    """An agent goes on with issues of other repositories, and comes back the next day."""
    ledger.runs.start("acme", "iris", "forgejo:acme/lib#1", "k2", "and that")
    ledger.budgets.stop(who(turn), reached(BudgetScope.REPOSITORY, Period.DAY, clock()))
    resting(ledger).put_down(turn)
    other = taken(ledger)
    assert other.ref == "forgejo:acme/lib#1"
    ledger.runs.end_turn(other, "answered")
    assert ledger.runs.claim("iris") is None
    assert [labels_of(run) for run in ledger.run_states.of(ISSUE)] == [{"state/over-budget"}]
    clock.pass_(DAY)
    BudgetWaits(ledger).resume()
    assert taken(ledger).id == turn.id


def test_the_last_reply_is_shorter(ledger: Ledger, turn: Turn) -> None:
    """What is left pays for a shorter one; if that is cut off for it, the turn knows that it was for the budget."""
    upstream, caps = Upstream(WHOLE), Caps(run=5 * CENT)
    with through(ledger, upstream, caps) as client:
        post(client, turn, LONG)
        (_, asked), *_ = upstream.asked
        assert LEAST_REPLY < asked["max_tokens"] < 5_000
        assert ledger.budgets.stopped(turn.id) is None
        full = EVENTS[-1].replace(b"30", str(asked["max_tokens"]).encode())
        upstream.answer = [*EVENTS[:-1], full, b'data: {"type":"message_stop"}\n\n']
        ledger.budgets.raise_caps(ISSUE, turn.run, 0)
        post(client, turn, LONG)
    stopped = ledger.budgets.stopped(turn.id)
    assert stopped is not None
    assert (stopped.scope, stopped.until) == (BudgetScope.RUN, 0.0)


def test_what_others_need_is_waited_for(ledger: Ledger, turn: Turn) -> None:
    """A request waits for those in flight; if they take too long it may be asked again, and it is no spent budget."""
    caps = Caps(run=DOLLAR)
    quote = Quote(MODEL, TokenCounts(), 99 * CENT, 99 * CENT)
    hold = ledger.budgets.reserve(who(turn), caps, quote, "")
    upstream = Upstream(WHOLE)
    with through(ledger, upstream, caps, patience=0.0) as client:
        answer = post(client, turn, LONG | {"max_tokens": 50_000})
        assert (answer.status_code, answer.json["error"]["type"]) == (429, "rate_limit_error")
        assert answer.headers.get("x-should-retry") != "false"
    other = threading.Timer(0.2, lambda: ledger.budgets.settle(hold, TokenCounts(), CENT, is_estimate=False))
    other.start()
    with through(ledger, upstream, caps) as client:
        assert post(client, turn, LONG | {"max_tokens": 50_000}).status_code == 200
    other.join()


def test_a_ledger_that_cannot_be_written_spends_nothing(ledger: Ledger, turn: Turn) -> None:
    """The model is not asked while nobody could remember what it costs."""
    ledger.close()
    ledger.wait_at_most(0.1)
    upstream = Upstream(WHOLE)
    with through(ledger, upstream, Caps()) as client, closing(sqlite3.connect(ledger._db._path)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert post(client, turn).status_code == 503
    assert upstream.asked == []


@pytest.mark.parametrize(
    ("answer", "cost", "estimates"),
    [
        (WHOLE, 100 * 2000 + 20 * 100 + 30 * 10_000, 0),
        (EVENTS[:2], 100 * 2000 + 20 * 100 + 1 * 10_000, 1),
        (
            [b'data: {"type":"content_block_delta","delta":{"text":"%s"}}\n\n' % (b"x" * 400)],
            20 * 2000 + 100 * 10_000,
            1,
        ),
    ],
    ids=["whole", "cut", "without a word of usage"],
)
def test_what_was_answered_is_booked(
    ledger: Ledger, turn: Turn, answer: list[bytes], cost: int, estimates: int
) -> None:
    """Also what broke off: with what the provider told, and with an estimate of what it did not."""
    with through(ledger, Upstream(answer), Caps(run=DOLLAR)) as client:
        assert post(client, turn).headers["x-hive-budget"] == "0"
    (row,) = ledger.spending.by("model")
    assert (row.name, row.estimates) == (MODEL, estimates)
    assert abs(row.cost - cost) <= 3 * 2000
    assert ledger.budgets.settle_dead("another") == 0


def test_what_the_model_refused_costs_nothing(ledger: Ledger, turn: Turn) -> None:
    """Nothing is reserved or booked for it."""
    with through(ledger, Upstream(ModelFailed(529, {"type": "error"})), Caps(run=DOLLAR)) as client:
        post(client, turn)
    assert ledger.budgets.settle_dead("another") == 0
    assert ledger.spending.by("model") == []


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "x" * 3_000_000}}


@pytest.mark.parametrize(
    ("request_", "tokens"),
    [
        ({"messages": [{"role": "user", "content": "x" * 30_000}]}, 10_000),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, IMAGE_TOKENS),
        ({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "input": IMAGE}]}]}, 1_000_000),
        ({"system": "蜂" * 3_000}, 3_000),
        ({"system": "\udcff" * 3_000}, 1_000),
    ],
    ids=["text", "an image", "what looks like an image", "signs of three bytes", "half signs"],
)
def test_an_estimate_is_rather_too_high(request_: dict[str, Any], tokens: int) -> None:
    """Text by its bytes, an image by what it can be at the most, and nothing hides as one."""
    found = quoted(MODEL, PRICES.of(MODEL), {"max_tokens": 1, **request_}).tokens.input
    assert tokens <= found <= tokens * 1.02 + 50


def test_an_estimate_knows_the_dearest_class() -> None:
    """What may be written to the cache is reserved at that price, a long prompt at its own, searches one by one."""
    price, text = ModelPrice(input=1, output=0, cache_write=10, cache_write_1h=100, web_search=10**9), "x" * 30_000_000
    plain = {"max_tokens": 1, "system": [{"type": "text", "text": text}]}
    minutes = {**plain, "cache_control": {"type": "ephemeral"}}
    hour = {**plain, "tools": [{"name": "t", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}
    searching = {**plain, "tools": [{"type": "web_search_20250305", "max_uses": 2}, {"type": "web_search_20250305"}]}
    amounts = [quoted("m", price, request).amount for request in (plain, minutes, hour, searching)]
    assert amounts == [11, 101, 1_001, 11 + (2 + SEARCHES) * 10**6]
    long = replace(price, long_above=1000, long=ModelPrice(input=7))
    assert quoted("m", long, plain).amount == 71


def test_thinking_is_left_room_for() -> None:
    """A reply is not cut down to less than its thinking may take: the API would refuse that."""
    price = ModelPrice(output=10**6)
    thinking = {"max_tokens": 20_000, "thinking": {"type": "enabled", "budget_tokens": 9_000}}
    assert quoted("m", price, {"max_tokens": 20_000}).least == LEAST_REPLY
    assert quoted("m", price, thinking).least == 9_000 + LEAST_REPLY
    assert quoted("m", price, {"max_tokens": 5}).least == 5


def test_an_agent_lowers_its_caps_and_never_raises_them() -> None:
    """The lower one counts, also where the hive has none; `none` is no limit, and 0 is nothing."""
    hive = BudgetSettings(run=3.0, issue="none", agent_day=0.5, team_month=0)
    caps = caps_of(hive, {"run": 5 * DOLLAR, "issue": DOLLAR, "day": 10 * CENT})
    assert caps == Caps(run=3 * DOLLAR, issue=DOLLAR, agent_day=10 * CENT, team_day=50 * DOLLAR, team_month=0)
    assert exactly(0.1) == 10 * CENT


def ended(socket: Socket, turn: dict[str, Any], outcome: str, message: str) -> str:
    """How a turn ended, and what its thread was told last."""
    socket.post("/v1/end", {"outcome": outcome, "message": message, "steps": 1}, turn["token"])
    return said(socket.ledger)[-1]


@pytest.fixture
def stopped(socket: Socket) -> Callable[[BudgetScope, Period], dict[str, Any]]:
    """A turn of iris that a cap has stopped."""

    def stop(scope: BudgetScope, period: Period) -> dict[str, Any]:
        run = socket.ledger.runs.start("acme", "iris", ISSUE, "k1", "do it")
        turn = socket.turn()
        account = Spender("acme", "iris", ISSUE, run, turn["turn"])
        socket.ledger.budgets.stop(account, reached(scope, period, socket.ledger.clock()))
        return turn

    return stop


def test_whatever_engine_ends_at_a_cap_says_so(
    socket: Socket, stopped: Callable[[BudgetScope, Period], dict[str, Any]]
) -> None:
    """The hive adds what an engine does not know: which budget was spent, and that an operator continues it."""
    turn = stopped(BudgetScope.ISSUE, Period.WHOLE)
    text = ended(socket, turn, "failed", "API Error: 429")
    assert "API Error: 429\n\nThe budget of this issue is spent: $1.00 of $1.00. An operator can comment" in text
    (run,) = socket.ledger.run_states.of(ISSUE)
    assert run.last == "blocked"


def test_whatever_engine_ends_at_a_daily_cap_waits(
    socket: Socket, stopped: Callable[[BudgetScope, Period], dict[str, Any]]
) -> None:
    """An engine that gives up is not at its end: the turn comes again when the budget does."""
    turn = stopped(BudgetScope.AGENT, Period.DAY)
    text = ended(socket, turn, "failed", "API Error: 429")
    assert text.startswith("⏸️ Waiting: budget resets 00:00 UTC.")
    assert [suspension.reason for suspension in socket.ledger.suspensions.all()] == [SuspensionReason.BUDGET_SPENT]


def test_another_end_forgets_the_cap(socket: Socket, stopped: Callable[[BudgetScope, Period], dict[str, Any]]) -> None:
    """A turn that got on nevertheless was not stopped, and no later one is said to be."""
    turn = stopped(BudgetScope.RUN, Period.WHOLE)
    ended(socket, turn, "answered", "Done.")
    assert socket.ledger.budgets.stopped(turn["turn"]) is None


def test_a_run_says_what_it_cost(ledger: Ledger, turn: Turn) -> None:
    """In the last line of its last comment; a warning is said once, and what costs nothing is told in tokens."""
    assert "🪙" not in with_costs(ledger, "acme", turn, "answered", "Done.")
    spend(ledger, turn, Caps(run=DOLLAR, team_day=DOLLAR), 61 * CENT)
    assert with_costs(ledger, "acme", turn, "answered", "Done.").endswith("\n\n🪙 $0.61 · 1 turn · 61 % of the cap")
    spend(ledger, turn, Caps(run=DOLLAR, team_day=2 * DOLLAR), 16 * CENT)
    first, second = (with_costs(ledger, "acme", turn, "answered", "Done.") for _ in range(2))
    assert "\n\n⚠️ 75 % of the budget of this run are spent: $0.77 of $1.00.\n\n🪙 $0.77 · 2 turns · 77 %" in first
    assert "⚠️" not in second


def test_the_same_words_are_the_same_whatever_they_cost(ledger: Ledger, turn: Turn) -> None:
    """An agent that says again what it said is recognised by its words."""
    first = with_costs(ledger, "acme", turn, "blocked", "I cannot.")
    spend(ledger, turn, Caps(run=DOLLAR), CENT)
    again = with_costs(ledger, "acme", turn, "blocked", "I cannot.")
    assert first != again
    assert without_footer(again) == without_footer(first) == first
    assert without_footer("🪙 is a coin\n\n🪙 a\nb") == "🪙 is a coin\n\n🪙 a\nb"


def test_a_model_at_home_is_told_in_tokens(ledger: Ledger, turn: Turn) -> None:
    """It costs nothing, so it has no share of a cap."""
    free = PriceList(PRICES.as_of, "", {}, {MODEL: ModelPrice()})
    budget = Budget(ledger, "acme", free, caps=lambda: Caps(run=0))
    asked = model_proxy.Upstream(routed(Upstream(WHOLE)), lambda: (MODEL,), resting(ledger), spending=budget)
    with model_proxy.create(asked, Guard(ledger, "acme", "iris")).test_client() as client:
        assert post(client, turn).status_code == 200
    assert with_costs(ledger, "acme", turn, "answered", "Done.").endswith("\n\n🪙 150 tokens · 1 turn")


def test_more_money_lets_a_stopped_run_go_on(hive_env: HiveEnv) -> None:
    """An operator's `/budget +2` is recorded, and the turn that it makes possible is given once."""
    ledger, worker = hive_env.instance.ledger, hive_env.worker()
    issue = hive_env.mara.open_issue(APP, "A page is wrong", "It shows 0.", marker="It shows").ref
    sweep(hive_env)
    drain(hive_env, worker)
    turn = taken(ledger)
    account = Spender("acme", "iris", str(issue), turn.run, turn.id)
    ledger.budgets.stop(account, reached(BudgetScope.RUN, Period.WHOLE, ledger.clock()))
    ledger.runs.end_turn(turn, "blocked")
    status = ledger.run_states.status(str(issue))
    assert status is not None
    assert status.blocked == "the budget of this run is spent; /budget +2 adds to it"
    deliver(hive_env, hive_env.mara.comment(issue, "/budget +2", marker="/budget"), "u0")
    sweep(hive_env)
    drain(hive_env, worker)
    assert "added $2.00 to the budget" in taken(ledger).message
    (row,) = [row for row in ledger.audit.after(0) if row.action == "raise_budget"]
    assert (row.detail["amount"], row.detail["by"], row.detail["continued"]) == (2 * DOLLAR, "mara", [turn.run])
