"""The review bot: reviews every pull request, and gives a verdict on every head. Performs no I/O.

What could not be reviewed is listed, and a head that was not fully reviewed is never green. A finding is said once, and followed
from push to push until it is fixed, dismissed or no longer part of the change.
"""

from __future__ import annotations

from collections.abc import Iterator

from bots import verdicts
from bots.bot import AGENTS, Bot, Context
from bots.intents import Intent, RefreshVerdict, RequestBotReview, SetVerdict
from bots.models import Verdict, verdict
from bots.review import messages
from bots.review.anchors import Files, place, shown_line
from bots.review.carry import carry
from bots.review.look import Look, look_at, view, with_line
from bots.review.model_pass import is_read_at_last, read_by_model, read_since
from bots.review.reactions import disliked, without
from bots.review.render import Standing, body, ended, remark, standing, summary
from bots.review_intents import CloseReview, DismissFinding, EditRemarks, PostReview, RemarkEdit, ShowReview
from bots.review_policy import ReviewMode, ReviewPolicy
from bots.review_rounds import FindingState, RememberedFinding, ReviewRound
from forge.events import PullChanged, PullClosed, PullMerged, ReviewAsked
from forge.models import CommitStatus, PullRequest, Ref, ReviewComment, State

CONTEXT = "hive/review"
STATES = {
    Verdict.BLOCKED: State.FAILURE,
    Verdict.REMARKS: State.SUCCESS,
    Verdict.GOOD: State.SUCCESS,
    Verdict.NOT_REVIEWED: State.ERROR,
}
MAX_DESCRIPTION = 140

bot = Bot(
    "review",
    may={
        *(RequestBotReview, PostReview, ShowReview, EditRemarks, DismissFinding, CloseReview),
        *(SetVerdict, RefreshVerdict),
    },
    listens_to_bots={"core", AGENTS},
    verdict=CONTEXT,
)


@bot.on(PullChanged)
def review(event: PullChanged, ctx: Context) -> Iterator[Intent]:
    """Request a review of each head, once for each base; until then its status is pending."""
    yield from verdicts.ask(event, ctx.forge.pull(event.ref), ctx, context=CONTEXT, bot=bot.name)


@bot.on(PullClosed)
def closed(event: PullClosed, ctx: Context) -> Iterator[Intent]:
    """Remove the verdict of a closed pull request from a head that another one shares, and forget the rest in time."""
    pull = ctx.forge.pull(event.ref)
    yield from verdicts.over(event, pull, context=CONTEXT)
    if not pull.is_open:
        yield CloseReview(event.ref, key=f"close:{event.key}")


@bot.on(PullMerged)
def merged(event: PullMerged, ctx: Context) -> Iterator[Intent]:
    """Forget a merged pull request in time."""
    if not ctx.forge.pull(event.ref).is_open:
        yield CloseReview(event.ref, key=f"close:{event.key}")


@bot.on(ReviewAsked)
def review_head(event: ReviewAsked, ctx: Context) -> Iterator[Intent]:
    """Review what an open pull request adds, drafts included: say what is new, show how it stands, set `hive/review`.

    A review of the same changes is posted once, and again only if its verdict has changed or there is more to say.
    """
    pull = ctx.forge.pull(event.ref)
    if pull.merged or not pull.is_open:
        return
    policy, last = ctx.scanner.policy(pull), ctx.history.review(pull.ref)
    if (waiting := not_now(policy, last, pull, event)) is not None:
        yield verdicts.verdict(pull, ctx, waiting, key=f"status:{event.key}")
        return
    unwanted = disliked(pull.ref, last, ctx)
    yield from unwanted
    look = look_at(pull, policy, without(last, unwanted) if last is not None else None, ctx, full=event.full)
    look = read_by_model(look, ctx, again=event.key)
    now = stand(look, ctx)
    yield from said(look, now, event.key)
    status = CommitStatus(CONTEXT, STATES[now.outcome], summary(now)[:MAX_DESCRIPTION], pull.html_url)
    yield verdicts.verdict(pull, ctx, status, key=f"status:{event.key}", scope=look.scope, may_pass=look.may_pass)
    ctx.scanner.keep(pull, now.number)


def stand(look: Look, ctx: Context) -> Standing:
    """How the review stands after a look."""
    carried = carry(look.last, look.present(ctx))
    outcome = verdict((each.finding for each in carried.open), failed=bool(look.not_reviewed))
    placed = place(carried.said, look.files, most=look.policy.inline)
    return Standing(
        *(outcome, look.pull.head_sha, carried.number, carried.findings, placed),
        green=tuple(item for item in look.green if item.path or not carried.open),
        ended=carried.ended,
        not_reviewed=look.not_reviewed,
        ran=look.scan.ran,
        notes=tuple(look.notes(carried)),
        fixes=has_agent(look.pull.ref, ctx),
        lite=look.is_strangers,
        model=look.model,
    )


def said(look: Look, now: Standing, key: str) -> Iterator[Intent]:
    """What the forge is told of a round: the comment that shows it, the review of its head, what became of earlier remarks."""
    pull, files = look.pull, look.files
    remembered = tuple(with_line(each, files) for each in now.findings)
    facts = (now.number, pull.head_sha, pull.base_branch, look.scan.base_sha, now.outcome.name, remembered)
    done = ReviewRound(*facts, read_since(look))
    yield ShowReview(pull.ref, standing(now), done, key=f"show:{key}")
    is_same_verdict = look.last is not None and look.last.verdict == now.outcome.name
    if look.is_new or not is_same_verdict or now.placed.all or is_read_at_last(look):
        yield PostReview(
            *(pull.ref, pull.head_sha, now.outcome, summary(now)[:MAX_DESCRIPTION], body(now)),
            tuple(to_comment(each, files, now) for each in now.placed.inline),
            key=f"review:{look.scope}:{key}",
            base=pull.base_branch,
            findings=tuple(view(each, files) for each in now.placed.all),
            approves=look.policy.approve and not (look.model is not None and look.model.unread),
        )
    over = (*now.ended, *(each for each in now.findings if each.state is FindingState.DISMISSED))
    if over:
        edits = tuple(RemarkEdit(each.number, ended(each, now)) for each in over)
        yield EditRemarks(pull.ref, pull.head_sha, edits, key=f"remarks:{key}")


def not_now(
    policy: ReviewPolicy, last: ReviewRound | None, pull: PullRequest, event: ReviewAsked
) -> CommitStatus | None:
    """The status of a head that the repository does not want reviewed by itself; None for one that is reviewed now."""
    is_known = last is not None and last.head_sha == pull.head_sha
    if policy.mode is ReviewMode.PUSH or event.again or is_known:
        return None
    if policy.mode is ReviewMode.OFF:
        return CommitStatus(CONTEXT, State.SUCCESS, messages.STATUS_OFF, pull.html_url)
    if policy.mode is ReviewMode.OPEN and last is None:
        return None
    return CommitStatus(CONTEXT, State.PENDING, messages.STATUS_WAITS, pull.html_url)


def has_agent(ref: Ref, ctx: Context) -> bool:
    """Whether an agent works on a pull request: it can be told to fix a finding."""
    run = ctx.history.run_for(ref)
    return run is not None and run.state == "open" and run.pull == ref


def to_comment(each: RememberedFinding, files: Files, now: Standing) -> ReviewComment:
    """A finding as a comment on its line."""
    return ReviewComment(each.finding.path, each.finding.line, remark(each, shown_line(each.finding, files) or "", now))
