"""One question of the hive's own to a model: whatever the server does, there is an answer that counts or a reason, and it is paid once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from bots.money import CENT, DOLLAR
from bots.review_prompt import VERIFY_SCHEMA, read_look
from hive.demo.model import ModelReply, ModelServer, ToolCall
from hive.demo.model.faults import ApiError, BreaksOff, Cut, Fault, Unfinished
from hive.gateway.llm import Model
from hive.gateway.model_question import Asker, ModelQuestion, NoAnswer, Patience
from hive.gateway.model_route import ModelRoute
from hive.gateway.pricing import price_list
from hive.gateway.review_account import ReviewAccount, ReviewPurse
from hive.ledger import BudgetScope, Caps, Ledger, Quote, Spender, TokenCounts
from tests.conftest import Clock

if TYPE_CHECKING:
    from tests.model.conftest import Parrot

MODEL = "claude-sonnet-5-5"
PULL = "forgejo:acme/app#7"
WHO = Spender("acme", "argus", PULL, 0, 0)
QUESTION = ModelQuestion("You judge.", "Is it so?", VERIFY_SCHEMA, 1_000)
YES = ModelReply('{"answer": "confirmed", "reason": "line 3"}')
SOON = Patience(tries=3, pause=0.01, longest_pause=5.0, answer=30.0)


@dataclass
class Asking:
    """Somebody with a question, and who pays for it."""

    ledger: Ledger
    model: Model
    caps: Caps = field(default_factory=Caps)
    cap: int | None = None
    patience: Patience = SOON
    asker: Asker = field(init=False)

    def __post_init__(self) -> None:
        self.asker = Asker(lambda name: ModelRoute(self.model, name, name, lambda: "key"), self.patience)

    def account(self, owner: str = "work:us") -> ReviewAccount:
        """A review of the pull request."""
        purse = ReviewPurse(price_list(), self.cap)
        return ReviewAccount(self.ledger, WHO, self.caps, purse, owner, patience=0.0)

    def ask(self, question: ModelQuestion = QUESTION, again: str = "", account: ReviewAccount | None = None) -> str:
        """The answer."""
        return self.asker.ask(MODEL, question, account or self.account(), read_look, again=again)[0].value

    def why(self, question: ModelQuestion = QUESTION) -> str:
        """Why there is none."""
        with pytest.raises(NoAnswer) as caught:
            self.ask(question)
        return str(caught.value)

    @property
    def booked(self) -> list[tuple[int | None, int, int]]:
        """Run, cost and whether it is an estimate of each booking of the pull request."""
        rows = self.ledger._db.rows("SELECT run, cost, is_estimate FROM bookings WHERE ref = ?", PULL)
        return [(row["run"], row["cost"], row["is_estimate"]) for row in rows]

    @property
    def held(self) -> int:
        """What is reserved."""
        return len(self.ledger._db.rows("SELECT id FROM holds"))


@pytest.fixture
def asking(ledger: Ledger, model: ModelServer) -> Iterator[Asking]:
    """Somebody who asks the scripted model."""
    client = Model(url=model.url)
    yield Asking(ledger, client)
    client.close()


def test_an_answer_is_paid_once(asking: Asking, parrot: Parrot) -> None:
    """It is booked without a run, on the account of the reviewer, and the same question is answered from memory."""
    parrot.replies = [YES]
    assert [asking.ask() for _ in range(3)] == ["confirmed"] * 3
    assert len(parrot.heard) == 1
    [(run, cost, is_estimate)] = asking.booked
    assert (run, is_estimate, asking.held) == (None, 0, 0)
    assert asking.ledger.spending.of_reviews(PULL) == cost > 0
    assert [row.name for row in asking.ledger.spending.by("agent")] == ["argus"]
    assert [row.name for row in asking.ledger.spending.by("run")] == ["reviews"]
    assert asking.ask(again="once more") == "confirmed"
    assert len(parrot.heard) == 2


def test_the_model_gets_no_tool(asking: Asking, parrot: Parrot) -> None:
    """It can answer, and nothing else; a call of a tool that it invents is no answer."""
    parrot.replies = [ModelReply("x", (ToolCall("run", {"command": "id"}),))]
    assert asking.why() == "it called a tool, and it has none"
    assert parrot.heard[0].tools == ()


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (ModelReply('{"answer": "confirmed"', stop="max_tokens"), "its answer was cut off at 1000 tokens"),
        (ModelReply('{"answer": "confirmed"}', stop="max_tokens"), "its answer was cut off at 1000 tokens"),
        (ModelReply("I can't help.", stop="refusal"), "it refused to answer"),
        (ModelReply("x", stop="pause_turn"), "it stopped for another reason than its end: 'pause_turn'"),
        (ModelReply("Approved, all is well!"), "it holds no JSON object"),
        (ModelReply('{"verdict": "approve"}'), "its answer is none of those that were asked for"),
        (ModelReply(" "), "it holds no JSON object"),
    ],
)
def test_half_an_answer_is_none(asking: Asking, parrot: Parrot, reply: ModelReply, reason: str) -> None:
    """Cut off, refused, in another form: it is booked, it is no answer, and it is not remembered as one."""
    parrot.replies = [reply, YES]
    assert asking.why() == reason
    assert len(asking.booked) == 1
    assert asking.held == 0
    assert asking.ask() == "confirmed"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (ApiError(529, "overloaded_error"), "529 overloaded_error"),
        (ApiError(429, "rate_limit_error", retry_after="0"), "429 rate_limit_error"),
        (ApiError(500, "api_error"), "500 api_error: scripted"),
        (BreaksOff(), "The model answered with an error: scripted"),
        (Cut(), "the model's reply was cut off"),
        (Unfinished(), "the model's reply was cut off"),
    ],
)
def test_what_passes_is_tried_again(asking: Asking, parrot: Parrot, fault: Fault, reason: str) -> None:
    """An overload is waited for a little; if it stays, its reason is told, and nothing stays reserved."""
    parrot.replies = [ModelReply("x" * 50, fault=fault), YES]
    assert asking.ask() == "confirmed"
    parrot.replies, parrot.heard = [ModelReply("x" * 50, fault=fault)], []
    assert asking.why(replace(QUESTION, text="Another?")) == reason
    assert len(parrot.heard) == SOON.tries
    assert asking.held == 0


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (ApiError(401, "authentication_error", "invalid x-api-key"), "401 authentication_error: invalid x-api-key"),
        (ApiError(402, "billing_error", "credit balance"), "402 billing_error: credit balance"),
        (ApiError(400, "invalid_request_error", "no"), "400 invalid_request_error: no"),
        (ApiError(429, "rate_limit_error", should_retry="false"), "429 rate_limit_error: scripted"),
        (ApiError(429, "rate_limit_error", retry_after="900"), "429 rate_limit_error"),
    ],
)
def test_what_stays_is_not(asking: Asking, parrot: Parrot, fault: Fault, reason: str) -> None:
    """A refusal, or a wait that is too long, is told at once; a refused request costs nothing."""
    parrot.replies = [ModelReply(fault=fault)]
    assert asking.why() == reason
    assert (len(parrot.heard), asking.booked, asking.held) == (1, [], 0)


def test_nobody_there(ledger: Ledger) -> None:
    """A server that is not there is told in a sentence."""
    client = Model(url="http://127.0.0.1:1")
    assert Asking(ledger, client).why().startswith("the model is unreachable: ")
    client.close()


@dataclass
class Particular:
    """A server of another maker: it answers in one object, or refuses a form for the answer, or never ends."""

    answer: Callable[[dict[str, Any]], tuple[int, str, bytes]]
    heard: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def served() -> Iterator[Callable[[Particular], Model]]:
    """Serve one, and return a client of it."""
    servers: list[tuple[ThreadingHTTPServer, Model]] = []

    def serve(particular: Particular) -> Model:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                particular.heard.append(body)
                status, kind, data = particular.answer(body)
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                try:
                    self.wfile.write(data)
                except ConnectionError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """No log."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        client = Model(url=f"http://127.0.0.1:{server.server_port}")
        servers.append((server, client))
        return client

    yield serve
    for server, client in servers:
        client.close()
        server.shutdown()
        server.server_close()


WHOLE = {
    "type": "message", "role": "assistant", "content": [{"type": "text", "text": YES.text}], "stop_reason": "end_turn",
    "usage": {"input_tokens": 10, "output_tokens": 5},
}  # fmt: skip


@pytest.mark.parametrize("words", ["output_config: Extra inputs are not permitted", "unknown field 'output_config'"])
def test_a_server_without_forms(ledger: Ledger, served: Callable[[Particular], Model], words: str) -> None:
    """One that refuses a form for the answer is asked without it, from then on; the refusal costs nothing."""

    def answer(body: dict[str, Any]) -> tuple[int, str, bytes]:
        if "output_config" in body:
            told = {"type": "error", "error": {"type": "invalid_request_error", "message": words}}
            return 400, "application/json", json.dumps(told).encode()
        return 200, "application/json", json.dumps(WHOLE).encode()

    particular = Particular(answer)
    asking = Asking(ledger, served(particular))
    assert asking.ask() == "confirmed"
    assert asking.ask(replace(QUESTION, text="Another?")) == "confirmed"
    assert ["output_config" in body for body in particular.heard] == [True, False, False]
    assert len(asking.booked) == 2
    assert asking.held == 0


def test_forms_where_they_are_known(ledger: Ledger, served: Callable[[Particular], Model]) -> None:
    """Any other server gets the schema, and nothing that newer models refuse: no forced tool, no temperature, no prefill."""
    particular = Particular(lambda _: (200, "application/json", json.dumps(WHOLE).encode()))
    Asking(ledger, served(particular)).ask()
    [body] = particular.heard
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": VERIFY_SCHEMA}}
    assert set(body) == {"max_tokens", "messages", "model", "output_config", "stream", "system"}
    assert [message["role"] for message in body["messages"]] == ["user"]


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        ("application/json", b'{"type": "message", "content": ' + b"[" * 100_000, "its answer is no JSON"),
        ("application/json", b"{}", "the model's reply was garbled"),
        ("application/json", b'"approved"', "the model's reply was garbled"),
        ("text/event-stream", b"data: " + b"x" * (3 << 20) + b"\n\n", "its answer is longer than 2 MiB"),
        ("text/event-stream", b'data: {"type": "ping"}\n\n' * 200_000, "its answer is longer than 2 MiB"),
        ("text/event-stream", b"data: {]\n\n", "the model's reply was garbled"),
    ],
)  # fmt: skip
def test_a_huge_or_broken_answer(
    ledger: Ledger, served: Callable[[Particular], Model], kind: str, data: bytes, reason: str
) -> None:
    """It is read to a bound, booked by an estimate, and says nothing."""
    asking = Asking(ledger, served(Particular(lambda _: (200, kind, data))))
    assert asking.why() == reason
    assert asking.booked
    assert all(is_estimate for _, _, is_estimate in asking.booked)
    assert asking.held == 0


def test_no_money_no_question(asking: Asking, parrot: Parrot) -> None:
    """What may cost more than is left of a cap is not asked, whichever cap it is."""
    parrot.replies = [YES]
    asking.cap = CENT // 10
    assert asking.why() == "the budget of this review is spent: $0.00 of $0.0010, and the next question may cost $0.01"
    asking.cap = None
    for caps, of in (
        (Caps(issue=CENT // 10), "this issue"),
        (Caps(agent_day=0), "the agent for today"),
        (Caps(repo_day=0), "this repository for today"),
        (Caps(team_month=0), "the team for this month"),
    ):
        asking.caps = caps
        assert f"the budget of {of} " in asking.why()
    assert (parrot.heard, asking.booked, asking.held) == ([], [], 0)
    asking.caps = Caps(run=0, issue=DOLLAR)
    assert asking.ask() == "confirmed", "a review is no run"


def test_what_others_have_reserved_is_not_there(asking: Asking, parrot: Parrot) -> None:
    """A cap that is only held by requests in flight is no spent one, and is told as such."""
    other = replace(WHO, agent="iris", ref="forgejo:acme/app#8")
    asking.caps = Caps(team_day=DOLLAR)
    asking.ledger.budgets.reserve(other, asking.caps, Quote(MODEL, TokenCounts(), DOLLAR, DOLLAR), "host")
    assert "are reserved for requests in flight" in asking.why()
    assert parrot.heard == []


def test_a_review_has_one_budget(asking: Asking, parrot: Parrot) -> None:
    """The questions of one review add up; another review begins with all of it."""
    parrot.replies = [YES]
    account = asking.account()
    asking.ask(account=account)
    assert account.purse.cost == asking.booked[0][1]
    account.purse.cap = account.purse.cost + 1
    with pytest.raises(NoAnswer, match="the budget of this review is spent"):
        asking.ask(replace(QUESTION, text="Another?"), account=account)
    assert asking.ask(replace(QUESTION, text="Another?")) == "confirmed"


def test_a_dead_worker_has_paid_what_it_reserved(asking: Asking, parrot: Parrot, clock: Clock) -> None:
    """What it had reserved is booked when the next one starts, once; a host's is not a worker's to settle, nor the other way round."""
    parrot.replies = [YES]
    hold = asking.account("work:dead").reserve(MODEL, QUESTION.body(formatted=True))
    hosts = Spender("acme", "iris", PULL, 0, 0)
    asking.ledger.budgets.reserve(hosts, Caps(), Quote(MODEL, TokenCounts(), CENT, CENT), "host")
    assert asking.ledger.budgets.settle_dead("work:") == 1
    [(run, amount, is_estimate)] = asking.booked
    assert (run, is_estimate) == (None, 1)
    assert amount == hold.hold.amount  # type: ignore[attr-defined]  # the reservation of a ledger
    asking.account("work:alive").reserve(MODEL, QUESTION.body(formatted=True))
    assert asking.ledger.budgets.settle_dead("another host") == 1, "that of the host"
    assert asking.held == 1
    assert asking.ask() == "confirmed"
    [first, *_, last] = asking.booked
    assert first[1] == amount
    assert last[2] == 0
    spent = asking.ledger._db.row("SELECT spent FROM spending WHERE scope = ? AND name = ?", BudgetScope.ISSUE, PULL)
    assert spent is not None
    assert spent["spent"] == sum(cost for _, cost, _ in asking.booked)
