"""One look at a pull request: what was read for it, and what that is beside the last round. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from bots.bot import Context
from bots.markdown import code
from bots.model_review import MODEL, ModelReview
from bots.models import Finding, Level, Scan
from bots.review import messages
from bots.review.anchors import Files, shown_line
from bots.review.carry import Carried, Present, is_same, place_of, to_follow
from bots.review.lock_files import are_lock_files
from bots.review_policy import ReviewPolicy, own_findings
from bots.review_rounds import (
    FindingState,
    FollowedLine,
    FollowedLines,
    LinePlace,
    RememberedFinding,
    ReviewRound,
)
from bots.scan_names import CHANGE
from bots.views import FindingView
from forge.diff import MalformedDiff, parse
from forge.models import PullRequest, Ref
from forge.protocol import Invalid

MAX_GREEN = 3
"""The most things done well that are told; more of them are flattery."""

_SURROGATE = re.compile(r"[\ud800-\udfff]")

Reasons = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Look:
    """A pull request, what the engines say of its head, its diff, the policy of its base branch, and the last round.

    `model` is what a model says of it, None if none was asked.
    """

    pull: PullRequest
    scan: Scan
    files: Files
    policy: ReviewPolicy
    last: ReviewRound | None
    not_reviewed: Reasons = ()
    is_strangers: bool = False
    full: bool = False
    model: ModelReview | None = None

    @property
    def is_readable(self) -> bool:
        """Whether the scan is of the head, and from where its changes count."""
        return bool(self.scan.base_sha) and self.scan.head_sha == self.pull.head_sha

    @property
    def may_pass(self) -> bool:
        """Whether something was not reviewed for a reason that may pass by itself: not for what the change is."""
        engines = any(name not in {CHANGE, MODEL} for name, _ in self.scan.failed)
        is_asked_in_vain = self.model is not None and self.model.may_pass
        return engines or is_asked_in_vain or messages.OTHER_HEAD in self.not_reviewed

    @property
    def scope(self) -> str:
        """What identifies the changes that were looked at."""
        return f"{self.pull.base_branch}:{self.scan.base_sha}:{self.pull.head_sha}"

    @property
    def is_new(self) -> bool:
        """Whether these changes were not reviewed yet."""
        return self.last is None or not is_same(self.last, self.scan, self.pull.base_branch)

    @property
    def found(self) -> tuple[Finding, ...]:
        """What the engines and the repository's own rules found, as far as the policy admits it."""
        every = (*map(_named, self.scan.findings), *own_findings(self.policy, self._added()))
        return tuple(item for item in every if self.policy.admits(item))

    @property
    def green(self) -> tuple[Finding, ...]:
        """What was done well."""
        return tuple(item for item in self.found if item.effective_level is Level.GREEN)[:MAX_GREEN]

    def present(self, ctx: Context) -> Present:
        """The head as it is now, with the lines of the last round."""
        wanting = tuple(item for item in self.found if item.effective_level is not Level.GREEN)
        places = tuple(map(place_of, wanting))
        contexts = ctx.scanner.contexts(self.pull, places) if places else ()
        added = frozenset((path, number) for path, number, _ in self._added())
        lines = self._followed(places, ctx)
        return Present(self.scan, self.pull.base_branch, wanting, contexts, lines, added, full=self.full)

    def notes(self, carried: Carried) -> Iterator[str]:
        """What a reader has to know of the review itself, in sentences."""
        if self.files and are_lock_files(self.files):
            yield messages.LOCK_FILES
        if self.is_strangers:
            yield messages.LITE
        if self.policy.broken:
            base, why = code(self.pull.base_branch), code(self.policy.broken)
            yield messages.BROKEN_POLICY.format(base=base, why=why)
        if self.may_pass:
            yield messages.AGAIN
        if carried.withheld:
            yield messages.WITHHELD.format(count=carried.withheld)

    def _added(self) -> Iterator[tuple[str, int, str]]:
        for path, file in self.files.items():
            yield from ((path, number, file.new[number]) for number in sorted(file.added))

    def _followed(self, places: tuple[LinePlace, ...], ctx: Context) -> FollowedLines | None:
        """Where the lines of the last round are; at the same head they are where they were."""
        if self.last is None:
            return None
        known = tuple(place_of(each.finding) for each in to_follow(self.last))
        if self.last.head_sha == self.pull.head_sha:
            then = tuple(FollowedLine(each.path, each.line, changed=False) for each in known)
            return FollowedLines(then, tuple(False for _ in places))
        if not known and not places:
            return FollowedLines()
        return ctx.scanner.follow(self.pull, self.last.head_sha, known, places)


def _named(item: Finding) -> Finding:
    """A finding whose path can be stored and sent: one that is no UTF-8 is spelt out."""
    path = item.path.encode("utf-8", "backslashreplace").decode()
    return item if path == item.path else replace(item, path=path)


def look_at(pull: PullRequest, policy: ReviewPolicy, last: ReviewRound | None, ctx: Context, *, full: bool) -> Look:
    """Look at a pull request; raises what the scanner and the forge raise."""
    scan = ctx.scanner.scan(pull)
    files, unread = read_diff(ctx, pull.ref)
    not_reviewed = (*scan.failed, *scan.skipped, *unread, *other_head(scan, pull))
    known = None if last is None else without_suppressed(last, policy)
    return Look(*(pull, scan, files, policy, known, not_reviewed), is_strangers=is_strangers(pull, ctx), full=full)


def without_suppressed(last: ReviewRound, policy: ReviewPolicy) -> ReviewRound:
    """A round without the findings that the base branch does not want any more."""

    def held(each: RememberedFinding) -> RememberedFinding:
        is_unwanted = each.is_open and not policy.admits(each.finding)
        return replace(each, state=FindingState.GONE, head=last.head_sha) if is_unwanted else each

    return replace(last, findings=tuple(map(held, last.findings)))


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


def is_strangers(pull: PullRequest, ctx: Context) -> bool:
    """Whether a pull request comes from outside: from a fork, by an account that may not give work orders."""
    return pull.head_repo != pull.ref.repo and not ctx.team.is_trusted(pull.author)


def with_line(each: RememberedFinding, files: Files) -> RememberedFinding:
    """A finding with its line, if that is to be replaced; any other line may hold a secret."""
    line = None if each.finding.suggestion is None else shown_line(each.finding, files)
    return each if line is None else replace(each, was=line.rstrip("\r"))


def view(each: RememberedFinding, files: Files) -> FindingView:
    """A finding as people name it."""
    return with_line(each, files).view
