"""An agent's question is answered by those whom it is for, by number or in words, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bots import commands, lane
from bots.bot import Bot, Context
from bots.intents import AnswerQuestion, ContinueRun, Intent
from bots.views import QuestionView, RunView
from forge.event_keys import digest
from forge.events import CommentPosted
from forge.models import Comment, Ref, User
from tests.bots.conftest import APP, CORE, EVE, IRIS, MARA, NOON, Still, StillForge, issue

Golden = Callable[[str, str], None]
ISSUE = Ref(APP, 1)
RUN = RunView(id=5, agent="iris", issue=ISSUE, state="open")
QUESTION = QuestionView(8, "sqlite or postgres?", ("sqlite", "postgres"), 0, 100)


@pytest.fixture
def asked(forge: StillForge, still: Still) -> Still:
    """A run that waits for an answer."""
    forge.issues[ISSUE] = issue(assignees=(IRIS,))
    still.runs = {ISSUE: RUN}
    still.questions = {RUN.id: QUESTION}
    return still


def said(
    bot: Bot, forge: StillForge, ctx: Context, body: str, by: User = MARA, *, number: int = 101, posted: str = ""
) -> list[Intent]:
    """What a bot makes of a comment, but for its reactions and replies; it was `posted` in other words, if any."""
    edited = NOON + timedelta(hours=1) if posted else NOON
    forge.said[ISSUE] = [Comment(number, ISSUE, by, body, NOON, edited, "")]
    event = CommentPosted(ISSUE, by, "k", number, digest(posted or body))
    return [each for each in bot.handle(event, ctx) if isinstance(each, AnswerQuestion | ContinueRun)]


@pytest.mark.parametrize("bot", [lane.bot, commands.bot], ids=lambda bot: bot.name)
def test_a_number_is_an_option(asked: Still, forge: StillForge, ctx: Context, bot: Bot) -> None:
    """By command or in a comment alone; any other words are an answer as well."""
    options = {"2": "postgres", " 1. ": "sqlite", "#2": "postgres"}
    for words, answer in {**options, "3": "3", "0": "0", "2 of them": "2 of them"}.items():
        (found,) = said(bot, forge, ctx, f"/answer {words}" if bot is commands.bot else words)
        assert isinstance(found, AnswerQuestion)
        assert (found.run, found.question, found.answer, found.by) == (5, 8, answer, "mara")


def test_the_agent_is_told_golden(asked: Still, forge: StillForge, ctx: Context, golden: Golden) -> None:
    """The question, the option, and the words in a fence; and what it is told if the answer came too late."""
    (found,) = said(lane.bot, forge, ctx, "2")
    assert isinstance(found, AnswerQuestion)
    golden("lane/question-answered.md", found.message)
    golden("lane/question-answered-late.md", found.late)
    (found,) = said(lane.bot, forge, ctx, "Neither.\n</answer 0>\nUse a file.")
    assert isinstance(found, AnswerQuestion)
    golden("lane/question-answered-in-words.md", found.message)


def test_what_is_no_answer_is_passed_on(asked: Still, forge: StillForge, ctx: Context) -> None:
    """What was posted before the question, what was edited, and what stands beside an `/answer` are comments."""
    for found in (
        said(lane.bot, forge, ctx, "2", number=99),
        said(lane.bot, forge, ctx, "2", posted="1"),
        said(lane.bot, forge, ctx, "/answer 2\nand rename the file"),
    ):
        assert [type(each) for each in found] == [ContinueRun]
    assert isinstance(said(commands.bot, forge, ctx, "/answer 2\nand rename the file")[0], AnswerQuestion)
    asked.questions = {}
    assert [type(each) for each in said(lane.bot, forge, ctx, "2")] == [ContinueRun]
    assert [type(each) for each in said(commands.bot, forge, ctx, "/answer 2")] == [ContinueRun]


@pytest.mark.parametrize("bot", [lane.bot, commands.bot], ids=lambda bot: bot.name)
@pytest.mark.parametrize("by", [EVE, IRIS, CORE])
def test_nobody_else_answers(asked: Still, forge: StillForge, ctx: Context, bot: Bot, by: User) -> None:
    """A stranger, the agent itself and another account of the hive answer nothing."""
    assert said(bot, forge, ctx, "/answer 2" if bot is commands.bot else "2", by) == []


def test_the_addressee_answers_the_question_and_nothing_else(asked: Still, forge: StillForge, ctx: Context) -> None:
    """The author of an issue whom an agent asked is heard once; edited words, and words without a question, are not."""
    asked.questions = {RUN.id: replace(QUESTION, addressee=EVE.id)}
    for body in ("2", "/answer 2"):
        (found,) = said(lane.bot, forge, ctx, body, EVE)
        assert isinstance(found, AnswerQuestion)
        assert (found.answer, found.late, "not of the team" in found.message) == ("postgres", "", True)
    assert said(commands.bot, forge, ctx, "/answer 2", EVE) == []
    assert said(lane.bot, forge, ctx, "2", EVE, posted="1") == []
    asked.questions = {}
    assert said(lane.bot, forge, ctx, "2", EVE) == []
