"""An agent that cannot think rests: its work waits, people see why, and it goes on by itself."""

from __future__ import annotations

from typing import Any

import pytest

from forge.models import Repo
from hive.app.status import queue
from hive.gateway.agent_backoff import AgentBackoff, model_refusal
from hive.gateway.model_errors import ModelFailed, unreachable
from hive.ledger import NEVER, Ledger, Scope, SuspensionReason, Turn
from hive.outbox.state_labels import SUSPENDED, labels_of
from tests.conftest import Clock

ISSUE = "forgejo:acme/app#1"


def failed(status: int, kind: str = "", message: str = "", **headers: str) -> ModelFailed:
    """An answer of the model's API."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return ModelFailed(status, {"type": "error", "error": {"type": kind, "message": message}}, told)


@pytest.fixture
def rest(ledger: Ledger) -> AgentBackoff:
    """Iris' rest, while she has two turns to do."""
    run = ledger.runs.start("acme", "iris", ISSUE, "k", "do it")
    ledger.runs.add_turn(run, "k2", "and that", by_person=True)
    return AgentBackoff(ledger, "acme", "iris", "core", Repo("forgejo", "hive", "ops"))


def taken(ledger: Ledger) -> Turn:
    """A turn that must be there."""
    turn = ledger.runs.claim("iris")
    assert turn is not None
    return turn


def pending(ledger: Ledger) -> list[tuple[str, str]]:
    """What was owed to the forge."""
    with ledger.transaction() as db:
        return [(row["kind"], row["payload"]) for row in db.execute("SELECT kind, payload FROM effects ORDER BY id")]


@pytest.mark.parametrize(
    ("error", "why", "at_once"),
    [
        (failed(429, "rate_limit_error", retry_after="1"), SuspensionReason.RATE_LIMITED, False),
        (failed(429, "rate_limit_error", retry_after="60"), SuspensionReason.RATE_LIMITED, True),
        (failed(429, "rate_limit_error", retry_after="tomorrow"), SuspensionReason.RATE_LIMITED, False),
        (failed(429, "rate_limit_error", retry_after="²"), SuspensionReason.RATE_LIMITED, False),
        (failed(429, "rate_limit_error", x_should_retry="false"), SuspensionReason.OVER_BUDGET, True),
        (failed(529, "overloaded_error"), SuspensionReason.RATE_LIMITED, False),
        (failed(503, "overloaded_error"), SuspensionReason.RATE_LIMITED, False),
        (failed(500, "api_error"), SuspensionReason.MODEL_UNREACHABLE, False),
        (failed(502), SuspensionReason.MODEL_UNREACHABLE, False),
        (failed(504, "timeout_error", retry_after="60"), SuspensionReason.MODEL_UNREACHABLE, True),
        (failed(408), SuspensionReason.MODEL_UNREACHABLE, False),
        (unreachable("[Errno -2] Name or service not known"), SuspensionReason.MODEL_UNREACHABLE, True),
        (failed(422, "invalid_request_error"), None, False),
        (failed(413, "request_too_large"), None, False),
        (failed(401, "authentication_error"), SuspensionReason.NEEDS_LOGIN, True),
        (failed(403, "permission_error"), SuspensionReason.NEEDS_LOGIN, True),
        (failed(400, "invalid_request_error", "Your credit balance is too low"), SuspensionReason.OVER_BUDGET, True),
        (failed(402, "billing_error"), SuspensionReason.OVER_BUDGET, True),
        (failed(400, "invalid_request_error", "429 Too Many Requests, rate_limit_error"), None, False),
        (failed(404, "not_found_error"), None, False),
    ],
    ids=str,
)
def test_what_an_answer_means(error: ModelFailed, why: SuspensionReason | None, *, at_once: bool) -> None:
    """Statuses and types decide, never words: who writes about a rate limit has none."""
    found = model_refusal(error)
    assert (found.why if found else None) == why
    assert (found is not None and found.at_once) == at_once


def test_a_rate_limit_rests_and_drains(ledger: Ledger, rest: AgentBackoff, clock: Clock) -> None:
    """The turn loses nothing, no other is given meanwhile, and one is let through in time."""
    first = taken(ledger)
    rest.refused(first, failed(429, "rate_limit_error", retry_after="60"))
    rest.put_down(first)
    rest.put_down(first)
    assert ledger.runs.claim("iris") is None
    assert next(iter(queue(ledger))).startswith("suspended  acme iris: waiting: 429 rate_limit_error, retry ")
    clock.pass_(61)
    again = taken(ledger)
    assert (again.id, again.attempts) == (first.id, 1)
    rest.refused(again, failed(429, "rate_limit_error"))
    rest.put_down(again)
    assert ledger.runs.claim("iris") is None, "a refusal on trial lets it rest for longer"
    clock.pass_(301)
    last = taken(ledger)
    rest.answered()
    rest.answered()
    assert ledger.suspensions.all() == []
    ledger.runs.end_turn(last, "pushed")
    assert taken(ledger).message == "and that"
    assert pending(ledger) == []
    assert [row.action for row in ledger.audit.after(0)] == ["agent_suspended", "agent_resumed"]


@pytest.mark.parametrize(
    ("error", "says", "label"),
    [
        (failed(401, "authentication_error"), "does not let iris in", "state/needs-login"),
        (failed(402, "billing_error"), "budget for iris", "state/over-budget"),
    ],
    ids=str,
)
def test_where_people_must_act_they_are_told_once(
    ledger: Ledger, rest: AgentBackoff, clock: Clock, error: ModelFailed, *, says: str, label: str
) -> None:
    """One issue says what to do; however often it is tried meanwhile there is no second one."""
    for _ in range(4):
        clock.pass_(10_000)
        turn = taken(ledger)
        rest.refused(turn, error)
        rest.put_down(turn)
    issues = [text for kind, text in pending(ledger) if kind == "open_issue"]
    assert [says in text for text in issues] == [True]
    assert [labels_of(run) for run in ledger.run_states.of(ISSUE)] == [{label}]


def test_a_dead_model_is_said_once_and_at_once(ledger: Ledger, rest: AgentBackoff, clock: Clock) -> None:
    """The first failure is news and has a label of its own; however long it lasts that is said once, until it answers."""
    for _ in range(3):
        clock.pass_(1000)
        turn = taken(ledger)
        found = rest.refused(turn, unreachable("[Errno 111] Connection refused"))
        assert found is not None
        assert found.at_once
        rest.put_down(turn)
    assert pending(ledger) == []
    assert [SUSPENDED[suspension.reason] for suspension in ledger.suspensions.all()] == ["state/model-unreachable"]
    assert next(iter(queue(ledger))).startswith(
        "suspended  acme iris: waiting: the model is unreachable: Connection refused"
    )
    rest.answered()
    assert ledger.suspensions.all() == []
    assert [row.action for row in ledger.audit.after(0)] == ["model_unreachable", "agent_suspended", "agent_resumed"]
    rest.refused(turn, unreachable("again"))
    assert [row.action for row in ledger.audit.after(0)][-1] == "model_unreachable"


def test_one_fault_of_a_server_is_asked_again_in_place(ledger: Ledger, rest: AgentBackoff) -> None:
    """The second in a row is not: minutes of silence would be the answer to a server that is broken."""
    turn = taken(ledger)
    found = [rest.refused(turn, failed(500, "api_error")) for _ in range(2)]
    assert [refused is not None and refused.at_once for refused in found] == [False, True]
    rest.answered()
    last = rest.refused(turn, failed(500, "api_error"))
    assert last is not None
    assert not last.at_once


def test_a_pause_is_ended_by_a_word_only(ledger: Ledger, rest: AgentBackoff, clock: Clock) -> None:
    """It is no fault of the model, so no answer of it and no time ends it."""
    turn = taken(ledger)
    ledger.suspensions.suspend("acme", Scope.AGENT, "iris", SuspensionReason.PAUSED, "paused by mara", until=NEVER)
    assert rest.is_paused()
    rest.put_down(turn)
    rest.answered()
    clock.pass_(1_000_000)
    assert ledger.runs.claim("iris") is None
    assert [suspension.reason for suspension in ledger.suspensions.all()] == [SuspensionReason.PAUSED]
    assert pending(ledger) == []
    ledger.suspensions.resume("acme", Scope.AGENT, "iris", SuspensionReason.PAUSED)
    assert taken(ledger).id == turn.id


def test_a_stale_turn_is_not_put_down(ledger: Ledger, rest: AgentBackoff, clock: Clock) -> None:
    """Whoever lost a turn takes nothing from the one who has it now."""
    stale = taken(ledger)
    clock.pass_(1000)
    fresh = taken(ledger)
    ledger.runs.pause(stale)
    held: Any = ledger.runs.by_token("iris", fresh.token)
    assert held is not None
    assert held.id == fresh.id


def test_what_was_refused_before_counts_for_that_turn_only(ledger: Ledger, rest: AgentBackoff) -> None:
    """A refusal of a turn that was lost does not park the agent when another one is put down."""
    lost = taken(ledger)
    rest.refused(lost, failed(401, "authentication_error"))
    ledger.runs.end_turn(lost, "failed")
    ledger.suspensions.suspend("acme", Scope.AGENT, "iris", SuspensionReason.PAUSED, "paused by mara", until=0.0)
    rest.put_down(taken(ledger))
    assert [suspension.reason for suspension in ledger.suspensions.all()] == [SuspensionReason.PAUSED]


def test_how_much_is_recalled_belongs_to_one_turn(ledger: Ledger, rest: AgentBackoff) -> None:
    """A turn that is held when `/compact` is said takes nothing of it away from the next one."""
    held = taken(ledger)
    ledger.runs.add_turn(held.run, "k3", "go on", by_person=True, memory="compact")
    ledger.runs.end_turn(held, "answered")
    memories = []
    for _ in range(2):
        turn = taken(ledger)
        memories.append(turn.memory)
        ledger.runs.end_turn(turn, "answered")
    assert memories == ["", "compact"]


@pytest.mark.parametrize(
    ("failure", "first"),
    [(failed(429, "rate_limit_error"), True), (failed(401), True), (failed(500, "api_error"), False)],
    ids=str,
)
def test_who_stands_first_after_a_rest(
    ledger: Ledger, rest: AgentBackoff, clock: Clock, failure: ModelFailed, *, first: bool
) -> None:
    """A model that has enough has enough of everybody, and who came first stays first; one that fails may fail for this turn alone."""
    turn = taken(ledger)
    ledger.runs.start("acme", "iris", "forgejo:acme/app#20", "other", "do it")
    clock.pass_(1)
    rest.refused(turn, failure)
    rest.put_down(turn)
    clock.pass_(1000)
    assert (taken(ledger).run == turn.run) is first
