"""What changed on one issue or pull request since the last check. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from forge import event_keys
from forge.models import Ref
from forge.poll_changes import SOMEBODY, Change, ChangeKind, CommentSnapshot, ReviewSnapshot, SubjectEntry
from forge.protocol import PollReader
from hive.poller.snapshots import SUBJECT, KnownSubject
from hive.poller.sources import Ask, SourceUnavailable, plainly

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SubjectDiff:
    """What was found: `rows` bear ids of the forge, `diffs` come of comparing with what `was` known."""

    ref: Ref
    repo_id: int
    is_pull: bool
    rows: tuple[Change, ...]
    diffs: tuple[Change, ...]
    was: str | None
    now: str


def diff_subject(
    watcher: PollReader, subject: SubjectEntry, was: str | None, begun: datetime, ask: Ask = plainly
) -> SubjectDiff:
    """Compare a subject with its snapshot; what is older than `begun` is not a change. A plain issue costs one request.

    Parts of a pull request that may not be read stay as they are known; raises SourceUnavailable for what is broken.
    """
    issue, known = subject.issue, None if was is None else SUBJECT.loads(was)
    rows, comments = ask("conversations", issue.ref.repo, lambda: watcher.changes_of(subject))
    if issue.created_at >= begun:
        rows.insert(0, _opened(subject))
    rows += [_commented(comment, subject) for comment in comments]
    diffs = [*_edited(subject, known), *_compared(subject, comments, known, begun)]
    now = replace(KnownSubject.glanced(subject), comments={comment.id: comment.digest for comment in comments})
    if issue.is_pull:
        more, now = _pull(watcher, subject, (known, now), ask)
        rows += more
    new = tuple(row for row in rows if row.at >= begun)
    return SubjectDiff(issue.ref, subject.repo_id, issue.is_pull, new, tuple(diffs), was, SUBJECT.dumps(now))


def states(watcher: PollReader, ref: Ref, repo_id: int, was: str) -> SubjectDiff:
    """Compare only the statuses of an open pull request's head: they leave no trace elsewhere."""
    rows = watcher.status_changes(ref.repo, repo_id, SUBJECT.loads(was).head)
    return SubjectDiff(ref, repo_id, is_pull=True, rows=tuple(rows), diffs=(), was=was, now=was)


def _pull(
    watcher: PollReader, subject: SubjectEntry, standing: tuple[KnownSubject | None, KnownSubject], ask: Ask
) -> tuple[list[Change], KnownSubject]:
    ref, repo_id = subject.issue.ref, subject.repo_id
    known, now = standing
    before = known or now
    found: list[Change] = []
    head = _seen(ask, "pull requests", ref, lambda: watcher.pull(ref).head_sha, before.head)
    if now.is_open or known is None or known.is_open:
        # A head that was replaced since then is read for the last time.
        for sha in dict.fromkeys(filter(None, (before.head, head))):
            found += _seen(ask, "statuses", ref, partial(watcher.status_changes, ref.repo, repo_id, sha), [])
    counts = dict(before.reviews)
    for review in _seen(ask, "reviews", ref, lambda: watcher.submitted_reviews(ref), list[ReviewSnapshot]()):
        counts[review.id] = review.remarks
        key, place = event_keys.reviewed(ref.repo.forge, review.id), str(ref.number)
        found.append(Change(key, ChangeKind.REVIEWED, repo_id, place, review.author, review.at, review.state))
        if review.remarks != before.reviews.get(review.id, 0):
            found += [_remarked(remark, subject) for remark in watcher.remarks(ref, review.id)]
    return found, replace(now, head=head, reviews=counts)


def _seen(ask: Ask, what: str, ref: Ref, question: Callable[[], T], known: T) -> T:
    """The answer, or what is known if it may not be read."""
    try:
        return ask(what, ref.repo, question)
    except SourceUnavailable as blind:
        if blind.stumbled:
            raise
        return known


def _opened(subject: SubjectEntry) -> Change:
    issue = subject.issue
    key = event_keys.opened(issue.ref.repo.forge, subject.repo_id, issue.ref.number)
    return Change(key, ChangeKind.OPENED, subject.repo_id, str(issue.ref.number), issue.author, issue.created_at)


def _commented(comment: CommentSnapshot, subject: SubjectEntry) -> Change:
    key, place = event_keys.commented(subject.issue.ref.repo.forge, comment.id), str(comment.number)
    return Change(
        key, ChangeKind.COMMENTED, subject.repo_id, place, comment.author, comment.created_at, str(comment.id)
    )


def _remarked(remark: CommentSnapshot, subject: SubjectEntry) -> Change:
    key, place = event_keys.remarked(subject.issue.ref.repo.forge, remark.id), str(remark.number)
    what = (subject.repo_id, place, remark.author, remark.created_at, str(remark.id))
    return Change(key, ChangeKind.REMARKED, *what, is_reply=remark.is_reply)


def _edited(subject: SubjectEntry, known: KnownSubject | None) -> Iterator[Change]:
    issue, digest = subject.issue, event_keys.digest(subject.issue.body)
    if known is not None and known.body != digest:
        at = issue.updated_at
        key = f"edited:{issue.ref.repo.forge}:{subject.repo_id}#{issue.ref.number}:{digest}:{at.timestamp():.0f}"
        yield Change(key, ChangeKind.EDITED, subject.repo_id, str(issue.ref.number), SOMEBODY, at)


def _compared(
    subject: SubjectEntry, comments: list[CommentSnapshot], known: KnownSubject | None, begun: datetime
) -> Iterator[Change]:
    before = known.comments if known is not None and known.comments is not None else {}
    forge, place = subject.issue.ref.repo.forge, str(subject.issue.ref.number)
    for comment in comments:
        if was_edited(comment, before.get(comment.id), begun):
            at = comment.updated_at
            key = f"{event_keys.commented(forge, comment.id)}:{comment.digest}:{at.timestamp():.0f}"
            yield Change(key, ChangeKind.COMMENT_EDITED, subject.repo_id, place, SOMEBODY, at, str(comment.id))
    for gone in before.keys() - {comment.id for comment in comments}:
        key, at = f"{event_keys.commented(forge, gone)}:deleted", subject.issue.updated_at
        yield Change(key, ChangeKind.COMMENT_DELETED, subject.repo_id, place, SOMEBODY, at, str(gone))


def was_edited(comment: CommentSnapshot, before: str | None, begun: datetime) -> bool:
    """Whether a comment has another text than at the last check; without a snapshot, by its times."""
    if before is None:
        return comment.created_at < begun <= comment.updated_at != comment.created_at
    return before != comment.digest
