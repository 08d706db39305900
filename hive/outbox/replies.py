"""Tells what became of deeds: the hands for a reaction, for a reply and for more words on an issue. `hive.outbox.executor` calls them, nobody else."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto

from bots.intents import OpenIssue, React, Reply
from forge.models import Comment, Ref
from forge.protocol import Forge
from hive.ledger import Effect, Ledger
from hive.outbox.actions import AddToIssue
from hive.outbox.conversations import post, reachable
from hive.outbox.local_actions import Superseded


class NotReady(Exception):
    """The deed tells of others, and those are not over."""


class Outcome(Enum):
    """What became of deeds."""

    DONE = auto()
    FAILED = auto()
    OPEN = auto()


def outcome(ledger: Ledger, effect: Effect, after: Iterable[str]) -> Outcome:
    """What became of deeds that the same bot wanted, by their keys; one that nobody owes was not done."""
    by = effect.key.partition(":")[0]
    states = ledger.effects.states(f"{by}:{key}" for key in after)
    if any(state in ("pending", "running") for state in states):
        return Outcome.OPEN
    return Outcome.DONE if all(state == "done" for state in states) else Outcome.FAILED


def react(forge: Forge, action: React, became: Outcome) -> str:
    """React to a comment, and return the word for it; raises NotYet."""
    if became is Outcome.OPEN:
        raise NotReady("what it tells of is not over")
    word = action.content if became is Outcome.DONE else action.otherwise or action.content
    forge.react(action.ref, word, comment_id=action.comment_id)
    return word


def follow_up(forge: Forge, ledger: Ledger, action: AddToIssue, body: str, marker: str) -> Comment:
    """Say more on an issue that the hive opened, and close it if that was the last; raises NotYet, Dropped."""
    state, opened = ledger.effects.subject_of(action.opened, OpenIssue.WIRE)
    if state in ("pending", "running"):
        raise NotReady("the issue is not open yet")
    if not opened:
        raise Superseded("the issue was never opened")
    ref = Ref.parse(opened)
    comment = forge.comment(ref, body, marker=marker)
    if action.closes:
        forge.close(ref)
    return comment


def reply(forge: Forge, action: Reply, became: list[Outcome], marker: str) -> tuple[Comment, str]:
    """Say what is known, in one comment, and return its words; raises NotYet if there will be more to say."""
    said = "\n".join(
        {Outcome.DONE: line.done, Outcome.FAILED: line.failed, Outcome.OPEN: line.waiting}[found]
        for line, found in zip(action.lines, became, strict=True)
    )
    body = f"{said}\n\n{marker}"
    to = reachable(forge, action.to)
    comment = post(forge, action.ref, to, body, marker)
    if comment.body != body and to is not None:
        forge.edit_reply(to, comment.id, body)
    elif comment.body != body:
        forge.edit_comment(action.ref, comment.id, body)
    if Outcome.OPEN in became:
        raise NotReady("what it tells of is not over")
    return comment, said
