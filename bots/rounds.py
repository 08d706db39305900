"""TurnRounds: what happens to a run's pull request comes back to its agent as a turn, so many times without a person.

A review, red checks of a CI and a conflict with the base count together. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bots.bot import Context
from bots.holds import hold_on
from bots.intents import BlockRun, ContinueRun, Intent, PostComment
from bots.markdown import code, fenced
from bots.views import RunView
from forge.models import CommitStatus, PullRequest, Ref, State
from forge.protocol import NotFound

OWN_CONTEXTS = "hive/"
"""The beginning of the hive's own status contexts."""

RED = frozenset({State.FAILURE, State.ERROR})
MOST = 20
"""The most red checks that an agent is told of at once."""

CHECKS = """\
Checks of your pull request #{number} failed at {sha}; they ran outside of your container.

{found}

Find the cause, fix it, and submit again. If it is not a fault of your change, say so with `finish`."""
CHECK = "{context}: {state}\n{description}\n{url}"
CONFLICT = """\
{base} has moved, and your pull request #{number} is in conflict with it at {sha}.

Merge origin/{base} into your branch (`git merge origin/{base}`), resolve the conflicts so that both changes are kept, and submit again."""
STUCK = """\
🙋 {operators}: @{agent} had {turns} rounds in a row without a person, and {why}. So this waits for you.

Comment on this pull request to continue; what you write is passed on.
"""
REVIEW_WHY = "the review still demands changes"
CHECKS_WHY = "checks still fail ({what})"
CONFLICT_WHY = "its pull request is still in conflict with {what}"


@dataclass(frozen=True, slots=True)
class TurnRounds:
    """The rounds of a run's pull request."""

    run: RunView
    ref: Ref
    ctx: Context

    def one_more(self, turn: ContinueRun, why: str, what: str = "") -> Iterator[Intent]:
        """Give the run a turn that no person caused; after too many of them call the operators instead, once.

        `why` says what is left, with a place for `what`.
        """
        run, most = self.run, self.ctx.team.max_bot_turns
        if turn.key in run.causes or self._is_held():
            return
        if run.bot_turns < most:
            yield turn
            return
        key = f"stuck:{run.id}:{len(run.causes)}"
        operators = self.ctx.team.call(run.agent)
        told = why.format(what=code(what))
        text = STUCK.format(operators=operators, agent=run.agent, turns=run.bot_turns, why=told)
        yield PostComment(self.ref, text.strip(), key=key)
        yield BlockRun(run.id, why.format(what=what), key=key)

    def _is_held(self) -> bool:
        """Whether nothing could be pushed for it now: what happens meanwhile waits for the end of the hold."""
        forge = self.ctx.forge
        try:
            issue = forge.issue(self.run.issue)
        except NotFound:  # an issue that was deleted holds nothing
            return False
        return hold_on(issue, self.ctx.team, lambda: forge.timeline(issue.ref), has_run=True) is not None

    def checks(self, pull: PullRequest) -> Iterator[Intent]:
        """One turn for a head at which checks of others failed."""
        red = failed(self.ctx.forge.statuses(self.ref.repo, pull.head_sha))
        if not red:
            return
        found = "\n\n".join(map(_check, red))
        message = CHECKS.format(number=self.ref.number, sha=pull.head_sha[:7], found=found)
        turn = ContinueRun(self.run.id, message, by_person=False, key=f"ci:{self.ref}:{pull.head_sha}")
        yield from self.one_more(turn, CHECKS_WHY, red[0].context)

    def conflict(self, pull: PullRequest) -> Iterator[Intent]:
        """One turn for a head that cannot be merged into its base any more."""
        if pull.mergeable:
            return
        facts = {"base": pull.base_branch, "number": self.ref.number, "sha": pull.head_sha[:7]}
        key = f"conflict:{self.ref}:{pull.head_sha}"
        turn = ContinueRun(self.run.id, CONFLICT.format(**facts), by_person=False, key=key)
        yield from self.one_more(turn, CONFLICT_WHY, pull.base_branch)


def failed(statuses: Iterable[CommitStatus]) -> list[CommitStatus]:
    """The red statuses of others: what the hive itself says comes back by its own way."""
    red = [status for status in statuses if status.state in RED and not status.context.startswith(OWN_CONTEXTS)]
    return sorted(red, key=lambda status: status.context)[:MOST]


def _check(status: CommitStatus) -> str:
    text = CHECK.format(
        context=status.context, state=status.state.value, description=status.description, url=status.url
    )
    return fenced("check", text, author="ci", standing="not of the team")
