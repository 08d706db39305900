"""What tokens cost: prices from a dated file of the package, and those of the configuration. Asks nobody.

Amounts are whole billionths of a dollar. A price is one for a million tokens, so that a share of a cent stays whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

from bots.money import exactly
from hive.config.costs import OwnPrice
from hive.gateway.token_usage import TokenUsage

FILE = "prices.json"
MILLION = 1_000_000
THOUSAND = 1_000
OLD_DAYS = 90
"""Days after which prices are likely to have changed."""

_DATED = re.compile(r"-\d{8}$")
"""The date at the end of a model's full name: `claude-haiku-4-5-20251001` costs what `claude-haiku-4-5` does."""


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """What one model costs: for a million tokens of each class, and for a thousand web searches.

    A prompt of more than `long_above` tokens, from the cache or not, costs `long` as a whole, if that is given.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    web_search: int = 0
    long_above: int = 0
    long: ModelPrice | None = None

    @property
    def is_free(self) -> bool:
        """Whether it costs nothing, however much it is used."""
        return self == ModelPrice()

    def at(self, prompt: int) -> ModelPrice:
        """The price for a prompt of so many tokens."""
        return self.long if self.long is not None and prompt > self.long_above else self


def cost(usage: TokenUsage, price: ModelPrice) -> int:
    """What an answer costs, rounded up to a billionth of a dollar."""
    at = price.at(usage.tokens_in)
    tokens = (
        usage.input * at.input
        + usage.output * at.output
        + usage.cache_read * at.cache_read
        + usage.cache_write * at.cache_write
        + usage.cache_write_1h * at.cache_write_1h
    )
    return -(-tokens // MILLION) + -(-usage.web_searches * at.web_search // THOUSAND)


@dataclass(frozen=True, slots=True)
class PriceList:
    """The known prices by model, from when they are, and where they come from; `own` are those of the configuration."""

    as_of: date
    source: str
    models: Mapping[str, ModelPrice]
    own: Mapping[str, ModelPrice] = field(default_factory=dict)

    def of(self, model: str) -> ModelPrice:
        """The price of a model; an unknown one costs the highest known price of each class."""
        for name in (model, _DATED.sub("", model)):
            found = self.own.get(name) or self.models.get(name)
            if found is not None:
                return found
        return _highest(self.models)

    def knows(self, model: str) -> bool:
        """Whether a model has a price of its own."""
        return any(name in known for name in (model, _DATED.sub("", model)) for known in (self.own, self.models))

    def cost(self, usage: TokenUsage, model: str) -> int:
        """What an answer of a model costs."""
        return cost(usage, self.of(model))

    def age(self, today: date) -> int:
        """How many days old the prices of the package are."""
        return (today - self.as_of).days


def price_list(own: Mapping[str, ModelPrice] | None = None) -> PriceList:
    """The prices of the package, and those of a configuration."""
    shipped = _shipped()
    return PriceList(shipped.as_of, shipped.source, shipped.models, own or {})


def own_prices(prices: Mapping[str, OwnPrice]) -> dict[str, ModelPrice]:
    """The prices of a configuration."""
    return {name: _own(price) for name, price in prices.items()}


def _own(price: OwnPrice) -> ModelPrice:
    write = exactly(price.cache_write)
    return ModelPrice(
        input=exactly(price.input),
        output=exactly(price.output),
        cache_read=exactly(price.cache_read),
        cache_write=write,
        cache_write_1h=write,
    )


@cache
def _shipped() -> PriceList:
    text = resources.files("hive.gateway").joinpath(FILE).read_text(encoding="utf-8")
    found = json.loads(text, parse_float=Decimal)
    searches = exactly(found["web_search"])
    models = {name: _price(entry, searches) for name, entry in found["models"].items()}
    return PriceList(date.fromisoformat(found["date"]), found["source"], models)


def _price(entry: Mapping[str, Any], searches: int) -> ModelPrice:
    long = entry.get("long")
    classes = ("input", "output", "cache_read", "cache_write", "cache_write_1h")
    return ModelPrice(
        **{name: exactly(entry[name]) for name in classes},
        web_search=searches,
        long_above=int(long["above"]) if long else 0,
        long=_price(long, searches) if long else None,
    )


@cache
def _most(prices: tuple[ModelPrice, ...]) -> ModelPrice:
    every = [*prices, *(price.long for price in prices if price.long is not None)]
    return ModelPrice(
        input=max(price.input for price in every),
        output=max(price.output for price in every),
        cache_read=max(price.cache_read for price in every),
        cache_write=max(price.cache_write for price in every),
        cache_write_1h=max(price.cache_write_1h for price in every),
        web_search=max(price.web_search for price in every),
    )


def _highest(models: Mapping[str, ModelPrice]) -> ModelPrice:
    return _most(tuple(models.values()))
