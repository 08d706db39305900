"""Reads answers to the questions of agents out of comments. Performs no I/O."""

from __future__ import annotations

import re

from bots.intents import AnswerQuestion
from bots.markdown import fenced, plain
from bots.models import Team
from bots.views import QuestionView, RunView
from forge.models import Comment

MESSAGE = """\
Your question was answered: {question}

The answer{chosen}:
{text}"""
CHOSEN = " is option {number}, {option}"
_NUMBER = re.compile(r"\s*#?(\d{1,2})[.):]?\s*")
_COMMAND = re.compile(r"\s*/answer\b[ \t]*")


def is_answer(question: QuestionView | None, comment: Comment, team: Team) -> bool:
    """Whether a comment may answer a question: by its author, and posted after the question."""
    if question is None or comment.id <= question.comment:
        return False
    return comment.author.id in team.operators or comment.author.id == question.addressee


def answer_with(
    question: QuestionView, words: str, comment: Comment, run: RunView, team: Team, *, late: str, key: str
) -> AnswerQuestion:
    """The answer that is in some words of a comment: the number of an option, or anything else."""
    words = _COMMAND.sub("", words, count=1).strip()
    number = chosen(question, words)
    text = fenced("answer", words, author=comment.author.login, standing=team.standing(comment.author))
    option = question.options[number - 1] if number else ""
    told = CHOSEN.format(number=number, option=plain(option)) if number else ""
    message = MESSAGE.format(question=plain(question.text), chosen=told, text=text)
    answer = option or " ".join(words.split())[:300]
    return AnswerQuestion(run.id, question.id, answer, comment.author.login, message, late, key=key)


def chosen(question: QuestionView, words: str) -> int:
    """The number of the option that some words name; 0 for words of their own."""
    found = _NUMBER.fullmatch(words)
    number = int(found[1]) if found else 0
    return number if 0 < number <= len(question.options) else 0
