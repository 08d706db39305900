"""Handlers of actions that say something: comments, answers, replies to commands, reactions."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto

from bots.intents import PostComment, React, Reply, ShowPlan
from forge import event_keys
from hive.codec import Codec
from hive.outbox.actions import PostAnswer
from hive.outbox.conversations import post, reachable
from hive.outbox.registry import Execution, NotReady, Registry, Result, Superseded
from hive.outbox.run_footer import without_footer

HANDLERS = Registry()
ECHO_LENGTH = 80
"""Characters from which on an agent does not say the same thing twice in a row: a short answer may be right twice."""

NOT_OVER = "the actions that it reports on are not done yet"


class Outcome(Enum):
    """What came of actions."""

    DONE = auto()
    FAILED = auto()
    OPEN = auto()


def outcome(execution: Execution, after: Iterable[str]) -> Outcome:
    """What came of actions of the same bot, by their keys; one that was never enqueued counts as failed."""
    by = execution.effect.key.partition(":")[0]
    states = execution.ledger.effects.states(f"{by}:{key}" for key in after)
    if any(state in ("pending", "running") for state in states):
        return Outcome.OPEN
    return Outcome.DONE if all(state == "done" for state in states) else Outcome.FAILED


@HANDLERS.on(PostComment)
def post_comment(execution: Execution, action: PostComment) -> Result:
    """Post a comment once, unless its subject was closed in the meantime."""
    issue = None if action.if_closed else execution.require_open(action.ref)
    comment = execution.forge.comment(action.ref, execution.marked(action.body), marker=execution.marker, seen=issue)
    key = event_keys.commented(action.ref.repo.forge, comment.id)
    return Result(comment.html_url, {"id": comment.id, "url": comment.html_url}, event_key=key)


@HANDLERS.on(ShowPlan)
def show_plan(execution: Execution, action: ShowPlan) -> Result:
    """Show what merging would do in one comment, which is edited; the plan of an earlier head or base is superseded."""
    pull = execution.forge.pull(action.ref)
    if not pull.is_open or (pull.head_sha, pull.base_branch) != (action.head_sha, action.base):
        raise Superseded(f"{action.ref} was closed, or is another change by now")
    marker = execution.marker_of(f"plan:{action.ref}")
    body = f"{action.body}\n\n{marker}"
    comment = execution.forge.comment(action.ref, body, marker=marker)
    if comment.body != body:
        execution.forge.edit_comment(action.ref, comment.id, body)
    key = event_keys.commented(action.ref.repo.forge, comment.id)
    return Result(comment.html_url, {"id": comment.id, "url": comment.html_url}, event_key=key)


@HANDLERS.on(PostAnswer)
def post_answer(execution: Execution, action: PostAnswer) -> Result:
    """Post what a run says, on its thread or in the conversation on a line that it answers."""
    if _is_echo(execution, action):
        raise Superseded("the agent said exactly this last on the thread")
    to = reachable(execution.forge, action.to)
    comment = post(execution.forge, action.ref, to, execution.marked(action.body), execution.marker)
    key = event_keys.commented(action.ref.repo.forge, comment.id)
    return Result(comment.html_url, {"id": comment.id, "url": comment.html_url}, event_key=key)


def _is_echo(execution: Execution, action: PostAnswer) -> bool:
    last = execution.ledger.effects.last_done(execution.effect)
    if last is None or len(action.body) < ECHO_LENGTH:
        return False
    return without_footer(Codec(PostAnswer).loads(last.payload).body) == without_footer(action.body)


@HANDLERS.on(React)
def react(execution: Execution, action: React) -> Result:
    """React to a comment once the actions that it reports on are done, or one of them has failed."""
    became = outcome(execution, action.after)
    if became is Outcome.OPEN:
        raise NotReady(NOT_OVER)
    content = action.content if became is Outcome.DONE else action.otherwise or action.content
    execution.forge.react(action.ref, content, comment_id=action.comment_id)
    return Result(detail={"reaction": content})


@HANDLERS.on(Reply)
def reply(execution: Execution, action: Reply) -> Result:
    """Answer a command in one comment, which is edited as long as there is more to report."""
    forge, marker = execution.forge, execution.marker_of(f"reply:{action.ref}:{action.comment_id}")
    outcomes = [outcome(execution, line.after) for line in action.lines]
    text = "\n".join(
        {Outcome.DONE: line.done, Outcome.FAILED: line.failed, Outcome.OPEN: line.waiting}[found]
        for line, found in zip(action.lines, outcomes, strict=True)
    )
    body, to = f"{text}\n\n{marker}", reachable(forge, action.to)
    comment = post(forge, action.ref, to, body, marker)
    if comment.body != body and to is not None:
        forge.edit_reply(to, comment.id, body)
    elif comment.body != body:
        forge.edit_comment(action.ref, comment.id, body)
    if Outcome.OPEN in outcomes:
        raise NotReady(NOT_OVER)
    says = text.partition("\n")[0][:200]
    return Result(comment.html_url, {"id": comment.id, "url": comment.html_url}, {"says": says})
