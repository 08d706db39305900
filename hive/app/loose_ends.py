"""What an agent has left open, told with each message of a run: its pull request, and its work on other issues."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from bots.markdown import code
from forge.models import CommitStatus, PullRequest, Ref, State
from forge.protocol import ForgeError, Reader
from hive.ledger import Ledger, Turn

log = logging.getLogger("hive.host")

RED = (State.FAILURE, State.ERROR)
MOST = 10
"""How many commit statuses and how many other issues are named."""

HEADING = "Where your work stands:"
OPEN = "- Your pull request #{number} is open at {sha}{draft}."
CLOSED = "- Your pull request #{number} is {state}: a new one is opened when you submit."
CHECKS = "- Red on it: {names}."
VERDICT = "- {context} says: {words}."
CONVERSATIONS = "- {count} of the conversations on its lines {are} not resolved."
ASKED = "- You have asked, and nobody has answered yet: {question}"
OTHERS = "- You also work on {issues}."


@dataclass(frozen=True, slots=True)
class LooseEnds:
    """Reads what an agent has left open. What the forge does not tell now is left out."""

    agent: str
    ledger: Ledger
    reader: Reader

    def __call__(self, turn: Turn) -> str:
        """A list in Markdown, empty if there is nothing."""
        found = [*self._of_pull(turn), *self._asked(turn), *self._others(turn)]
        return "\n".join([HEADING, *found]) if found else ""

    def _of_pull(self, turn: Turn) -> Iterator[str]:
        if turn.pull is None:
            return
        try:
            pull = self.reader.pull(Ref.parse(turn.pull))
            statuses = self.reader.statuses(pull.ref.repo, pull.head_sha) if pull.is_open else []
        except ForgeError as error:
            log.warning("loose_ends_unread pull=%s error=%r", turn.pull, str(error)[:200])
            return
        if not pull.is_open:
            yield CLOSED.format(number=pull.ref.number, state="merged" if pull.merged else "closed")
            return
        yield OPEN.format(number=pull.ref.number, sha=pull.head_sha[:7], draft=", as a draft" if pull.draft else "")
        yield from self._red(pull, statuses)
        if count := len(self.ledger.conversations.unresolved(turn.run)):
            yield CONVERSATIONS.format(count=count, are="is" if count == 1 else "are")

    def _asked(self, turn: Turn) -> Iterator[str]:
        question = self.ledger.questions.open_of(turn.run)
        if question is not None:
            yield ASKED.format(question=code(question.question[:200]))

    def _red(self, pull: PullRequest, statuses: list[CommitStatus]) -> Iterator[str]:
        """Red checks by their names; of a verdict of ours its words too: those of others are anybody's."""
        red = sorted({status.context for status in statuses if status.state in RED})
        if not red:
            return
        yield CHECKS.format(names=", ".join(code(name[:80]) for name in red[:MOST]))
        for context in red:
            verdict = self.ledger.verdicts.current(pull, context)
            if verdict is not None and verdict.description:
                yield VERDICT.format(context=code(context), words=code(verdict.description[:200]))

    def _others(self, turn: Turn) -> Iterator[str]:
        others = [run for run in self.ledger.run_states.open_of(self.agent) if run.id != turn.run]
        if others:
            named = ", ".join(_named(run.ref, run.pull, run.blocked) for run in others[:MOST])
            more = f" and {len(others) - MOST} more" if len(others) > MOST else ""
            yield OTHERS.format(issues=named + more)


def _named(ref: str, pull: str | None, blocked: str) -> str:
    issue = Ref.parse(ref)
    facts = [f"pull request #{Ref.parse(pull).number}"] if pull else []
    facts += ["waits for an operator"] if blocked else []
    name = f"{issue.repo.path}#{issue.number}"
    return f"{name} ({', '.join(facts)})" if facts else name
