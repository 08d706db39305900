"""The review bot: reviews every pull request, and gives a verdict on every head. Performs no I/O.

What could not be reviewed is listed, and a head that was not fully reviewed is never green.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from bots import verdicts
from bots.bot import AGENTS, Bot, Context
from bots.intents import Intent, PostReview, RefreshVerdict, RequestBotReview, SetVerdict
from bots.models import Finding, FindingView, Scan, Verdict, verdict
from bots.review import messages
from bots.review.anchors import Files, Placed, old_line, place
from bots.review.render import body, remark, summary
from forge.diff import MalformedDiff, parse
from forge.events import PullChanged, PullClosed, ReviewAsked
from forge.models import CommitStatus, PullRequest, Ref, ReviewComment, State
from forge.protocol import Invalid

CONTEXT = "hive/review"
STATES = {
    Verdict.BLOCKED: State.FAILURE,
    Verdict.REMARKS: State.SUCCESS,
    Verdict.GOOD: State.SUCCESS,
    Verdict.NOT_REVIEWED: State.ERROR,
}
MAX_DESCRIPTION = 140

_SURROGATE = re.compile(r"[\ud800-\udfff]")

Reasons = tuple[tuple[str, str], ...]

bot = Bot(
    "review",
    may={RequestBotReview, PostReview, SetVerdict, RefreshVerdict},
    listens_to_bots={"core", AGENTS},
    verdict=CONTEXT,
)


@bot.on(PullChanged)
def review(event: PullChanged, ctx: Context) -> Iterator[Intent]:
    """Request a review of each head, once for each base; until then its status is pending."""
    yield from verdicts.ask(event, ctx.forge.pull(event.ref), ctx, context=CONTEXT, bot=bot.name)


@bot.on(PullClosed)
def closed(event: PullClosed, ctx: Context) -> Iterator[Intent]:
    """Remove the verdict of a closed pull request from a head that another one shares."""
    yield from verdicts.over(event, ctx.forge.pull(event.ref), context=CONTEXT)


@bot.on(ReviewAsked)
def review_head(event: ReviewAsked, ctx: Context) -> Iterator[Intent]:
    """Review what an open pull request adds, drafts included: post a review, and set `hive/review`.

    A review of the same changes for the same base is not posted again, unless it was asked for.
    """
    ref, pull = event.ref, ctx.forge.pull(event.ref)
    if pull.merged or not pull.is_open:
        return
    scan = ctx.scanner.scan(pull)
    files, unread = read_diff(ctx, ref)
    not_reviewed = (*scan.failed, *scan.skipped, *unread, *other_head(scan, pull))
    outcome = verdict(scan.findings, failed=bool(not_reviewed))
    placed = place(scan.findings, files)
    fixes = has_agent(ref, ctx)
    text = body(outcome, placed, sha=pull.head_sha, ran=scan.ran, not_reviewed=not_reviewed, fixes=fixes)
    scope = f"{pull.base_branch}:{scan.base_sha}:{pull.head_sha}"
    remarks = tuple(to_comment(item, files, number if fixes else 0) for number, item in enumerate(placed.inline, 1))
    description = summary(outcome, placed)[:MAX_DESCRIPTION]
    last = ctx.history.verdict(ref, CONTEXT)
    if event.again or last is None or last.scope != scope:
        key = f"review:{scope}:{event.key}"
        review = PostReview(ref, pull.head_sha, outcome, description, text, remarks, key=key, base=pull.base_branch)
        yield replace(review, findings=tuple(views(placed, files)))
    status = CommitStatus(CONTEXT, STATES[outcome], description, pull.html_url)
    yield verdicts.verdict(pull, ctx, status, key=f"status:{event.key}", scope=scope)


def read_diff(ctx: Context, ref: Ref) -> tuple[Files, Reasons]:
    """The files of the diff by path, or why they cannot be read."""
    try:
        files = parse(ctx.forge.diff(ref))
    except (MalformedDiff, Invalid):  # a forge's diff can be too large to be read
        return {}, (messages.DIFF_UNREAD,)
    # A name that is not UTF-8 cannot be sent to a forge as the path of a comment.
    return {file.path: file for file in files if file.path is not None and not _SURROGATE.search(file.path)}, ()


def other_head(scan: Scan, pull: PullRequest) -> Reasons:
    """Why a scan is not about a pull request's head; empty if it is."""
    return () if scan.head_sha == pull.head_sha else (messages.OTHER_HEAD,)


def has_agent(ref: Ref, ctx: Context) -> bool:
    """Whether an agent works on a pull request: it can be told to fix a finding."""
    run = ctx.history.run_for(ref)
    return run is not None and run.state == "open" and run.pull == ref


def views(placed: Placed, files: Files) -> Iterator[FindingView]:
    """The findings as people name them."""
    for number, item in enumerate(placed.numbered, 1):
        was = "" if item.suggestion is None else (old_line(item, files) or "").rstrip("\r")  # it may be a secret
        yield FindingView(number, item.path, item.line, item.title, was, item.suggestion)


def to_comment(finding: Finding, files: Files, number: int) -> ReviewComment:
    """A finding as a comment on its line; `number` is what an agent may be told to fix, 0 for none."""
    return ReviewComment(finding.path, finding.line, remark(finding, old_line(finding, files) or "", number))
