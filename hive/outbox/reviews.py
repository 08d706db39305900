"""Handlers of actions on reviews: posting one, verdicts as commit statuses, asking operators, resolving conversations."""

from __future__ import annotations

from bots.intents import PostReview, RefreshVerdict, RequestReview, SetVerdict
from bots.models import Verdict
from forge import event_keys
from forge.models import ReviewState, State
from forge.protocol import Invalid, NotFound, Refused
from hive.outbox.actions import ResolveFixedConversations
from hive.outbox.conversations import resolve_fixed
from hive.outbox.registry import Execution, Registry, Result, Superseded

HANDLERS = Registry()
CALL = "🙋 {operators}: this pull request waits for you."

STATES = {
    Verdict.BLOCKED: ReviewState.REQUEST_CHANGES,
    Verdict.NOT_REVIEWED: ReviewState.REQUEST_CHANGES,
    Verdict.REMARKS: ReviewState.APPROVED,
    Verdict.GOOD: ReviewState.APPROVED,
}
"""The review state of each verdict: a rejection blocks until the same account approves, so what is not red approves."""


@HANDLERS.on(PostReview)
def post_review(execution: Execution, action: PostReview) -> Result:
    """Post a review of a head, unless the pull request has moved on."""
    pull = execution.forge.pull(action.ref)
    if not pull.is_open or pull.head_sha != action.head_sha:
        raise Superseded(f"{action.ref} is no longer at {action.head_sha[:7]}")
    if action.base not in {"", pull.base_branch}:
        raise Superseded(f"{action.ref} no longer targets {action.base}")
    is_own = pull.author.login == execution.effect.actor  # forges let nobody approve or reject their own change
    review = execution.forge.review(
        action.ref,
        head_sha=action.head_sha,
        state=ReviewState.COMMENT if is_own else STATES[action.verdict],
        body=execution.marked(action.body),
        comments=action.comments,
        marker=execution.marker,
    )
    key = event_keys.reviewed(action.ref.repo.forge, review.id)
    return Result(review.html_url, {"id": review.id}, {"verdict": action.summary}, key)


@HANDLERS.on(SetVerdict, by_core=True)
def set_verdict(execution: Execution, action: SetVerdict) -> Result:
    """Show a new verdict on its head, and on the head that the last one was for."""
    context, heads = action.status.context, (action.head_sha, action.before)
    shown = execution.services.verdicts.publish(execution.forge, action.ref.repo, heads, context)
    says = "" if action.status.state is State.PENDING else shown.get(action.head_sha, "")
    return Result(detail={"context": context, "says": says, "sha": action.head_sha})


@HANDLERS.on(RefreshVerdict, by_core=True)
def refresh_verdict(execution: Execution, action: RefreshVerdict) -> Result:
    """Show again what holds for the open pull requests of some heads."""
    execution.services.verdicts.publish(execution.forge, action.ref.repo, action.heads, action.context)
    return Result(detail={"context": action.context})


@HANDLERS.on(RequestReview)
def request_review(execution: Execution, action: RequestReview) -> Result:
    """Request reviews of operators; where the forge does not allow it, call them in a comment."""
    forge = execution.forge
    pull = forge.pull(action.ref)
    reviewed = {review.author.login for review in forge.reviews(action.ref)}
    logins = [login for login in action.operators if login != pull.author.login and login not in reviewed]
    if not pull.is_open or not logins:
        raise Superseded(f"nobody is left to review {action.ref}")
    try:
        forge.request_reviews(action.ref, logins)
    except (Refused, Invalid, NotFound) as error:
        call = CALL.format(operators=", ".join(f"@{login}" for login in logins))
        forge.comment(action.ref, execution.marked(call), marker=execution.marker)
        return Result(detail={"operators": logins, "called": str(error)})
    return Result(detail={"operators": logins})


@HANDLERS.on(ResolveFixedConversations)
def resolve_fixed_conversations(execution: Execution, action: ResolveFixedConversations) -> Result:
    """Resolve the conversations whose lines a run has changed."""
    resolved = resolve_fixed(execution.forge, execution.core_forge, execution.ledger, action)
    return Result(detail={"remarks": resolved})
