"""Settles questions whose time is over: the run goes on without an answer, and its thread is told."""

from __future__ import annotations

from datetime import UTC, datetime

from bots.intents import PostComment
from bots.markdown import plain
from forge.models import Ref
from hive.ledger import EXPIRED, Ledger, Question
from hive.outbox.enqueue import enqueue

BY = "questions"
TOLD = """\
⌛ Nobody answered by {until} UTC: `{expired}`. @{agent} goes on without an answer; a comment here still reaches it.
"""
MESSAGE = "{expired}\n\nNobody answered your question in time: {question}\n\nGo on without an answer as far as you can, and say what you assumed; or end your turn with what is missing."


class QuestionExpiry:
    """Lets questions expire, and says so as `account`."""

    def __init__(self, ledger: Ledger, account: str) -> None:
        self._ledger = ledger
        self._account = account

    def expire(self) -> None:
        """Settle what is due, each once."""
        for question in self._ledger.questions.due():
            self._settle(question)

    def _settle(self, question: Question) -> None:
        with self._ledger.transaction():
            if not self._ledger.questions.settle(question.id, "expired", EXPIRED):
                return
            message = MESSAGE.format(expired=EXPIRED, question=plain(question.question))
            self._ledger.runs.add_turn(question.run, f"answer:{question.id}", message, by_person=True)
            until = f"{datetime.fromtimestamp(question.expires_at, UTC):%Y-%m-%d %H:%M}"
            told = TOLD.format(until=until, expired=EXPIRED, agent=question.agent).strip()
            comment = PostComment(Ref.parse(question.ref), told, key=f"expired:{question.id}")
            enqueue(self._ledger, question.team, self._account, comment, by=BY)
