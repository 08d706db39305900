"""`/duplicate` closes an issue as another one, by an operator's word alone."""

from __future__ import annotations

import pytest

from bots.bot import Context
from bots.commands import bot
from bots.intents import Close, Intent, Reply, SetLabels
from forge.events import CommentPosted
from forge.models import Comment, User
from tests.bots.conftest import EVE, IRIS, MARA, NOON, StillForge, issue


@pytest.fixture
def here(forge: StillForge, ctx: Context) -> Context:
    """Two issues and a pull request."""
    for each in (issue(1), issue(7, is_open=False), issue(8, is_pull=True)):
        forge.issues[each.ref] = each
    return ctx


def say(ctx: Context, words: str, by: User = MARA, on: int = 1) -> list[Intent]:
    """What the hive does about a comment."""
    assert isinstance(ctx.forge, StillForge)
    ref = issue(on).ref
    ctx.forge.said = {ref: [Comment(30, ref, by, f"/duplicate {words}", NOON, NOON, "")]}
    return list(bot.handle(CommentPosted(ref, by, "k", 30), ctx))


def answer(wanted: list[Intent]) -> str:
    """What the operator reads once it is done."""
    return next(each for each in wanted if isinstance(each, Reply)).lines[0].done


@pytest.mark.parametrize("words", ["#7", "7", "of #7"])
def test_it_is_closed_with_the_label(here: Context, words: str) -> None:
    """The label is set beside it: where it is missing, the issue is closed all the same."""
    wanted = say(here, words)
    (close,) = (each for each in wanted if isinstance(each, Close))
    (label,) = (each for each in wanted if isinstance(each, SetLabels))
    assert (close.ref, label.add) == (issue(1).ref, ("duplicate",))
    reply = next(each for each in wanted if isinstance(each, Reply)).lines[0]
    assert reply.after == (close.key,)
    assert "duplicate of #7" in reply.done


@pytest.mark.parametrize(
    ("words", "why"),
    [("#1", "no other issue"), ("#8", "no other issue"), ("#404", "no other issue"), ("#0", "not the number"),
     ("acme/app#7", "not the number"), ("#7 please", "not the number"), ("", "usage"), ("a b #7", "usage")],
)  # fmt: skip
def test_what_is_no_other_issue(here: Context, words: str, why: str) -> None:
    """Nothing is closed by mistake: not itself, no pull request, nothing in another repository."""
    wanted = say(here, words)
    assert not any(isinstance(each, Close | SetLabels) for each in wanted)
    assert why in answer(wanted)


def test_where_it_does_not_work(here: Context) -> None:
    """Pull requests are closed otherwise, and what is closed is closed."""
    for number in (7, 8):
        assert not any(isinstance(each, Close) for each in say(here, "#1", on=number))


@pytest.mark.parametrize("by", [EVE, IRIS])
def test_nobody_else_may(here: Context, by: User) -> None:
    """Strangers and agents close nothing."""
    assert not any(isinstance(each, Close) for each in say(here, "#7", by))
