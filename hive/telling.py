"""Tells what became of deeds: the hands for a reaction, for a reply and for more words on an issue. `hive.apply` calls them, nobody else."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto

from bots.intents import OpenIssue, React, Reply
from forge.protocol import Forge
from forge.types import Comment, Ref
from hive.conversing import place, say
from hive.deeds import FollowUp
from hive.home import Dropped
from hive.ledger import Effect, Ledger


class NotYet(Exception):
    """The deed tells of others, and those are not over."""


class Fate(Enum):
    """What became of deeds."""

    DONE = auto()
    FAILED = auto()
    OPEN = auto()


def fate(ledger: Ledger, effect: Effect, after: Iterable[str]) -> Fate:
    """What became of deeds that the same bot wanted, by their keys; one that nobody owes was not done."""
    by = effect.key.partition(":")[0]
    states = ledger.effects.states(f"{by}:{key}" for key in after)
    if any(state in ("pending", "running") for state in states):
        return Fate.OPEN
    return Fate.DONE if all(state == "done" for state in states) else Fate.FAILED


def react(forge: Forge, deed: React, became: Fate) -> str:
    """React to a comment, and return the word for it; raises NotYet."""
    if became is Fate.OPEN:
        raise NotYet("what it tells of is not over")
    word = deed.content if became is Fate.DONE else deed.otherwise or deed.content
    forge.react(deed.ref, word, comment_id=deed.comment_id)
    return word


def follow_up(forge: Forge, ledger: Ledger, deed: FollowUp, body: str, marker: str) -> Comment:
    """Say more on an issue that the hive opened, and close it if that was the last; raises NotYet, Dropped."""
    state, opened = ledger.effects.subject_of(deed.opened, OpenIssue.WIRE)
    if state in ("pending", "running"):
        raise NotYet("the issue is not open yet")
    if not opened:
        raise Dropped("the issue was never opened")
    ref = Ref.parse(opened)
    comment = forge.comment(ref, body, marker=marker)
    if deed.closes:
        forge.close(ref)
    return comment


def reply(forge: Forge, deed: Reply, became: list[Fate], marker: str) -> tuple[Comment, str]:
    """Say what is known, in one comment, and return its words; raises NotYet if there will be more to say."""
    said = "\n".join(
        {Fate.DONE: line.done, Fate.FAILED: line.failed, Fate.OPEN: line.waiting}[found]
        for line, found in zip(deed.lines, became, strict=True)
    )
    body = f"{said}\n\n{marker}"
    to = place(forge, deed.to)
    comment = say(forge, deed.ref, to, body, marker)
    if comment.body != body and to is not None:
        forge.edit_reply(to, comment.id, body)
    elif comment.body != body:
        forge.edit_comment(deed.ref, comment.id, body)
    if Fate.OPEN in became:
        raise NotYet("what it tells of is not over")
    return comment, said
