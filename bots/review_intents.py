"""What the review bot can want, and those who answer it: frozen imperatives, nothing else. Performs no I/O.

They are part of `bots.intents.Intent`.
"""

from __future__ import annotations

from dataclasses import dataclass

from bots.models import Verdict
from bots.review_rounds import ReviewRound
from bots.views import FindingView
from forge.models import Ref, ReviewComment, User
from forge.wire_names import WireNamed


@dataclass(frozen=True, slots=True)
class PostReview(WireNamed, wire="post_review"):
    """Review a head of a pull request; superseded if it has moved, or the base is another one than `base`, if given.

    `summary` is the verdict in one line. `findings` are those of `comments` in the same order, and more: by their numbers the
    comments are found again. Without `approves` a verdict that is not red approves only what this account has rejected.
    """

    ref: Ref
    head_sha: str
    verdict: Verdict
    summary: str
    body: str
    comments: tuple[ReviewComment, ...]
    key: str
    base: str = ""
    findings: tuple[FindingView, ...] = ()
    approves: bool = False


@dataclass(frozen=True, slots=True)
class ShowReview(WireNamed, wire="show_review"):
    """Show how a pull request's review stands in its one comment, which is edited in place, and remember the round.

    Superseded like `PostReview`: what nobody is shown is not remembered.
    """

    ref: Ref
    body: str
    round: ReviewRound
    key: str


@dataclass(frozen=True, slots=True)
class RemarkEdit:
    """What the comments on the finding of that number shall say; `ends` is whether their conversations are over."""

    number: int
    body: str
    ends: bool = True


@dataclass(frozen=True, slots=True)
class EditRemarks(WireNamed, wire="edit_remarks"):
    """Edit comments of earlier reviews on findings whose state has changed, at a head of the pull request."""

    ref: Ref
    head_sha: str
    edits: tuple[RemarkEdit, ...]
    key: str


@dataclass(frozen=True, slots=True)
class DismissFinding(WireNamed, wire="dismiss_finding"):
    """Dismiss a finding for its reason `why`, as long as its code is that of `context`."""

    ref: Ref
    number: int
    context: str
    rule: str
    path: str
    by: User
    why: str
    key: str


@dataclass(frozen=True, slots=True)
class CloseReview(WireNamed, wire="close_review"):
    """Remember that a reviewed pull request is over: what is known of it is kept for a while only."""

    ref: Ref
    key: str


@dataclass(frozen=True, slots=True)
class RequestReviewers(WireNamed, wire="request_reviewers"):
    """Ask accounts, by their logins, for a review of an open pull request; one that the forge does not let be asked is left out."""

    ref: Ref
    logins: tuple[str, ...]
    key: str


ReviewIntent = PostReview | ShowReview | EditRemarks | DismissFinding | CloseReview | RequestReviewers
