"""The keys by which two events are the same event, however they were learnt. Performs no I/O.

A webhook and a sweep that meet the same thing make the same key of it, as far as a forge lets
them: all times are whole seconds, as forges keep them. Text that people write enters a key as a
hash: a key is one short line.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

from forge.types import Comment, Issue, PullRequest, Ref, ReviewState


def opened(issue: Issue) -> str:
    """An issue is opened once."""
    return f"opened:{issue.ref}"


def reopened(issue: Issue) -> str:
    """An issue can be reopened again and again."""
    return f"reopened:{issue.ref}:{_seconds(issue.updated_at)}"


def edited(issue: Issue) -> str:
    """Title and body of one edit share a key: forges send an event for each."""
    return f"edited:{issue.ref}:{_seconds(issue.updated_at)}"


def assigned(issue: Issue) -> str:
    """The assignees as they stand after the change."""
    ids = ",".join(str(number) for number in sorted(user.id for user in issue.assignees))
    return f"assigned:{issue.ref}:{ids}:{_seconds(issue.updated_at)}"


def labeled(issue: Issue) -> str:
    """The labels as they stand after the change."""
    return f"labels:{issue.ref}:{_short(*sorted(issue.labels))}:{_seconds(issue.updated_at)}"


def closed(subject: Issue | PullRequest) -> str:
    """An issue or pull request can be closed again and again."""
    return f"closed:{subject.ref}:{_seconds(subject.updated_at)}"


def commented(comment: Comment) -> str:
    """A comment is posted once; its id is unique on its forge only, hence the ref."""
    return f"comment:{comment.ref}:{comment.id}"


def changed(pull: PullRequest) -> str:
    """What there is to look at: a head under a title."""
    return f"head:{pull.ref}:{pull.head_sha}:{_short(pull.title)}"


def merged(pull: PullRequest) -> str:
    """A pull request is merged once."""
    return f"merged:{pull.ref}"


def reviewed(ref: Ref, state: ReviewState, content: str, at: datetime) -> str:
    """A review by its words and second: webhooks do not tell its id."""
    return f"review:{ref}:{state}:{_short(content)}:{_seconds(at)}"


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _short(*words: str) -> str:
    return sha256("\0".join(words).encode()).hexdigest()[:12]
