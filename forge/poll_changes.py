"""What a poll of a forge finds: things that happened, and current states. Performs no I/O.

An event says where to look, and is for bots; a change says what was found there, and is for the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from forge.models import Issue, Repository, User


class ChangeKind(StrEnum):
    """The kinds of changes. For those in SILENT the forge does not know the actor."""

    OPENED = "opened"
    EDITED = "edited"
    RETITLED = "retitled"
    CLOSED = "closed"
    REOPENED = "reopened"
    DELETED = "deleted"
    LABELED = "labeled"
    UNLABELED = "unlabeled"
    ASSIGNED = "assigned"
    UNASSIGNED = "unassigned"
    MILESTONED = "milestoned"
    DEMILESTONED = "demilestoned"
    DUE = "due_date_set"
    NOT_DUE = "due_date_removed"
    DEPENDS = "dependency_added"
    DEPENDS_NOT = "dependency_removed"
    PINNED = "pinned"
    UNPINNED = "unpinned"
    LOCKED = "locked"
    UNLOCKED = "unlocked"
    REFERRED = "referenced"
    COMMENTED = "commented"
    COMMENT_EDITED = "comment_edited"
    COMMENT_DELETED = "comment_deleted"
    PUSHED = "pushed"
    RETARGETED = "retargeted"
    MERGED = "merged"
    MERGE_SCHEDULED = "merge_scheduled"
    MERGE_UNSCHEDULED = "merge_unscheduled"
    REVIEW_REQUESTED = "review_requested"
    REVIEW_UNREQUESTED = "review_request_removed"
    REVIEWED = "reviewed"
    REMARKED = "review_commented"
    REVIEW_DISMISSED = "review_dismissed"
    STATUS_SET = "status_set"
    CONFLICTED = "conflicted"
    REF_CREATED = "ref_created"
    REF_MOVED = "ref_moved"
    REF_DELETED = "ref_deleted"
    RELEASED = "released"
    RELEASE_EDITED = "release_edited"
    RELEASE_DELETED = "release_deleted"
    REPO_CREATED = "repository_created"
    REPO_RENAMED = "repository_renamed"
    REPO_ARCHIVED = "repository_archived"
    REPO_UNARCHIVED = "repository_unarchived"
    REPO_DELETED = "repository_deleted"


SILENT = frozenset(
    {
        ChangeKind.EDITED,
        ChangeKind.CONFLICTED,
        ChangeKind.DELETED,
        ChangeKind.COMMENT_EDITED,
        ChangeKind.COMMENT_DELETED,
        ChangeKind.RELEASE_EDITED,
        ChangeKind.RELEASE_DELETED,
        ChangeKind.REPO_ARCHIVED,
        ChangeKind.REPO_UNARCHIVED,
        ChangeKind.REPO_DELETED,
    }
)
"""Kinds that a forge keeps no record of: they are found by comparing, so the actor is unknown."""

SOMEBODY = User(0, "somebody")
"""The actor if a forge does not name one."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened; two changes with one `key` are the same one.

    `place` is the number of an issue or pull request, the name of a ref, the sha of a commit, or
    empty for the repository itself; `what` is the label, the account, the title it is about. `is_reply` is whether
    a review comment answers an earlier one.
    """

    key: str
    kind: ChangeKind
    repo_id: int
    place: str
    actor: User
    at: datetime
    what: str = ""
    is_reply: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class SubjectEntry:
    """An issue, or the issue side of a pull request, with what only the poller needs of it."""

    id: int
    repo_id: int
    issue: Issue
    comments: int


@dataclass(frozen=True, slots=True)
class CommentSnapshot:
    """A comment or a remark as it stands: `digest` is for its text."""

    id: int
    number: int
    author: User
    digest: str
    created_at: datetime
    updated_at: datetime
    is_reply: bool = False
    """Whether it is a review comment that answers an earlier one: a delivery reports it as a comment."""


@dataclass(frozen=True, slots=True)
class ReviewSnapshot:
    """A submitted review: `remarks` is how many it holds, and they can become more."""

    id: int
    author: User
    state: str
    at: datetime
    remarks: int


@dataclass(frozen=True, slots=True)
class Release:
    """A release: `digest` is of its text, `draft` ones are not published."""

    id: int
    tag: str
    author: User
    digest: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RepositoryEntry:
    """A repository in a list: `updated_at` follows a push late, and an issue never."""

    repository: Repository
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Activity:
    """A row of an organisation's feed: `kind` is the forge's word, `ref` a full name or empty."""

    id: int
    kind: str
    actor: User
    repo_id: int
    ref: str
