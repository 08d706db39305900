"""Handlers of actions on reviews: posting one, verdicts as commit statuses, asking operators, resolving conversations."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from bots.intents import RefreshVerdict, RequestReview, SetVerdict
from bots.models import Verdict
from bots.review_intents import EditRemarks, PostReview, RequestReviewers, ShowReview
from forge import event_keys
from forge.conversation import Conversation
from forge.models import PullRequest, Ref, ReviewComment, ReviewState, State
from forge.protocol import Invalid, NotFound, Refused
from hive.outbox.actions import ResolveFixedConversations
from hive.outbox.conversations import resolve, resolve_fixed
from hive.outbox.registry import Execution, Registry, Result, Superseded

HANDLERS = Registry()
CALL = "🙋 {operators}: this pull request waits for you."

STATES = {
    Verdict.BLOCKED: ReviewState.REQUEST_CHANGES,
    Verdict.NOT_REVIEWED: ReviewState.REQUEST_CHANGES,
    Verdict.REMARKS: ReviewState.APPROVED,
    Verdict.GOOD: ReviewState.APPROVED,
}
"""The review state of each verdict where the bot may approve, or has to: a rejection blocks until the same account approves."""


@HANDLERS.on(PostReview)
def post_review(execution: Execution, action: PostReview) -> Result:
    """Post a review of a head, unless the pull request has moved on."""
    pull = _pull_at(execution, action.ref, action.head_sha, action.base)
    review = execution.forge.review(
        action.ref,
        head_sha=action.head_sha,
        state=_state(execution, pull, action),
        body=execution.marked(action.body),
        comments=_signed(execution, action),
        marker=execution.marker,
    )
    key = event_keys.reviewed(action.ref.repo.forge, review.id)
    return Result(review.html_url, {"id": review.id}, {"verdict": action.summary}, key)


@HANDLERS.on(ShowReview)
def show_review(execution: Execution, action: ShowReview) -> Result:
    """Show how a review stands in one comment, which is edited, and remember the round that it shows."""
    _pull_at(execution, action.ref, action.round.head_sha, action.round.base)
    marker = execution.marker_of(f"review:{action.ref}")
    body = f"{action.body}\n\n{marker}"
    comment = execution.forge.comment(action.ref, body, marker=marker)
    if comment.body != body:
        execution.forge.edit_comment(action.ref, comment.id, body)
    key = event_keys.commented(action.ref.repo.forge, comment.id)
    settle = partial(execution.ledger.review_memory.store, str(action.ref), action.round)
    facts = {"round": action.round.number, "open": len(action.round.open)}
    return Result(comment.html_url, {"id": comment.id, "url": comment.html_url}, facts, key, settle)


@HANDLERS.on(EditRemarks)
def edit_remarks(execution: Execution, action: EditRemarks) -> Result:
    """Edit what was said on lines about findings that have ended, and end these conversations where the forge can."""
    _pull_at(execution, action.ref, action.head_sha)
    forge, edited = execution.forge, []
    wanted = {_finding_marker(execution, action.ref, edit.number): edit for edit in action.edits}
    resolves = forge.capabilities().resolve_conversation
    for review in (each for each in forge.reviews(action.ref) if each.author.login == execution.effect.actor):
        for remark in forge.review_comments(action.ref, review.id):
            marker = next((each for each in wanted if each in remark.body), None)
            if marker is None:
                continue
            at = Conversation(action.ref, review.id, remark.id)
            forge.edit_reply(at, remark.id, f"{wanted[marker].body}\n\n{marker}")
            if resolves and wanted[marker].ends and not remark.resolved:
                resolve(forge, execution.core_forge, at)
            edited.append(remark.id)
    return Result(detail={"remarks": edited})


def _pull_at(execution: Execution, ref: Ref, head_sha: str, base: str = "") -> PullRequest:
    """The pull request if it is open at this head, and for this base if one is given; raises Superseded."""
    pull = execution.forge.pull(ref)
    if not pull.is_open or pull.head_sha != head_sha:
        raise Superseded(f"{ref} is no longer at {head_sha[:7]}")
    if base not in {"", pull.base_branch}:
        raise Superseded(f"{ref} no longer targets {base}")
    return pull


def _state(execution: Execution, pull: PullRequest, action: PostReview) -> ReviewState:
    """Forges let nobody approve or reject their own change, and let nobody else take a rejection back."""
    actor = execution.effect.actor
    if pull.author.login == actor:
        return ReviewState.COMMENT
    state = STATES[action.verdict]
    if state is not ReviewState.APPROVED or action.approves:
        return state
    answers = {ReviewState.APPROVED, ReviewState.REQUEST_CHANGES}
    mine = [
        each for each in execution.forge.reviews(action.ref) if each.author.login == actor and each.state in answers
    ]
    has_rejected = bool(mine) and mine[-1].state is ReviewState.REQUEST_CHANGES and not mine[-1].dismissed
    return ReviewState.APPROVED if has_rejected else ReviewState.COMMENT


def _signed(execution: Execution, action: PostReview) -> list[ReviewComment]:
    """The comments on lines, each with the marker by which the one on its finding is found again."""
    if not action.findings:
        return list(action.comments)
    pairs = zip(action.comments, action.findings, strict=False)
    markers = ((each, _finding_marker(execution, action.ref, finding.number)) for each, finding in pairs)
    return [replace(each, body=f"{each.body}\n\n{marker}") for each, marker in markers]


def _finding_marker(execution: Execution, ref: Ref, number: int) -> str:
    return execution.marker_of(f"finding:{ref}:{number}")


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


@HANDLERS.on(RequestReviewers)
def request_reviewers(execution: Execution, action: RequestReviewers) -> Result:
    """Request reviews one by one: somebody who may not be asked keeps nobody else from it."""
    forge = execution.forge
    if not forge.pull(action.ref).is_open:
        raise Superseded(f"{action.ref} was closed in the meantime")
    refused = {}
    for login in action.logins:
        try:
            forge.request_reviews(action.ref, [login])
        except (Refused, Invalid, NotFound) as error:
            refused[login] = str(error)[:200]
    asked = [login for login in action.logins if login not in refused]
    return Result(detail={"logins": asked, **({"refused": refused} if refused else {})})


@HANDLERS.on(ResolveFixedConversations)
def resolve_fixed_conversations(execution: Execution, action: ResolveFixedConversations) -> Result:
    """Resolve the conversations whose lines a run has changed."""
    resolved = resolve_fixed(execution.forge, execution.core_forge, execution.ledger, action)
    return Result(detail={"remarks": resolved})
