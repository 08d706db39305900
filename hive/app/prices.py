"""The prices of models, as lines for a terminal. Decides nothing."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from bots.money import DOLLAR
from hive.config import load
from hive.gateway.pricing import OLD_DAYS, ModelPrice, PriceList, own_prices, price_list

HEAD = "US dollars for a million tokens, as of {date}. Source: {source}."
WIDTH = 79
OLD = (
    "These prices are {days} days old, so budgets may be wrong. Update forgehive, or name the prices that have changed:"
    " model.prices in hive.yaml."
)
UNKNOWN = (
    "A model that is not in this list costs the highest price of each column. An asterisk marks prices of hive.yaml."
)
COLUMNS = ("input", "output", "cache read", "cache write", "for an hour")


def priced(config: Path) -> PriceList:
    """The prices that a configuration leads to; without such a file those of the package."""
    if not config.exists():
        return price_list()
    settings = load(config)
    return price_list(own_prices(settings.model.prices_of(*settings.review.models)))


def lines(prices: PriceList, today: date) -> Iterator[str]:
    """A table of all models, and a warning if it is old."""
    yield from textwrap.wrap(HEAD.format(date=prices.as_of, source=prices.source), WIDTH)
    yield ""
    rows = [("model", *COLUMNS), *_rows(prices)]
    wide = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        cells = (text.ljust(wide[at]) if at == 0 else text.rjust(wide[at]) for at, text in enumerate(row))
        yield "  ".join(cells).rstrip()
    yield from ("", *textwrap.wrap(UNKNOWN, WIDTH))
    if (days := prices.age(today)) > OLD_DAYS:
        yield from ("", *textwrap.wrap(OLD.format(days=days), WIDTH))


def _rows(prices: PriceList) -> Iterator[tuple[str, ...]]:
    for name in sorted({*prices.models, *prices.own}):
        price = prices.of(name)
        yield (f"{name}{' *' if name in prices.own else ''}", *_cells(price))
        if price.long is not None:
            yield (f"  prompt above {price.long_above:,} tokens", *_cells(price.long))


def _cells(price: ModelPrice) -> tuple[str, ...]:
    classes = (price.input, price.output, price.cache_read, price.cache_write, price.cache_write_1h)
    return tuple(_dollars(amount) for amount in classes)


def _dollars(amount: int) -> str:
    """An amount with as many digits as it has, two at least."""
    whole, part = divmod(amount, DOLLAR)
    return f"{whole:,}.{f'{part:09}'.rstrip('0').ljust(2, '0')}"
