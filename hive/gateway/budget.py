"""An agent's budget: reserves what a request may cost before it is passed on, and books what it did cost.

A ledger that cannot be written refuses: what is not recorded is not spent.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bots.money import exactly
from hive.config.costs import OF_AGENTS, BudgetSettings
from hive.gateway import budget_words
from hive.gateway.model_errors import ModelFailed, error_body
from hive.gateway.pricing import MILLION, ModelPrice, PriceList, cost
from hive.gateway.token_usage import TokenUsage
from hive.ledger import SCOPES, Act, CapBusy, CapReached, Caps, Hold, Ledger, OverCap, Quote, Spender, TokenCounts, Turn

BYTES_OF_A_TOKEN = 3
"""For reservations: text and source have more, so that the estimate is rather too high."""

IMAGE_TOKENS = 5_000
"""What an image has at the most, however many bytes."""

BYTES_OF_A_VALUE = 4
"""What JSON itself adds for each value: quotes, a comma, a bracket."""

LEAST_REPLY = 1_024
"""A reply may be cut down to so many tokens, beside its thinking, when the budget has no room for more."""

SEARCHES = 10
"""Searches that are reserved for a request that does not say how many it may make."""

PATIENCE_SECONDS = 60.0
"""How long a request waits for what others have reserved: less than a harness waits for an answer."""

POLL_SECONDS = 0.1
RETRY_SECONDS = "5"


class BudgetSpent(ModelFailed):
    """A cap leaves no room for a request: in the API's form, with the seconds until it is renewed."""

    def __init__(self, reached: CapReached, now: float) -> None:
        renewed = {"retry-after": str(max(1, int(reached.until - now + 0.999)))} if reached.until else {}
        told = error_body("billing_error", budget_words.stopped(reached))
        super().__init__(
            429, told, {"x-should-retry": "false", "x-hive": "rest" if reached.until else "stop", **renewed}
        )
        self.reached = reached


@dataclass(frozen=True, slots=True)
class Budget:
    """What one agent may spend. `owner` is this process, `caps` are those of now; waiting ends when `stop` is set."""

    ledger: Ledger
    team: str
    prices: PriceList
    owner: str = ""
    caps: Callable[[], Caps] = Caps
    stop: threading.Event = field(default_factory=threading.Event)
    patience: float = PATIENCE_SECONDS

    def admit(self, turn: Turn, model: str, request: Mapping[str, Any]) -> BudgetReservation:
        """Reserve what a Messages request may cost, or less with a shorter reply.

        Raises BudgetSpent, ModelFailed while requests in flight need what is left, and sqlite3.Error.
        """
        who = Spender(self.team, turn.agent, turn.ref, turn.run, turn.id)
        price = self.prices.of(model)
        quote, caps = quoted(model, price, request), self.caps()
        until = time.monotonic() + self.patience
        while True:
            try:
                hold = self.ledger.budgets.reserve(who, caps, quote, self.owner)
            except OverCap as error:
                self.ledger.budgets.stop(who, error.reached)
                raise BudgetSpent(error.reached, self.ledger.clock()) from error
            except CapBusy as error:
                if time.monotonic() >= until or self.stop.wait(POLL_SECONDS):
                    told = error_body("rate_limit_error", budget_words.busy(error.reached))
                    raise ModelFailed(429, told, {"retry-after": RETRY_SECONDS}) from error
            else:
                return BudgetReservation(self, who, price, quote, hold, int(request["max_tokens"]))


@dataclass(frozen=True, slots=True)
class BudgetReservation:
    """What is reserved for one request; `wanted` is how long its reply may be by its own words."""

    budget: Budget
    who: Spender
    price: ModelPrice
    quote: Quote
    hold: Hold
    wanted: int

    @property
    def max_tokens(self) -> int:
        """How long the reply may be: shorter than it was wanted, if the budget has no room for all of it."""
        return reply_tokens(self.price, self.quote, self.hold.amount) if self._is_short else self.wanted

    @property
    def used(self) -> int:
        """How many percent of the cap are spent that is used most."""
        return self.hold.used

    @property
    def _is_short(self) -> bool:
        return self.hold.amount < self.quote.amount

    def settle(self, usage: TokenUsage) -> None:
        """Replace the reservation by what was used, and record the warnings that this calls for."""
        ledger, who = self.budget.ledger, self.who
        if usage == TokenUsage():
            ledger.budgets.drop(self.hold)
            return
        tokens = TokenCounts(usage.input, usage.output, usage.cache_read, usage.cache_write + usage.cache_write_1h)
        spent = cost(usage, self.price)
        for warning in ledger.budgets.settle(self.hold, tokens, spent, is_estimate=usage.is_estimate):
            facts: dict[str, Any] = {"run": who.run, "scope": warning.reached.scope, "period": warning.reached.period}
            facts |= {
                "level": warning.level,
                "says": budget_words.warning(warning).removeprefix("⚠️ "),
                "spent": warning.reached.spent,
                "cap": warning.reached.cap,
            }
            ledger.audit.add(who.agent, Act.BUDGET_WARNING, team=who.team, ref=who.ref, **facts)
        if self._is_short and self.hold.limit is not None and usage.output >= self.max_tokens:
            ledger.budgets.stop(who, self.hold.limit)  # the reply was cut off for the budget's sake


def caps_of(budget: BudgetSettings, own: Mapping[str, int]) -> Caps:
    """The caps of an agent: those of the hive, and its own where they are lower."""
    found: dict[str, int] = {}
    for scope, period in SCOPES:
        name = "_".join(filter(None, (scope, period)))
        if (cap := getattr(budget, name)) != "none":
            found[name] = exactly(cap)
    for mine, name in OF_AGENTS.items():
        if mine in own:
            found[name] = min(own[mine], found.get(name, own[mine]))
    return Caps(**found)


def quoted(model: str, price: ModelPrice, request: Mapping[str, Any]) -> Quote:
    """What a request may cost: all that it sends at the highest price that can apply to it, and the longest reply."""
    size = _Size()
    size.add(request)
    sent = -(-size.bytes // BYTES_OF_A_TOKEN) + size.images * IMAGE_TOKENS
    most = int(request["max_tokens"])
    at = price.at(sent)
    reading = max(at.input, at.cache_write if size.is_cached else 0, at.cache_write_1h if size.is_cached_1h else 0)
    fixed = -(-sent * reading // MILLION) + cost(TokenUsage(web_searches=_searches(request)), price)
    thinking = request.get("thinking")
    depth = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    least = min(most, LEAST_REPLY + (depth if isinstance(depth, int) else 0))
    amounts = (fixed + -(-tokens * at.output // MILLION) for tokens in (most, least))
    return Quote(model, TokenCounts(input=sent, output=most), *amounts)


def reply_tokens(price: ModelPrice, quote: Quote, amount: int) -> int:
    """The longest reply that an amount below that of a quote pays for."""
    output = price.at(quote.tokens.input).output
    return quote.tokens.output - -(-(quote.amount - amount) * MILLION // output)


class _Size:
    """How much a request sends: bytes of text, images, and whether parts of it go into the cache."""

    def __init__(self) -> None:
        self.bytes = 0
        self.images = 0
        self.is_cached = False
        self.is_cached_1h = False

    def add(self, value: object) -> None:
        """Count a value and all in it."""
        left = [value]
        while left:
            each = left.pop()
            self.bytes += BYTES_OF_A_VALUE
            if isinstance(each, str):
                self.bytes += len(each.encode("utf-8", "replace"))
            elif isinstance(each, dict):
                if each.get("type") == "image":
                    self.images += 1
                    continue
                if each.get("type") == "tool_use":  # whatever a tool was given is text, also what looks like an image
                    self.bytes += len(json.dumps(each, ensure_ascii=False).encode("utf-8", "replace"))
                    continue
                self._cached(each.get("cache_control"))
                left += each
                left += each.values()
            elif isinstance(each, list):
                left += each

    def _cached(self, control: object) -> None:
        if isinstance(control, dict):
            self.is_cached = True
            self.is_cached_1h |= control.get("ttl") == "1h"


def _searches(request: Mapping[str, Any]) -> int:
    """How many web searches a request may make at its provider."""
    tools = request.get("tools") or []
    kinds = [tool for tool in tools if isinstance(tool, dict) and str(tool.get("type")).startswith("web_search")]
    return sum(tool["max_uses"] if isinstance(tool.get("max_uses"), int) else SEARCHES for tool in kinds)
