"""Who pays for reviews by a model: reserves before each question, books after it, and keeps what was paid for.

A review has a cap of its own, beside those of its pull request, account, repository and team in the ledger.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bots.money import dollars
from hive.gateway import budget_words
from hive.gateway.budget import quoted
from hive.gateway.model_question import AnswerHold, NoAnswer
from hive.gateway.pricing import ModelPrice, PriceList, cost
from hive.gateway.token_usage import TokenUsage
from hive.ledger import Act, CapBusy, Caps, Hold, Ledger, OverCap, Quote, Spender, TokenCounts

POLL_SECONDS = 0.5
BUSY_SECONDS = 60.0
"""How long a question waits for what others have reserved."""

SPENT = "the budget of this review is spent: {spent} of {cap}, and the next question may cost {more}"


@dataclass
class ReviewPurse:
    """What one review has cost so far, and its own cap in billionths of a dollar, None without one."""

    prices: PriceList
    cap: int | None = None
    cost: int = 0
    tokens: int = 0

    def quote(self, model: str, body: Mapping[str, Any]) -> tuple[ModelPrice, Quote]:
        """What a request may cost; raises NoAnswer if that is more than is left. A shorter answer would be none."""
        price = self.prices.of(model)
        quote = quoted(model, price, body)
        if self.cap is not None and self.cost + quote.amount > self.cap and quote.amount:
            facts = {"spent": dollars(self.cost), "cap": dollars(self.cap), "more": dollars(quote.amount)}
            raise NoAnswer(SPENT.format(**facts))
        return price, replace(quote, least=quote.amount)

    def add(self, usage: TokenUsage, price: ModelPrice) -> int:
        """Count what a request used; returns what it cost."""
        spent = cost(usage, price)
        self.cost += spent
        self.tokens += usage.tokens_in + usage.output
        return spent


@dataclass(frozen=True, slots=True)
class ReviewAccount:
    """The account of a review in the ledger; `owner` is this process, with its kind before a colon."""

    ledger: Ledger
    who: Spender
    caps: Caps
    purse: ReviewPurse
    owner: str
    patience: float = BUSY_SECONDS

    def recall(self, digest: str) -> str | None:
        """An answer that was paid for before."""
        return self.ledger.model_answers.find(digest)

    def reserve(self, model: str, body: Mapping[str, Any]) -> AnswerHold:
        """Reserve what a request may cost; raises NoAnswer if a cap has no room for it."""
        price, quote = self.purse.quote(model, body)
        until = time.monotonic() + self.patience
        while True:
            try:
                hold = self.ledger.budgets.reserve(self.who, self.caps, quote, self.owner)
            except OverCap as error:
                raise NoAnswer(_sentence(budget_words.spent(error.reached)), may_pass=True) from error
            except CapBusy as error:
                if time.monotonic() >= until:
                    raise NoAnswer(_sentence(budget_words.busy(error.reached)), may_pass=True) from error
                threading.Event().wait(POLL_SECONDS)
            else:
                return ReviewHold(self, model, price, hold)


@dataclass(frozen=True, slots=True)
class ReviewHold:
    """What is reserved for one question."""

    account: ReviewAccount
    model: str
    price: ModelPrice
    hold: Hold

    def settle(self, usage: TokenUsage, *, digest: str = "", answer: str = "") -> None:
        """Book what was used, and keep the answer in the same transaction: one without the other is never there."""
        ledger, who = self.account.ledger, self.account.who
        with ledger.transaction():
            if usage == TokenUsage():
                ledger.budgets.drop(self.hold)
                return
            tokens = TokenCounts(usage.input, usage.output, usage.cache_read, usage.cache_write + usage.cache_write_1h)
            spent = self.account.purse.add(usage, self.price)
            for warning in ledger.budgets.settle(self.hold, tokens, spent, is_estimate=usage.is_estimate):
                facts: dict[str, Any] = {"scope": warning.reached.scope, "period": warning.reached.period}
                facts |= {"level": warning.level, "says": budget_words.warning(warning).removeprefix("⚠️ ")}
                ledger.audit.add(who.agent, Act.BUDGET_WARNING, team=who.team, ref=who.ref, **facts)
            if answer:
                ledger.model_answers.store(digest, who.ref, self.model, answer)


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """The account of a review without a hive: a cap, and the memory of one process."""

    purse: ReviewPurse
    answers: dict[str, str] = field(default_factory=dict)

    def recall(self, digest: str) -> str | None:
        """An answer that was paid for before."""
        return self.answers.get(digest)

    def reserve(self, model: str, body: Mapping[str, Any]) -> AnswerHold:
        """Look whether there is money for a request; raises NoAnswer."""
        price, _ = self.purse.quote(model, body)
        return OwnHold(self, price)


@dataclass(frozen=True, slots=True)
class OwnHold:
    """What one question may cost."""

    account: OwnAccount
    price: ModelPrice

    def settle(self, usage: TokenUsage, *, digest: str = "", answer: str = "") -> None:
        """Count what was used, and keep the answer, if there is one."""
        self.account.purse.add(usage, self.price)
        if answer:
            self.account.answers[digest] = answer


def _sentence(text: str) -> str:
    return text[:1].lower() + text[1:]
