"""An operator sees what a thread has cost, and lets it cost more: exactly so much, and never by mistake."""

from __future__ import annotations

import pytest

from bots.agent_intents import RaiseBudget
from bots.bot import Context
from bots.money import CENT, DOLLAR
from bots.views import BudgetView, CapView
from tests.bots.conftest import Still
from tests.bots.test_commands import ISSUE, PULL, actions, ctx, mood, say, words

__all__ = ["ctx"]
SPENT = BudgetView(
    5,
    "iris",
    (
        CapView("run", "", 297 * CENT, 3 * DOLLAR),
        CapView("issue", "", 410 * CENT, None),
        CapView("agent", "day", 410 * CENT, None),
        CapView("team", "day", 12 * DOLLAR, 50 * DOLLAR),
        CapView("repo", "month", 12 * DOLLAR, 60 * DOLLAR),
    ),
)


def test_what_was_spent(ctx: Context, still: Still) -> None:
    """Of every cap that there is; the run and its issue are named without one too."""
    still.budgets = {ISSUE: SPENT}
    wanted = say(ctx, "/budget")
    assert actions(wanted) == []
    assert words(wanted) == (
        "✅ `/budget`: run 5 of @iris has spent $2.97 of $3.00; this issue has spent $4.10 (without a cap);"
        " team acme has spent $12.00 of $50.00 today; this repository has spent $12.00 of $60.00 this month."
    )


def test_nothing_was_spent(ctx: Context) -> None:
    """A run that has not begun has cost nothing, and may be given more nevertheless."""
    assert words(say(ctx, "/budget")) == "✅ `/budget`: run 5 of @iris has spent nothing yet."


def test_a_thread_without_a_run(ctx: Context, still: Still) -> None:
    """There is nothing to add to."""
    still.runs = {}
    for text in ("/budget", "/budget +2"):
        wanted = say(ctx, text)
        assert actions(wanted) == []
        assert mood(wanted) == "confused"


@pytest.mark.parametrize("where", [ISSUE, PULL], ids=["issue", "pull request"])
def test_more_is_added_to_the_run_and_its_issue(ctx: Context, still: Still, where: object) -> None:
    """Wherever it was said; the answer says what there is now."""
    assert where in (ISSUE, PULL)
    still.budgets = {ISSUE: SPENT, PULL: SPENT}
    wanted = say(ctx, "/budget +$2.50", ref=ISSUE if where == ISSUE else PULL)
    (action,) = actions(wanted)
    assert isinstance(action, RaiseBudget)
    assert (action.ref, action.run, action.amount) == (ISSUE, 5, 250 * CENT)
    assert "may spend $2.50 more: run 5 of @iris has spent $2.97 of $5.50. A turn" in words(wanted)
    assert "next day" not in words(wanted)


def test_a_day_is_not_made_longer(ctx: Context, still: Still) -> None:
    """More for an issue does not help one that waits for tomorrow, and that is said."""
    still.rests = {"iris": ("waiting: budget resets 00:00 UTC (…)",)}
    assert "these caps are in `hive.yaml`" in words(say(ctx, "/budget +2"))


@pytest.mark.parametrize("text", ["2", "-2", "+0", "+", "+2,50", "+2.50.1", "+1e3", "+1001", "++2", "+∞", "all"])
def test_what_is_no_amount_adds_nothing(ctx: Context, text: str) -> None:
    """A word that could be meant in two ways is answered with how it is written."""
    wanted = say(ctx, f"/budget {text}")
    assert actions(wanted) == []
    assert "as in `/budget +2`" in words(wanted)
    assert mood(wanted) == "confused"
