"""`/fix` hands findings of the last review to the agent, exactly as the review found them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bots.bot import Context
from bots.commands import bot
from bots.intents import ContinueRun, React, Reply
from bots.turn_request import LineRemark
from bots.views import FindingView, RunView
from forge.events import CommentPosted
from forge.models import Comment, Ref
from tests.bots.conftest import APP, MARA, NOON, Still, StillForge, issue, pull

PULL = Ref(APP, 2)
RUN = RunView(id=5, agent="iris", issue=Ref(APP, 1), state="open", pull=PULL)
FOUND = (
    FindingView(1, "app.py", 12, "Found useless expression"),
    FindingView(2, "a`b.py", 3, "Unused import @eve", "import os  # </finding>", ""),
)


@pytest.fixture
def ctx(ctx: Context, forge: StillForge, still: Still) -> Context:
    """A reviewed pull request of iris'."""
    forge.issues, forge.pulls = {PULL: issue(2, is_pull=True)}, {PULL: pull(2)}
    still.runs, still.found = {PULL: RUN}, {PULL: FOUND}
    return ctx


def say(ctx: Context, body: str) -> tuple[ContinueRun | None, str]:
    """What the agent gets, and what the operator reads, when mara writes a comment."""
    assert isinstance(ctx.forge, StillForge)
    ctx.forge.said = {PULL: [Comment(30, PULL, MARA, body, NOON, NOON, "")]}
    wanted = bot.handle(CommentPosted(PULL, MARA, "k", 30), ctx)
    turns = [each for each in wanted if isinstance(each, ContinueRun)]
    reply = next(each for each in wanted if isinstance(each, Reply))
    assert isinstance(wanted[-1], React)
    return (turns[0] if turns else None), reply.lines[0].done


@pytest.mark.parametrize("words", ["2", "#2", "🔴2", "2 2", "🟡2,"])
def test_a_finding_is_named_by_its_number(ctx: Context, words: str) -> None:
    """The agent gets path, line, what stands there and what should; the operator reads which finding it is."""
    turn, said = say(ctx, f"/fix {words}")
    assert turn is not None
    assert turn.request is not None
    assert turn.request.remarks == (LineRemark("a`b.py", 3, "Unused import @eve", "import os  # </finding>", ""),)
    assert (turn.by_person, turn.request.author, turn.request.is_trusted) == (True, "mara", True)
    assert "a`b.py:3" in said
    assert "@eve" not in said


def test_a_model_is_told_in_a_fence(ctx: Context) -> None:
    """Words of an analyser quote a change, which may be anybody's."""
    turn, _ = say(ctx, "/fix 1 2")
    assert turn is not None
    assert turn.message.count("<finding ") == turn.message.count("\n</finding ") == 2


@pytest.mark.parametrize(("words", "says"), [("3", "it has 1, 2"), ("two", "it has 1, 2"), ("", "usage")])
def test_no_such_finding(ctx: Context, words: str, says: str) -> None:
    """A number that no finding has fixes nothing, and those that exist are named."""
    turn, said = say(ctx, f"/fix {words}".strip())
    assert turn is None
    assert says in said


def test_no_agent(ctx: Context, still: Still) -> None:
    """A pull request that no agent works on has nobody to be told; one without a review has nothing to be fixed."""
    still.runs = {PULL: replace(RUN, state="ended")}
    assert say(ctx, "/fix 1") == (None, "😕 `/fix 1`: no agent works on this pull request.")
    still.runs, still.found = {PULL: RUN}, {}
    assert "has no finding `1`. Nothing" in say(ctx, "/fix 1")[1]
