"""The three actions that end a turn: submit, propose, finish. Each may be repeated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from hive.agent import files, shell
from hive.agent.broker_client import BrokerClient, CheckOutcome
from hive.agent.errors import ToolError, TurnEnded
from hive.agent.git import Behind
from hive.agent.log import log
from hive.agent.reference_escaping import closes_nothing
from hive.agent.turn import TurnBrief
from hive.agent.worktree import WorkTree

NOTHING_NEW = "There is nothing to submit: nothing differs from {base}."
PROPOSED = "I asked for a change of my configuration, {ref}: {title}. I go on when it is merged."
CLOSING = """\
Not submitted: when it is merged, a forge may close another issue for the message of your commit {commit}. Say it without \
a word before the reference (git commit --amend, or git rebase), then submit again. It says:
{said}"""
PARTIAL = "{ref} is up to date: {title}\n\nNot done:\n\n{left}"
TRIES = 3
TOO_QUICK = "Not submitted: {times} times somebody else pushed to the branch in the same moment. Submit again."
CHECK_FAILED = "Not submitted, because a check failed: {command}\n{outcome}"


@dataclass(frozen=True, slots=True)
class FinalActions:
    """What leaves the container, as far as a turn may.

    `run` lets a command run in the work tree, by the clock of the turn.
    """

    turn: TurnBrief
    broker: BrokerClient
    work: WorkTree
    config: WorkTree
    run: Callable[[str], shell.CommandResult]

    def submit(self, title: str, summary: str, evidence: Sequence[str] = (), not_done: str = "") -> NoReturn:
        """Check, commit, push, and have a pull request that is ready; with something `not_done` the turn ends as partial."""
        title, left = one_line(title), not_done.strip()
        checks = self._check()
        trailers = self._trailers()
        self.work.commit(f"{closes_nothing(title)}\n\n{closes_nothing(summary.strip())}\n\n{trailers}")
        self.work.add_trailers(trailers)
        if not self.work.is_ahead():
            raise ToolError(NOTHING_NEW.format(base=self.turn.base))
        for commit, message in self.work.unpushed():
            words = message.replace(f"\nIssue: {self.turn.issue}\n", "\n")  # our own line, as below
            if closes_nothing(words) != words:
                raise ToolError(CLOSING.format(commit=commit, said=message.strip()))
        checks = self._push(self.work, checks)
        ref = self.broker.pull(
            self.turn.branch, title, summary.strip(), checks=checks, evidence=list(evidence), left=left
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
        if not self.config.is_ahead():
            raise ToolError(NOTHING_NEW.format(base=self.turn.config_base))
        self._push(self.config, [])
        origin = f"Wanted while working on {self.turn.issue_repo}#{self.turn.issue_number}."
        body = f"{why.strip()}\n\n{origin}\n\nrun: {self.turn.run}"
        ref = self.broker.propose(self.turn.proposal_branch, title, body)
        raise TurnEnded("proposed", PROPOSED.format(ref=ref.partition(":")[2], title=title))

    def _push(self, tree: WorkTree, checks: list[CheckOutcome]) -> list[CheckOutcome]:
        """Push on top of what others pushed, after checking it. Returns the results of the last checks."""
        for _ in range(TRIES):
            if tree.take_in() and tree is self.work:
                checks = self._check()
            try:
                tree.push()
            except Behind as error:
                log("behind", turn=self.turn.id, why=error)
            else:
                return checks
        raise ToolError(TOO_QUICK.format(times=TRIES))

    def finish(self, outcome: str, message: str) -> NoReturn:
        """End with a message only; it is posted on the thread when the outcome is reported."""
        if not message.strip():
            raise ToolError("The message is empty.")
        raise TurnEnded(outcome, message.strip())

    def _check(self) -> list[CheckOutcome]:
        """Run the checks and return their results. Raises ToolError with the output of one that fails."""
        for command in self.turn.checks:
            outcome = self.run(command)
            if not outcome.is_good:
                raise ToolError(CHECK_FAILED.format(command=command, outcome=outcome))
        return [{"command": command, "ok": True} for command in self.turn.checks]

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
