"""The three actions that end a turn: submit, propose, finish. Each may be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from hive.agent import files
from hive.agent.broker_client import BrokerClient, CheckOutcome
from hive.agent.check_suggestions import suggested
from hive.agent.errors import HostRefused, HostUnavailable, ToolError, TurnEnded
from hive.agent.git import Behind
from hive.agent.log import log
from hive.agent.push_gate import PushGate
from hive.agent.reference_escaping import closes_nothing
from hive.agent.tool_declarations import SUBMIT
from hive.agent.turn import TurnBrief
from hive.agent.worktree import BranchConflict, WorkTree

NOTHING_NEW = "There is nothing to submit: nothing differs from {base}."
PROPOSED = "I asked for a change of my configuration, {ref}: {title}. I go on when it is merged."
CLOSING = """\
Not submitted: when it is merged, a forge may close another issue for the message of your commit {commit}. Say it without \
a word before the reference (git commit --amend, or git rebase), then submit again. It says:
{said}"""
PARTIAL = "{ref} is up to date: {title}\n\nNot done:\n\n{left}"
TRIES = 3
TOO_QUICK = "Not submitted: {times} times somebody else pushed to the branch in the same moment. Submit again."
UNLUCKY = frozenset({"blocked", "failed"})
"""Ends of a turn that leave work undone."""

WORK_IN_PROGRESS = "Work in progress"
DRAFT_TITLE = "Work in progress on issue #{number}"
DRAFT = """\
The turn ended before this was done, so it is a draft, and the repository's checks were not run on it. What the agent said last:

{message}"""
SAVED = "What there is of my work is a draft: {ref}."
NOT_SAVED = "What there is of my work could not be pushed as a draft, and is in my container only. {why}"


@dataclass(frozen=True, slots=True)
class FinalActions:
    """What leaves the container, as far as a turn may: what the `gate` lets pass."""

    turn: TurnBrief
    broker: BrokerClient
    work: WorkTree
    config: WorkTree
    gate: PushGate

    def submit(self, title: str, summary: str, evidence: Sequence[str] = (), not_done: str = "") -> NoReturn:
        """Commit, check, push, and have a pull request that is ready; with something `not_done` the turn ends as partial."""
        title, left = one_line(title), not_done.strip()
        trailers, before = self._trailers(), self.work.view.head()
        self.work.commit(f"{closes_nothing(title)}\n\n{closes_nothing(summary.strip())}\n\n{trailers}")
        self.work.add_trailers(trailers)
        try:
            self._look_through()
            checks = self._push(self.work)
        except BranchConflict:
            raise
        except ToolError:
            self.work.uncommit(before)  # what was not submitted is changed further, and is one commit then
            raise
        advice = [] if self.turn.checks else suggested(self.work.view.at_top(), self.work.view.on_head)
        ref = self.broker.pull(
            *(self.turn.branch, title, summary.strip()),
            checks=checks,
            evidence=list(evidence),
            left=left,
            suggested=advice,
        )
        if left:
            raise TurnEnded("partial", PARTIAL.format(ref=ref.partition(":")[2], title=title, left=left))
        raise TurnEnded("pushed", f"{ref} is up to date: {title}")

    def propose(self, path: str, content: str, title: str, why: str) -> NoReturn:
        """Change one file of the agent's configuration, and have a pull request for it."""
        title = one_line(title)
        self.config.prepare()
        files.write(self.config.path, path, content)
        self.config.commit(f"{closes_nothing(title)}\n\n{closes_nothing(why.strip())}\n\n{self._trailers()}")
        if not self.config.view.is_ahead():
            raise ToolError(NOTHING_NEW.format(base=self.turn.config_base))
        self._push(self.config)
        origin = f"Wanted while working on {self.turn.issue_repo}#{self.turn.issue_number}."
        body = f"{why.strip()}\n\n{origin}\n\nrun: {self.turn.run}"
        ref = self.broker.propose(self.turn.proposal_branch, title, body)
        raise TurnEnded("proposed", PROPOSED.format(ref=ref.partition(":")[2], title=title))

    def save(self, end: TurnEnded) -> TurnEnded:
        """The end of a turn that did not get to its end, with its work as a draft, if there is any that may be pushed."""
        if (
            end.outcome not in UNLUCKY
            or SUBMIT.capability not in self.turn.capabilities
            or not self.work.view.has_news()
        ):
            return end
        try:
            self.work.commit(f"{WORK_IN_PROGRESS}\n\n{self._trailers()}")
            if not self.work.view.is_ahead():
                return end
            self._look_through()
            self._push(self.work, checks=False)
            title, body = DRAFT_TITLE.format(number=self.turn.issue_number), DRAFT.format(message=end.message)
            ref = self.broker.pull(self.turn.branch, title, body, draft=True)
        except (HostRefused, HostUnavailable, OSError, ToolError) as error:
            log("no draft", turn=self.turn.id, why=error)
            return TurnEnded(end.outcome, f"{end.message}\n\n{NOT_SAVED.format(why=error)}")
        return TurnEnded(end.outcome, f"{end.message}\n\n{SAVED.format(ref=ref.partition(':')[2])}")

    def _look_through(self) -> None:
        """Raise ToolError for commits that cannot be pushed as they are."""
        if not self.work.view.is_ahead():
            raise ToolError(NOTHING_NEW.format(base=self.turn.base))
        for commit, message in self.work.view.unpushed():
            words = message.replace(f"\nIssue: {self.turn.issue}\n", "\n")  # our own line, as below
            if closes_nothing(words) != words:
                raise ToolError(CLOSING.format(commit=commit, said=message.strip()))
        self.gate.weigh()

    def _push(self, tree: WorkTree, *, checks: bool = True) -> list[CheckOutcome]:
        """Push on top of what others pushed, after checking it. Returns the results of the checks."""
        checked, found = "", list[CheckOutcome]()
        for _ in range(TRIES):
            tree.take_in()
            if checks and tree is self.work and checked != (head := tree.view.head()):
                checked, found = head, self.gate.run_checks()
            try:
                tree.push()
            except Behind as error:
                log("behind", turn=self.turn.id, why=error)
            else:
                return found
        raise ToolError(TOO_QUICK.format(times=TRIES))

    def finish(self, outcome: str, message: str) -> NoReturn:
        """End with a message only; it is posted on the thread when the outcome is reported."""
        if not message.strip():
            raise ToolError("The message is empty.")
        raise TurnEnded(outcome, message.strip())

    def _trailers(self) -> str:
        """The last lines of a commit's message: whose it is, what for, in which run, and what that had cost by then."""
        spent = self.broker.spent()
        cost = f"Cost-USD: {spent}\n" if spent else ""
        return f"Agent: {self.turn.author}\nIssue: {self.turn.issue}\nRun: {self.turn.run}\n{cost}"


def one_line(title: str) -> str:
    """A title without line breaks; raises ToolError for an empty one."""
    line = " ".join(title.split())
    if not line:
        raise ToolError("The title is empty.")
    return line
