"""Verdicts are for a head and a base: one for another base no longer counts.

A pull request that was pushed to or retargeted is pending at once, and reviewed in a job of its own.
Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator

from bots.bot import Context
from bots.intents import Intent, RefreshVerdict, RequestBotReview, SetVerdict
from forge.events import Event
from forge.models import CommitStatus, PullRequest, State

PENDING = "🟠 not reviewed yet"


def ask(event: Event, pull: PullRequest, ctx: Context, *, context: str, bot: str) -> Iterator[Intent]:
    """Request a bot's verdict, unless its last one is for this head and base."""
    if not pull.is_open or pull.merged:
        return
    last = ctx.history.verdict(pull.ref, context)
    if last is not None and (last.head_sha, last.base, last.base_sha) == (
        pull.head_sha,
        pull.base_branch,
        pull.base_sha,
    ):
        yield RefreshVerdict(pull.ref, (pull.head_sha,), context, key=f"shown:{event.key}")
        return
    status = CommitStatus(context, State.PENDING, PENDING, pull.html_url)
    yield verdict(pull, ctx, status, key=f"pending:{event.key}")
    yield RequestBotReview(pull.ref, event.actor, key=f"review:{event.key}", bot=bot)


def verdict(
    pull: PullRequest, ctx: Context, status: CommitStatus, *, key: str, scope: str = "", may_pass: bool = False
) -> SetVerdict:
    """A new verdict, with the head of the last one, which other pull requests may share."""
    last = ctx.history.verdict(pull.ref, status.context)
    before = last.head_sha if last is not None else ""
    scope = scope or (last.scope if last is not None else "")
    at = (pull.ref, pull.head_sha, pull.base_branch, pull.base_sha)
    return SetVerdict(*at, status, key=key, scope=scope, before=before, may_pass=may_pass)


def over(event: Event, pull: PullRequest, *, context: str) -> Iterator[Intent]:
    """Show verdicts again without that of a closed pull request, for heads that others share."""
    if not pull.is_open and not pull.merged:
        yield RefreshVerdict(pull.ref, (pull.head_sha,), context, key=f"over:{event.key}")
