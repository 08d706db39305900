"""Every token has a price, whole to a billionth of a dollar, and none is cheaper for being unknown."""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bots.money import CENT, DOLLAR, MOST, dollars, exactly, percent, read_dollars
from hive.app.prices import lines, priced
from hive.config import BadYaml, load
from hive.config.costs import BudgetSettings
from hive.gateway.pricing import OLD_DAYS, ModelPrice, cost, price_list
from hive.gateway.token_usage import TokenUsage
from hive.instance.instance import Instance
from hive.provision.host_checks import _prices
from tests.hive.test_cli import CONFIG, hive

PRICES = price_list()
MILLION = 1_000_000
EACH = TokenUsage(input=MILLION, output=MILLION, cache_read=MILLION, cache_write=MILLION, cache_write_1h=MILLION)


def configured(folder: Path, own: str) -> Path:
    """A configuration with prices of its own."""
    path = folder / "hive.yaml"
    path.write_text(
        CONFIG.replace("PORT", "0").replace('model: {url: "http://127.0.0.1:1"}', f"model: {{prices: {own}}}")
    )
    return path


@pytest.mark.parametrize(
    ("model", "usage", "said"),
    [
        ("claude-sonnet-5-5", replace(EACH, web_searches=0), "$18.60"),
        ("claude-haiku-5-5", TokenUsage(input=100_000, output=1_000), "$0.01"),
        ("claude-haiku-5-5", TokenUsage(input=100_000, output=1_000, cache_read=1), "$0.05"),
        ("claude-haiku-5-5", TokenUsage(cache_read=1), "$0.000000010"),
        ("claude-haiku-4-5-20251001", TokenUsage(input=MILLION), "$1.00"),
        ("claude-fable-5-2", TokenUsage(cache_write=MILLION, cache_write_1h=MILLION), "$26.00"),
        ("claude-opus-5-5", TokenUsage(web_searches=3), "$0.03"),
    ],
)
def test_each_class_has_its_price(model: str, usage: TokenUsage, said: str) -> None:
    """Read, written, read from the cache, written to it for minutes or an hour; a long prompt costs more as a whole."""
    assert dollars(PRICES.cost(usage, model)) == said


def test_an_unknown_model_is_never_cheaper() -> None:
    """What nobody knows the price of costs as much as the dearest model of each class."""
    for model in PRICES.models:
        usage = replace(EACH, web_searches=7)
        assert PRICES.cost(usage, "made-up-tomorrow") >= PRICES.cost(usage, model)
    assert not PRICES.knows("made-up-tomorrow")


def test_a_share_of_a_unit_is_rounded_up() -> None:
    """Nothing that has a price costs nothing, and the parts of an answer never cost less than the whole."""
    tiny = ModelPrice(input=1)
    assert cost(TokenUsage(input=1), tiny) == 1
    chance = random.Random(7)
    for _ in range(200):
        parts = [TokenUsage(input=chance.randrange(1000), output=chance.randrange(1000)) for _ in range(3)]
        whole = TokenUsage(input=sum(part.input for part in parts), output=sum(part.output for part in parts))
        price = ModelPrice(input=chance.randrange(MILLION), output=chance.randrange(MILLION))
        assert sum(cost(part, price) for part in parts) >= cost(whole, price)


def test_a_model_at_home_costs_what_the_configuration_says(tmp_path: Path) -> None:
    """Nothing unless it says so, and what it says counts before the prices of the package."""
    path = configured(tmp_path, "{qwen3: {}, claude-opus-5-5: {input: 1.5, output: 0.0000001}}")
    prices = priced(path)
    assert prices.of("qwen3").is_free
    assert dollars(prices.cost(TokenUsage(input=MILLION), "claude-opus-5-5")) == "$1.50"
    assert prices.cost(TokenUsage(output=1), "claude-opus-5-5") == 1
    assert any(line.startswith("qwen3 *") and line.endswith(" 0.00") for line in lines(prices, prices.as_of))


@pytest.mark.parametrize(
    ("own", "complaint"),
    [
        ("{qwen3: {input: cheap}}", "model.prices.qwen3.input: should be a number (it is 'cheap')"),
        ("{qwen3: {input: -1}}", "model.prices.qwen3.input: should be at least 0"),
        ("{qwen3: {input: .nan}}", "model.prices.qwen3.input: should be"),
        ("{qwen3: {in: 1}}", "model.prices.qwen3.in: unknown key"),
        ("{'a b': {}}", "model.prices.a b: should be the name of a model"),
    ],
)
def test_a_wrong_price_is_named(tmp_path: Path, own: str, complaint: str) -> None:
    """By its field, before anything is spent."""
    path = configured(tmp_path, own)
    with pytest.raises(BadYaml) as caught:
        load(path)
    assert complaint in str(caught.value).replace("`", "")


def test_old_prices_are_said_to_be_old() -> None:
    """Prices change: from a certain age on the list says so, and how to help."""
    fresh, old = PRICES.as_of + timedelta(OLD_DAYS), PRICES.as_of + timedelta(OLD_DAYS + 1)
    assert "days old" not in " ".join(lines(PRICES, fresh))
    assert f"These prices are {OLD_DAYS + 1} days old" in " ".join(lines(PRICES, old))


def test_prices_are_listed_without_a_hive(tmp_path: Path) -> None:
    """Who wonders what it will cost needs no configuration yet."""
    done = hive("prices", cwd=tmp_path)
    assert done.returncode == 0
    assert f"as of {PRICES.as_of}" in done.stdout
    assert all(name in done.stdout for name in PRICES.models)


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (0, "$0.00"),
        (1, "$0.000000001"),
        (4_200_000, "$0.0042"),
        (CENT - 1, "$0.0100"),
        (37 * CENT, "$0.37"),
        (DOLLAR - 1, "$1.00"),
        (1234 * DOLLAR + 50 * CENT, "$1,234.50"),
        (-2 * DOLLAR, "-$2.00"),
    ],
)
def test_an_amount_is_short(amount: int, said: str) -> None:
    """Cents are enough, unless there is less than one."""
    assert dollars(amount) == said


@pytest.mark.parametrize(
    "text", ["", "+2", "-2", "1e3", ".5", "2.", "2,50", "٣", "1000001", "2.0000000001", "nan", "$"]
)
def test_what_is_no_amount_is_none(text: str) -> None:
    """Only plain digits are read: an amount that could mean two things means none."""
    assert read_dollars(text) is None


def test_an_amount_is_read_to_the_last_digit() -> None:
    """Dollars, with or without their sign and cents."""
    assert [read_dollars(text) for text in ("2", "$2.50", "0.000000001")] == [2 * DOLLAR, 250 * CENT, 1]
    assert read_dollars("1000000") == MOST
    assert exactly(0.1) == DOLLAR // 10
    assert (percent(61, 100), percent(0, 0), percent(1, 3)) == (61, 100, 33)


@pytest.mark.parametrize(
    ("budget", "complaint"),
    [
        ("{run: cheap}", "budget.run: should be a number or 'none' (it is 'cheap')"),
        ("{issue: -1}", "budget.issue: should be at least 0 or 'none' (it is -1)"),
        ("{team_day: 2000000}", "budget.team_day: should be at most 1000000 or 'none' (it is 2000000)"),
        ("{team_month: true}", "budget.team_month: should be a number or 'none' (it is True)"),
        ("{agent_week: 3}", "budget.agent_week: unknown key; did you mean 'agent_day'?"),
    ],
)
def test_a_wrong_cap_is_named(tmp_path: Path, budget: str, complaint: str) -> None:
    """By its field, with what would be right."""
    path = configured(tmp_path, "{}")
    path.write_text(f"{path.read_text()}budget: {budget}\n")
    with pytest.raises(BadYaml) as caught:
        load(path)
    assert complaint in str(caught.value)


def test_a_newcomer_is_protected(tmp_path: Path) -> None:
    """Without a word about money there are caps; where there is none, somebody wrote so."""
    path = configured(tmp_path, "{}")
    assert load(path).budget == BudgetSettings(run=3.0, issue=10.0, team_day=50.0)
    path.write_text(f"{path.read_text()}budget: {{run: none, issue: 0}}\n")
    assert (load(path).budget.run, load(path).budget.issue) == ("none", 0)


def test_the_doctor_knows_what_has_no_price(tmp_path: Path) -> None:
    """A model whose price nobody knows is named before it is paid for as the dearest one."""
    path = configured(tmp_path, "{mine: {}}")
    path.write_text(path.read_text().replace("model: {", "model: {allowed: [mine, theirs], "))
    with closing(Instance(load(path))) as instance:
        found = [str(result) for result in _prices(instance)]
    assert len(found) == 1 + (PRICES.age(datetime.now(UTC).date()) > OLD_DAYS)
    assert "what theirs costs is not known, so it counts as the dearest model" in found[0]
