"""The JSON of Forgejo and Gitea, field by field, as they send it. Performs no I/O.

A record names the fields that are read, and nothing else: what a forge adds is passed over.
"""

from __future__ import annotations

from typing import Any

from forge.gitea.schema import (
    Count,
    Day,
    Flag,
    IssueNumber,
    Many,
    Maybe,
    MaybeTime,
    Needed,
    Number,
    Sha,
    Text,
    Time,
    Words,
    record,
)


@record
class AccountRecord:
    """An account."""

    id: Number
    login: Text


@record
class Named:
    """A repository, by its name."""

    full_name: Text


@record
class Numbered:
    """An issue or a pull request, by its number."""

    number: IssueNumber


@record
class RepositoryRecord:
    """A repository."""

    id: Number
    full_name: Text
    default_branch: Words
    archived: Flag
    mirror: Flag
    empty: Flag
    private: Flag


@record
class CommitName:
    """A commit, by its name."""

    id: Sha


@record
class BranchRecord:
    """A branch; its required statuses are read apart."""

    name: Text
    commit: Needed[CommitName]
    protected: Flag
    user_can_push: Flag
    user_can_merge: Flag
    enable_status_check: Flag
    effective_branch_protection_name: Words


@record
class LabelName:
    """A label, by its name."""

    name: Text


@record
class LabelRecord:
    """A label."""

    id: Number
    name: Text
    color: Words
    description: Words
    exclusive: Flag


@record
class Titled:
    """Something of which only the title counts."""

    title: Text


@record
class IssueRecord:
    """An issue, or the issue side of a pull request."""

    number: IssueNumber
    title: Text
    body: Words
    user: Needed[AccountRecord]
    state: Text
    pull_request: Maybe[Any]
    labels: Many[LabelName]
    assignees: Many[AccountRecord]
    created_at: Time
    updated_at: Time
    milestone: Maybe[Titled]
    due_date: Day
    pin_order: Count
    comments: Count


@record
class HeadRepository:
    """Where the commits of a pull request come from; its name is read apart, where it counts."""

    id: Count


@record
class HeadRecord:
    """The head of a pull request."""

    ref: Text
    sha: Sha
    repo: Maybe[HeadRepository]


@record
class BaseRecord:
    """The base of a pull request."""

    ref: Text
    sha: Sha
    repo_id: Number


@record
class PullRecord:
    """A pull request."""

    number: IssueNumber
    title: Text
    body: Words
    user: Needed[AccountRecord]
    state: Text
    draft: Flag
    head: Needed[HeadRecord]
    base: Needed[BaseRecord]
    labels: Many[LabelName]
    assignees: Many[AccountRecord]
    mergeable: Flag
    merged: Flag
    merged_by: Maybe[AccountRecord]
    merge_commit_sha: Sha
    html_url: Words
    updated_at: Time
    requested_reviewers: Many[AccountRecord | None]


@record
class CommentRecord:
    """A comment of a conversation."""

    id: Number
    user: Needed[AccountRecord]
    body: Words
    created_at: Time
    updated_at: Time
    html_url: Words


@record
class ReactionRecord:
    """Somebody's reaction."""

    user: Needed[AccountRecord]
    content: Text


@record
class ReviewKind:
    """What has to be known before the rest of a review counts."""

    state: Words
    user: Maybe[Any]


@record
class ReviewRecord:
    """A review that somebody has written."""

    id: Number
    user: Needed[AccountRecord]
    body: Words
    commit_id: Words
    official: Flag
    stale: Flag
    dismissed: Flag
    submitted_at: Time
    html_url: Words


@record
class RemarkRecord:
    """A remark of a review."""

    id: Number
    path: Text
    body: Words
    position: Count
    original_position: Count
    user: Maybe[AccountRecord]
    created_at: MaybeTime
    updated_at: MaybeTime
    html_url: Words
    resolver: Maybe[Any]


@record
class FileRecord:
    """A file of a pull request."""

    filename: Text
    status: Text
    additions: Count
    deletions: Count
    previous_filename: Words


@record
class StatusRecord:
    """A commit status."""

    context: Words
    status: Words
    description: Words
    target_url: Words


@record
class HappeningRecord:
    """A row of a timeline; a new title is read apart, where it counts."""

    id: Number
    type: Text
    body: Words
    user: Maybe[AccountRecord]
    created_at: Time
    label: Maybe[LabelName]
    assignee: Maybe[AccountRecord]
    removed_assignee: Flag


@record
class PushRecord:
    """A row of the activity feed that moved a branch."""

    id: Number
    content: Words
    act_user_id: Number


@record
class Action:
    """What a delivery is about, by the word of its kind."""

    action: Text


@record
class Place:
    """A repository, by its id; its name is read apart."""

    id: Number


@record
class MaybeTitled:
    """A pull request, if it has a title."""

    title: Words


@record
class DeliveryRecord:
    """What each delivery tells: where, and who."""

    repository: Needed[Place]
    sender: Needed[AccountRecord]
    pull_request: Maybe[MaybeTitled]


@record
class CommentBody:
    """A comment in a delivery."""

    id: Number
    body: Words


@record
class Merged:
    """A pull request that was closed."""

    merged: Flag
