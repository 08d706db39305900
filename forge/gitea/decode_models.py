"""The JSON of Forgejo and Gitea as nouns. Performs no I/O.

Each function reads the few fields that its noun has. `pull_request.url` is never read: it is a
page on Forgejo 10 and Gitea 1.26, and the API on Forgejo 17.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from forge.gitea import records
from forge.gitea.json_value import JsonValue
from forge.gitea.protection import unescaped
from forge.gitea.schema import read
from forge.models import (
    Branch,
    Comment,
    CommitStatus,
    FileChange,
    Issue,
    Label,
    PullRequest,
    Push,
    Reaction,
    Ref,
    Repo,
    Repository,
    Review,
    ReviewComment,
    ReviewState,
    State,
    TimelineEvent,
    User,
)

_SKIPPED = "skipped"
_STATES = {state.value: state for state in State} | {_SKIPPED: State.SUCCESS}


@dataclass(frozen=True, slots=True)
class HeldLabel:
    """A label with its id, which writes need."""

    id: int
    label: Label


def user(field: JsonValue) -> User:
    """An account; one that was deleted is `Ghost`, id -1."""
    return _user(read(records.AccountRecord, field))


def repo(field: JsonValue, forge: str) -> Repo:
    """A repository's name."""
    return _repo(read(records.Named, field).full_name, field, forge)


def ref(field: JsonValue, of: Repo) -> Ref:
    """The number of an issue or pull request, in something that has one."""
    return Ref(of, read(records.Numbered, field).number)


def repository(field: JsonValue, forge: str) -> Repository:
    """A repository."""
    row = read(records.RepositoryRecord, field)
    return Repository(
        id=row.id,
        repo=_repo(row.full_name, field, forge),
        default_branch=row.default_branch or "",
        archived=bool(row.archived),
        mirror=bool(row.mirror),
        empty=bool(row.empty),
        private=bool(row.private),
    )


def branch(field: JsonValue) -> Branch:
    """A branch; what is told of its protection is that of the rule that counts, whatever its name."""
    row = read(records.BranchRecord, field)
    checks = field["status_check_contexts"].each() if row.enable_status_check else ()
    return Branch(
        name=row.name,
        sha=row.commit.id or "",
        protected=bool(row.protected),
        can_push=bool(row.user_can_push),
        can_merge=bool(row.user_can_merge),
        required_statuses=tuple(unescaped(name.text()) for name in checks),
        rule=row.effective_branch_protection_name or "",
    )


def issue(field: JsonValue, of: Repo) -> Issue:
    """An issue, or the issue side of a pull request."""
    row = read(records.IssueRecord, field)
    return Issue(
        ref=Ref(of, row.number),
        title=row.title,
        body=row.body or "",
        author=_user(row.user),
        is_open=row.state == "open",
        is_pull=row.pull_request is not None,
        labels=_names(row.labels),
        assignees=_users(row.assignees),
        created_at=row.created_at,
        updated_at=row.updated_at,
        milestone=row.milestone.title if row.milestone else "",
        due=row.due_date,
        pinned=(row.pin_order or 0) > 0,
        comments=row.comments,
    )


def pull(field: JsonValue, of: Repo) -> PullRequest:
    """A pull request; `head.repo` is null once its fork was deleted."""
    row = read(records.PullRecord, field)
    return PullRequest(
        ref=Ref(of, row.number),
        title=row.title,
        body=row.body or "",
        author=_user(row.user),
        is_open=row.state == "open",
        draft=bool(row.draft),
        head_repo=_head_repo(row, field, of),
        head_branch=row.head.ref,
        head_sha=row.head.sha or "",
        base_branch=row.base.ref,
        base_sha=row.base.sha or "",
        base_repo_id=row.base.repo_id,
        labels=_names(row.labels),
        assignees=_users(row.assignees),
        mergeable=bool(row.mergeable),
        merged=bool(row.merged),
        merged_by=_user(row.merged_by) if row.merged_by else None,
        merge_sha=row.merge_commit_sha or None,
        html_url=row.html_url or "",
        updated_at=row.updated_at,
        reviewers=_users(row.requested_reviewers),
    )


def comment(field: JsonValue, of: Ref) -> Comment:
    """A comment of a conversation."""
    row = read(records.CommentRecord, field)
    return Comment(
        id=row.id,
        ref=of,
        author=_user(row.user),
        body=row.body or "",
        created_at=row.created_at,
        updated_at=row.updated_at,
        html_url=row.html_url or "",
    )


def reaction(field: JsonValue) -> Reaction:
    """Somebody's reaction."""
    row = read(records.ReactionRecord, field)
    return Reaction(_user(row.user), row.content)


def review(field: JsonValue, of: Ref) -> Review | None:
    """A review; None for the request to a team, which nobody has written, and for an unknown state."""
    kind = read(records.ReviewKind, field)
    state = kind.state or ""
    if kind.user is None or state not in ReviewState.__members__:
        return None
    row = read(records.ReviewRecord, field)
    return Review(
        id=row.id,
        ref=of,
        author=_user(row.user),
        state=ReviewState(state),
        body=row.body or "",
        head_sha=row.commit_id or "",
        official=bool(row.official),
        stale=bool(row.stale),
        dismissed=bool(row.dismissed),
        submitted_at=row.submitted_at,
        html_url=row.html_url or "",
    )


def submitted(field: JsonValue, of: Ref) -> Review:
    """The answer to a review that was just submitted."""
    found = review(field, of)
    if found is None:
        raise field.wrong("is no review")
    return found


def review_comment(field: JsonValue) -> ReviewComment:
    """A remark of a review: `position` is a line of the new file, `original_position` one of the old."""
    row = read(records.RemarkRecord, field)
    return ReviewComment(
        path=row.path,
        line=row.position or row.original_position or 0,
        body=row.body or "",
        old=not row.position,
        id=row.id,
        author=_user(row.user) if row.user else None,
        created_at=row.created_at,
        updated_at=row.updated_at,
        html_url=row.html_url or "",
        resolved=row.resolver is not None,
    )


def file_change(field: JsonValue) -> FileChange:
    """A file of a pull request."""
    row = read(records.FileRecord, field)
    return FileChange(
        path=row.filename,
        status=row.status,
        additions=row.additions or 0,
        deletions=row.deletions or 0,
        previous_path=row.previous_filename or None,
    )


def status(field: JsonValue) -> CommitStatus:
    """A commit status; a word that is no state is an error, as forges accept any word for one."""
    row = read(records.StatusRecord, field)
    return CommitStatus(
        context=row.context or "",
        state=_STATES.get(row.status or "", State.ERROR),
        description=row.description or "",
        url=row.target_url or "",
    )


def held_label(field: JsonValue) -> HeldLabel:
    """A label and its id."""
    row = read(records.LabelRecord, field)
    label = Label(
        name=row.name,
        color=(row.color or "").removeprefix("#").lower(),
        description=row.description or "",
        exclusive=bool(row.exclusive),
    )
    return HeldLabel(row.id, label)


def timeline_event(field: JsonValue) -> TimelineEvent:
    """A row of a timeline; `text` is the new title for a change of it, else the forge's own text."""
    row = read(records.HappeningRecord, field)
    body = row.body or ""
    return TimelineEvent(
        id=row.id,
        kind=row.type,
        actor=_user(row.user) if row.user else None,
        created_at=row.created_at,
        text=field["new_title"].words() if row.type == "change_title" else body,
        label=row.label.name if row.label else "",
        user=_user(row.assignee) if row.assignee else None,
        # The body of a label's row is "1" when it was added; nothing else tells.
        removed=body != "1" if row.type == "label" else bool(row.removed_assignee),
    )


def push(field: JsonValue, of: str) -> Push | None:
    """A row of the activity feed, if it moved the branch `of`."""
    if field["ref_name"].words() != f"refs/heads/{of}":
        return None
    row = read(records.PushRecord, field)
    old, new = _range(row.content or "")
    return Push(row.id, of, old, new, row.act_user_id)


def _user(row: records.AccountRecord) -> User:
    return User(row.id, row.login)


def _users(rows: Iterable[records.AccountRecord | None] | None) -> tuple[User, ...]:
    return tuple([_user(row) for row in rows or () if row])


def _names(rows: Iterable[records.LabelName] | None) -> tuple[str, ...]:
    return tuple([row.name for row in rows or ()])


def _repo(full_name: str, field: JsonValue, forge: str) -> Repo:
    try:
        return Repo.parse(f"{forge}:{full_name}")
    except ValueError as error:
        raise field["full_name"].wrong("is no repository") from error


def _head_repo(row: records.PullRecord, field: JsonValue, of: Repo) -> Repo | None:
    """Where the commits of a pull request come from; its own repository under the name by which it was asked for."""
    if row.head.repo is None:
        return None
    return of if row.head.repo.id == row.base.repo_id else repo(field["head"]["repo"], of.forge)


def _range(content: str) -> tuple[str, str]:
    # A push carries JSON whose CompareURL ends in old...new; a deletion carries nothing.
    try:
        compare = JsonValue(json.loads(content), "content")["CompareURL"].words()
    except (ValueError, RecursionError):
        return "", ""
    old, _, new = compare.rpartition("/")[2].partition("...")
    return old, new
