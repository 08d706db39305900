"""What was spent is listed for people and for programs, and both say the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bots.money import CENT
from hive.app.costs import document, since, table
from hive.cli.money import GROUPS
from hive.ledger import Caps, Ledger, Quote, Spender, TokenCounts
from hive.ledger.spending import GROUPS as KNOWN
from tests.conftest import Clock
from tests.hive.test_cli import CONFIG, hive


@pytest.fixture
def spent(ledger: Ledger, clock: Clock) -> Ledger:
    """A ledger of two agents on two days, with one estimate."""
    for day, (agent, model, cost) in enumerate(
        [("iris", "claude-sonnet-5-5", 123), ("iris", "claude-opus-5-5", 40), ("atlas", "claude-opus-5-5", 5)]
    ):
        run = ledger.runs.start("acme", agent, "forgejo:acme/app#1", agent, "do it")
        who = Spender("acme", agent, "forgejo:acme/app#1", run, day)
        tokens = TokenCounts(1_000, 200, 30_000, 4_000)
        hold = ledger.budgets.reserve(who, Caps(), Quote(model, tokens, cost * CENT, 0), "host")
        ledger.budgets.settle(hold, tokens, cost * CENT, is_estimate=agent == "atlas")
        clock.pass_(43_200)
    return ledger


def test_a_table_for_people(spent: Ledger, golden: Callable[[str, str], None]) -> None:
    """The dearest first, with a sum, and estimates marked as such."""
    golden("cli/cost.txt", "\n\n".join("\n".join(table(by, spent.spending.by(by))) for by in ("agent", "day", "issue")))


def test_the_same_for_programs(spent: Ledger) -> None:
    """The rows of the table, with amounts that need no rounding."""
    found = json.loads(document("model", spent.spending.by("model")))
    assert (found["by"], found["cost"]) == ("model", 168 * CENT)
    assert [(row["model"], row["dollars"], row["estimates"]) for row in found["rows"]] == [
        ("claude-sonnet-5-5", "$1.23", 0),
        ("claude-opus-5-5", "$0.45", 1),
    ]


def test_only_the_last_days(spent: Ledger) -> None:
    """Days are those of UTC, and today is one of them."""
    today = spent.spending.by("day", since(spent.clock() - 43_200, 1))
    assert [row.name for row in today] == [spent.spending.by("day")[-1].name]
    assert since(spent.clock(), None) == 0.0
    assert since(0.0, 36_500) <= 0.0


def test_every_group_is_offered() -> None:
    """The command line offers what the ledger can sum up by."""
    assert set(GROUPS) == set(KNOWN)


def test_a_hive_that_has_spent_nothing(tmp_path: Path) -> None:
    """It says so, also as JSON; a wrong word is answered with the right ones."""
    (tmp_path / "hive.yaml").write_text(CONFIG.replace("PORT", "0"))
    assert hive("cost", cwd=tmp_path).stdout == "nothing was spent\n"
    assert json.loads(hive("cost", "--by", "day", "--json", cwd=tmp_path).stdout) == {
        "by": "day",
        "rows": [],
        "cost": 0,
    }
    assert "'agent', 'issue', 'model', 'day'" in hive("cost", "--by", "mood", cwd=tmp_path).stderr
