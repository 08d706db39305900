"""Rows of timelines, feeds and lists of Forgejo and Gitea as changes. Performs no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from forge import event_keys
from forge.gitea import decode_models, records, timeline_records
from forge.gitea.json_value import JsonValue
from forge.gitea.schema import read
from forge.models import Repo, User
from forge.poll_changes import (
    SOMEBODY,
    Activity,
    Change,
    ChangeKind,
    CommentSnapshot,
    Release,
    RepositoryEntry,
    ReviewSnapshot,
    SubjectEntry,
)

_Told = tuple[ChangeKind, str]

_PUSH = "pull_push"
_AT_ONCE = timedelta(seconds=2)
"""Opening a pull request writes a row of a push within this time; a push that follows has a later one."""

_PLAIN: Mapping[str, ChangeKind] = {
    "close": ChangeKind.CLOSED,
    "reopen": ChangeKind.REOPENED,
    "merge_pull": ChangeKind.MERGED,
    _PUSH: ChangeKind.PUSHED,
    "dismiss_review": ChangeKind.REVIEW_DISMISSED,
    "pull_scheduled_merge": ChangeKind.MERGE_SCHEDULED,
    "pull_cancel_scheduled_merge": ChangeKind.MERGE_UNSCHEDULED,
    "lock": ChangeKind.LOCKED,
    "unlock": ChangeKind.UNLOCKED,
    "pin": ChangeKind.PINNED,
    "unpin": ChangeKind.UNPINNED,
    "added_deadline": ChangeKind.DUE,
    "modified_deadline": ChangeKind.DUE,
    "removed_deadline": ChangeKind.NOT_DUE,
}
"""Rows whose type says it all."""


def _label(row: JsonValue) -> _Told:
    # The label of a row is null once the label was deleted.
    told = read(timeline_records.LabelRow, row)
    return ChangeKind.LABELED if told.body == "1" else ChangeKind.UNLABELED, told.label.name if told.label else ""


def _assignee(row: JsonValue) -> _Told:
    told = read(timeline_records.AssigneeRow, row)
    return ChangeKind.UNASSIGNED if told.removed_assignee else ChangeKind.ASSIGNED, _login(told.assignee)


def _request(row: JsonValue) -> _Told:
    told = read(timeline_records.RequestRow, row)
    who = told.assignee_team.name if told.assignee_team else _login(told.assignee)
    return ChangeKind.REVIEW_UNREQUESTED if told.removed_assignee else ChangeKind.REVIEW_REQUESTED, who


def _milestone(row: JsonValue) -> _Told:
    told = read(timeline_records.MilestoneRow, row)
    if told.milestone is not None:
        return ChangeKind.MILESTONED, told.milestone.title
    return ChangeKind.DEMILESTONED, told.old_milestone.title if told.old_milestone else ""


def _title(row: JsonValue) -> _Told:
    return ChangeKind.RETITLED, read(timeline_records.TitleRow, row).new_title or ""


def _target(row: JsonValue) -> _Told:
    return ChangeKind.RETARGETED, read(timeline_records.TargetRow, row).new_ref or ""


def _dependency(kind: ChangeKind) -> Callable[[JsonValue], _Told]:
    def told(row: JsonValue) -> _Told:
        other = read(timeline_records.DependencyRow, row).dependent_issue
        return kind, str(other.number) if other else ""

    return told


def _reference(row: JsonValue) -> _Told:
    return ChangeKind.REFERRED, read(timeline_records.Row, row).type


_READINGS: Mapping[str, Callable[[JsonValue], _Told]] = {
    "label": _label,
    "assignees": _assignee,
    "review_request": _request,
    "milestone": _milestone,
    "change_title": _title,
    "change_target_branch": _target,
    "add_dependency": _dependency(ChangeKind.DEPENDS),
    "remove_dependency": _dependency(ChangeKind.DEPENDS_NOT),
    **dict.fromkeys(("issue_ref", "comment_ref", "pull_ref", "commit_ref"), _reference),
}


def subject(field: JsonValue, repo: Repo, repo_id: int) -> SubjectEntry:
    """An issue, or the issue side of a pull request."""
    issue = decode_models.issue(field, repo)
    return SubjectEntry(read(timeline_records.Identified, field).id, repo_id, issue, issue.comments or 0)


def timeline(rows: Iterable[JsonValue], of: SubjectEntry) -> tuple[list[Change], list[CommentSnapshot]]:
    """What happened to a subject by its rows, oldest first, and its comments as they stand."""
    known = sorted(((read(timeline_records.Row, row), row) for row in rows), key=lambda pair: pair[0].id)
    said = [comment(row, of.issue.ref.number) for told, row in known if told.type == "comment"]
    opening = _opening(known, of)
    found = (_change(told, row, of) for told, row in known if told.id != opening)
    return [change for change in found if change], said


def _opening(rows: Iterable[tuple[timeline_records.Row, JsonValue]], of: SubjectEntry) -> int:
    """The id of the row that the opening of a pull request left; 0 without one."""
    first = next((pair for pair in rows if pair[0].type == _PUSH), None)
    if first is None or abs(read(timeline_records.ByAt, first[1]).created_at - of.issue.created_at) > _AT_ONCE:
        return 0
    return first[0].id


def _change(told: timeline_records.Row, row: JsonValue, of: SubjectEntry) -> Change | None:
    word, forge, number = told.type, of.issue.ref.repo.forge, of.issue.ref.number
    reading = _READINGS.get(word)
    if reading is None and word not in _PLAIN:
        return None
    kind, what = (_PLAIN[word], "") if reading is None else reading(row)
    key = event_keys.row(forge, told.id)
    if kind is ChangeKind.MERGED:
        key = event_keys.merged(forge, of.repo_id, number)
    by = read(timeline_records.ByAt, row)
    return Change(key, kind, of.repo_id, str(number), _account(by.user), by.created_at, what)


def comment(row: JsonValue, number: int) -> CommentSnapshot:
    """A comment, or a row of a timeline that is one."""
    told = read(timeline_records.SaidRecord, row)
    return CommentSnapshot(
        id=told.id,
        number=number,
        author=_account(told.user),
        digest=event_keys.digest(told.body or ""),
        created_at=told.created_at,
        updated_at=told.updated_at,
    )


def remarks(rows: Iterable[JsonValue], number: int) -> list[CommentSnapshot]:
    """The remarks of a review, oldest first; whichever is not the first at its place is a reply."""
    found, places = [], set[tuple[str, int, int]]()
    for told, row in sorted(
        ((read(timeline_records.RemarkPlace, row), row) for row in rows), key=lambda pair: pair[0].id
    ):
        place = (told.path, told.position or 0, told.original_position or 0)
        found.append(replace(comment(row, number), is_reply=place in places))
        places.add(place)
    return found


def number(row: JsonValue) -> int:
    """The number of the issue of a comment in a repository's list; 0 if unknown."""
    address = row["issue_url"].words() or row["pull_request_url"].words()
    last = address.rpartition("/")[2]
    return int(last) if last.isdecimal() and len(last) <= 10 else 0


def submitted_review(row: JsonValue) -> ReviewSnapshot | None:
    """A review that was submitted; None for one that is being written or was only asked for."""
    state = read(records.ReviewKind, row).state or ""
    if state in {"", "PENDING", "REQUEST_REVIEW"}:
        return None
    told = read(timeline_records.JudgedRecord, row)
    return ReviewSnapshot(told.id, _account(told.user), state, told.submitted_at, told.comments_count or 0)


def status(row: JsonValue, repo: Repo, repo_id: int, sha: str) -> Change:
    """A commit status."""
    told = read(timeline_records.StatedRecord, row)
    what, key = f"{told.context or ''}={told.status or ''}", event_keys.stated(repo.forge, repo_id, sha, told.id)
    return Change(key, ChangeKind.STATUS_SET, repo_id, sha, _account(told.creator), told.created_at, what)


def release(row: JsonValue) -> Release:
    """A release."""
    told = read(timeline_records.ReleaseRecord, row)
    words = (told.name or "", told.body or "", str(bool(told.draft)), str(bool(told.prerelease)))
    return Release(told.id, told.tag_name, _account(told.author), event_keys.digest("\0".join(words)), told.created_at)


def listed(row: JsonValue, forge: str) -> RepositoryEntry:
    """A repository in a list."""
    told = read(timeline_records.Dated, row)
    return RepositoryEntry(decode_models.repository(row, forge), told.created_at, told.updated_at)


def activity(row: JsonValue) -> Activity:
    """A row of a feed; tags of releases are short names on Forgejo and full ones on Gitea 1.26."""
    told = read(timeline_records.ActivityRecord, row)
    kind, ref = told.op_type or "", told.ref_name or ""
    if ref and not ref.startswith("refs/"):
        ref = f"refs/tags/{ref}" if kind in {"publish_release", "push_tag", "delete_tag"} else f"refs/heads/{ref}"
    return Activity(told.id, kind, _account(told.act_user), told.repo_id, ref)


def _account(row: records.AccountRecord | None) -> User:
    """The actor, if the forge names one."""
    return User(row.id, row.login) if row else SOMEBODY


def _login(row: timeline_records.LoginRecord | None) -> str:
    return row.login if row else ""
