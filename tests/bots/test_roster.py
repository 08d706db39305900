"""The roster bot: a plan for each change, a pull request for each request that can be, a sentence for each that cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bots.agent_intents import Deploy, ProposeAgent
from bots.bot import Context
from bots.configurations import Evaluation, TombstoneView
from bots.intents import Intent, PinProposal, PostComment, RequestReview, SetVerdict, ShowPlan
from bots.review import bot as review
from bots.roster import SPAWN, bot
from bots.triage import bot as triage
from forge.events import IssueEdited, IssueLabeled, IssueOpened, PullMerged, ReviewAsked
from forge.models import Ref, State
from hive.worker.loop_guard import subscribes
from tests.bots.conftest import APP, EVE, MARA, OWN, Still, StillForge, issue, pull

Golden = Callable[[str, str], None]
META, OPS = OWN
ASKED = Ref(OPS, 3)
CHANGE = Ref(META, 4)
FORM = "### Name\n\n{name}\n\n### Lane\n\n{lane}\n\n### Why\n\nThe manual @eve <!-- hidden -->\n"


@pytest.fixture
def home(ctx: Context, forge: StillForge) -> Context:
    """The team that looks after the hive's own repositories."""
    forge.pulls = {CHANGE: pull(4, repo=META)}
    return replace(ctx, team=replace(ctx.team, own=OWN))


def ask(ctx: Context, name: str, lane: str = "docs", **more: object) -> list[Intent]:
    """What becomes of a request."""
    facts = {"ref": ASKED, "body": FORM.format(name=name, lane=lane), "labels": (SPAWN,), "author": EVE, **more}
    assert isinstance(ctx.forge, StillForge)
    ctx.forge.issues[ASKED] = issue(3, **facts)  # type: ignore[arg-type]  # a test says what differs
    return bot.handle(IssueOpened(ASKED, EVE, "k"), ctx)


def test_a_request_becomes_a_proposal(home: Context) -> None:
    """Whoever asks: what comes of it waits for an operator's merge. What hides in its words is gone."""
    (wanted,) = ask(home, "lexis")
    assert isinstance(wanted, ProposeAgent)
    assert (wanted.roster, wanted.agent, wanted.lane) == (META, "lexis", "docs")
    assert wanted.why == "The manual @eve"
    assert ask(home, "lexis", labels=(), title="Spawn: lexis") == [wanted], "not everybody may set labels"
    (again,) = bot.handle(IssueEdited(ASKED, EVE, "k2"), home)
    assert bot.handle(IssueLabeled(ASKED, EVE, "k3"), home) == [again], "a label may come later, and is no second wish"
    assert again == wanted, "the same request is wanted once"


@pytest.mark.parametrize(
    ("name", "lane"),
    [
        ("documentation", "docs"),
        ("..", "docs"),
        ("Lexis", "docs"),
        ("lé", "docs"),
        ("", "docs"),
        ("core", "docs"),
        ("argus", "docs"),
        ("roster", "docs"),
        ("iris", "docs"),
        ("lexis", "two words"),
        ("lexis", ""),
        ("gone", "docs"),
    ],
)
def test_a_request_that_cannot_be(home: Context, still: Still, name: str, lane: str) -> None:
    """It is answered with the reason, and nothing else is wanted."""
    still.tombstones = {"gone": TombstoneView("gone")}
    (wanted,) = ask(home, name, lane)
    assert isinstance(wanted, PostComment)
    assert wanted.body.startswith("🔴 **No agent ")


def test_refusal_golden(home: Context, golden: Golden) -> None:
    """The words of a refusal."""
    (wanted,) = ask(home, "documentation`\n@mara")
    assert isinstance(wanted, PostComment)
    golden("roster/refused.md", wanted.body)


def test_only_requests_are_read(home: Context, ctx: Context) -> None:
    """An issue elsewhere, without the label, closed, or of a team that does not look after them, is left alone."""
    assert ask(home, "lexis", labels=("bug",)) == []
    assert ask(home, "lexis", is_open=False) == []
    assert ask(ctx, "lexis") == []
    assert isinstance(home.forge, StillForge)
    home.forge.issues[Ref(APP, 1)] = issue(1, body=FORM.format(name="lexis", lane="docs"), labels=(SPAWN,))
    assert bot.handle(IssueOpened(Ref(APP, 1), EVE, "k"), home) == []


def test_plan_golden(home: Context, still: Still, golden: Golden) -> None:
    """A change that can be merged: operators are called, its head is pinned, and the plan says what it does."""
    still.roster = Evaluation("a" * 40, "t" * 40, (), ("lexis joins acme", "lane docs is new, and `x` @eve's"))
    review, pin, verdict, plan = bot.handle(ReviewAsked(CHANGE, MARA, "k"), home)
    assert isinstance(review, RequestReview)
    assert review.operators == ("mara",)
    assert isinstance(pin, PinProposal)
    assert (pin.head_sha, pin.tree) == ("a" * 40, "t" * 40)
    assert isinstance(verdict, SetVerdict)
    assert verdict.status.state is State.SUCCESS
    assert isinstance(plan, ShowPlan)
    golden("roster/plan.md", plan.body)


def test_problems_golden(home: Context, still: Still, golden: Golden) -> None:
    """A change that cannot count: nobody is called, nothing is pinned, the status is red."""
    still.roster = Evaluation("a" * 40, "t" * 40, ("roster.yaml:3:14: agents.0: 'core' is reserved",))
    verdict, plan = bot.handle(ReviewAsked(CHANGE, MARA, "k"), home)
    assert isinstance(verdict, SetVerdict)
    assert (verdict.status.state, verdict.status.context) == (State.FAILURE, "hive/roster")
    assert isinstance(plan, ShowPlan)
    golden("roster/problems.md", plan.body)


def test_nobody_golden(home: Context, still: Still, golden: Golden) -> None:
    """A change of comments only."""
    still.roster = Evaluation("a" * 40, "t" * 40)
    plan = bot.handle(ReviewAsked(CHANGE, MARA, "k"), home)[-1]
    assert isinstance(plan, ShowPlan)
    golden("roster/nobody.md", plan.body)


def test_a_merge_is_a_hint(home: Context) -> None:
    """The host is asked to look for itself."""
    assert bot.handle(PullMerged(CHANGE, EVE, "k"), home) == [Deploy(CHANGE, "@forgejo", key=f"deploy:{CHANGE}")]


def test_only_core_is_at_home(home: Context) -> None:
    """Events in the hive's own repositories reach no bot whose account cannot read them."""
    opened = IssueOpened(ASKED, EVE, "k")
    assert subscribes(bot, opened, home.team)
    assert not subscribes(triage, opened, home.team)
    assert not subscribes(review, ReviewAsked(CHANGE, EVE, "k"), home.team)
    assert subscribes(triage, IssueOpened(Ref(APP, 1), EVE, "k"), home.team)
