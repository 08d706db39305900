"""Rows of timelines, feeds and lists of Forgejo and Gitea as changes. Performs no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from forge import dedup_keys
from forge.changes import (
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
from forge.gitea import models
from forge.gitea.json_value import JsonValue
from forge.models import Repo, User

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
    kind = ChangeKind.LABELED if row["body"].words() == "1" else ChangeKind.UNLABELED
    return kind, row["label"]["name"].text() if row["label"].present else ""


def _assignee(row: JsonValue) -> _Told:
    return ChangeKind.UNASSIGNED if row["removed_assignee"].flag() else ChangeKind.ASSIGNED, _login(row["assignee"])


def _request(row: JsonValue) -> _Told:
    team = row["assignee_team"]
    who = team["name"].text() if team.present else _login(row["assignee"])
    return ChangeKind.REVIEW_UNREQUESTED if row["removed_assignee"].flag() else ChangeKind.REVIEW_REQUESTED, who


def _milestone(row: JsonValue) -> _Told:
    new, old = row["milestone"], row["old_milestone"]
    if new.present:
        return ChangeKind.MILESTONED, new["title"].text()
    return ChangeKind.DEMILESTONED, old["title"].text() if old.present else ""


def _title(row: JsonValue) -> _Told:
    return ChangeKind.RETITLED, row["new_title"].words()


def _target(row: JsonValue) -> _Told:
    return ChangeKind.RETARGETED, row["new_ref"].words()


def _dependency(kind: ChangeKind) -> Callable[[JsonValue], _Told]:
    def read(row: JsonValue) -> _Told:
        other = row["dependent_issue"]
        return kind, str(other["number"].number()) if other.present else ""

    return read


def _reference(row: JsonValue) -> _Told:
    return ChangeKind.REFERRED, row["type"].text()


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
    return SubjectEntry(field["id"].number(), repo_id, models.issue(field, repo), field["comments"].count())


def timeline(rows: list[JsonValue], of: SubjectEntry) -> tuple[list[Change], list[CommentSnapshot]]:
    """What happened to a subject by its rows, oldest first, and its comments as they stand."""
    rows = sorted(rows, key=lambda row: row["id"].number())
    said = [comment(row, of.issue.ref.number) for row in rows if row["type"].text() == "comment"]
    opening = _opening(rows, of)
    found = (_change(row, of) for row in rows if row["id"].number() != opening)
    return [change for change in found if change], said


def _opening(rows: list[JsonValue], of: SubjectEntry) -> int:
    """The id of the row that the opening of a pull request left; 0 without one."""
    first = next((row for row in rows if row["type"].text() == _PUSH), None)
    if first is None or abs(first["created_at"].time() - of.issue.created_at) > _AT_ONCE:
        return 0
    return first["id"].number()


def _change(row: JsonValue, of: SubjectEntry) -> Change | None:
    word, forge, number = row["type"].text(), of.issue.ref.repo.forge, of.issue.ref.number
    reading = _READINGS.get(word)
    if reading is None and word not in _PLAIN:
        return None
    kind, what = (_PLAIN[word], "") if reading is None else reading(row)
    key = dedup_keys.row(forge, row["id"].number())
    if kind is ChangeKind.MERGED:
        key = dedup_keys.merged(forge, of.repo_id, number)
    return Change(key, kind, of.repo_id, str(number), account(row["user"]), row["created_at"].time(), what)


def comment(row: JsonValue, number: int) -> CommentSnapshot:
    """A comment, or a row of a timeline that is one."""
    return CommentSnapshot(
        id=row["id"].number(),
        number=number,
        author=account(row["user"]),
        digest=dedup_keys.digest(row["body"].words()),
        created_at=row["created_at"].time(),
        updated_at=row["updated_at"].time(),
    )


def remarks(rows: list[JsonValue], number: int) -> list[CommentSnapshot]:
    """The remarks of a review, oldest first; whichever is not the first at its place is a reply."""
    found, places = [], set[tuple[str, int, int]]()
    for row in sorted(rows, key=lambda row: row["id"].number()):
        place = (row["path"].text(), row["position"].count(), row["original_position"].count())
        found.append(replace(comment(row, number), is_reply=place in places))
        places.add(place)
    return found


def number(row: JsonValue) -> int:
    """The number of the issue that a comment in a repository's list belongs to; 0 if it does not say."""
    address = row["issue_url"].words() or row["pull_request_url"].words()
    last = address.rpartition("/")[2]
    return int(last) if last.isdecimal() else 0


def effective_level(row: JsonValue) -> ReviewSnapshot | None:
    """A review that was submitted; None for one that is being written or was only asked for."""
    state = row["state"].words()
    if state in {"", "PENDING", "REQUEST_REVIEW"}:
        return None
    at, remarks = row["submitted_at"].time(), row["comments_count"].count()
    return ReviewSnapshot(row["id"].number(), account(row["user"]), state, at, remarks)


def status(row: JsonValue, repo: Repo, repo_id: int, sha: str) -> Change:
    """A commit status."""
    what = f"{row['context'].words()}={row['status'].words()}"
    key, at = dedup_keys.stated(repo.forge, repo_id, sha, row["id"].number()), row["created_at"].time()
    return Change(key, ChangeKind.STATUS_SET, repo_id, sha, account(row["creator"]), at, what)


def release(row: JsonValue) -> Release:
    """A release."""
    words = "\0".join([row["name"].words(), row["body"].words(), *(str(row[key].flag()) for key in _FLAGS)])
    tag, at = row["tag_name"].text(), row["created_at"].time()
    return Release(row["id"].number(), tag, account(row["author"]), dedup_keys.digest(words), at)


_FLAGS = ("draft", "prerelease")


def listed(row: JsonValue, forge: str) -> RepositoryEntry:
    """A repository in a list."""
    return RepositoryEntry(models.repository(row, forge), row["created_at"].time(), row["updated_at"].time())


def activity(row: JsonValue) -> Activity:
    """A row of a feed; tags of releases are short names on Forgejo and full ones on Gitea 1.26."""
    kind, ref = row["op_type"].words(), row["ref_name"].words()
    if ref and not ref.startswith("refs/"):
        ref = f"refs/tags/{ref}" if kind in {"publish_release", "push_tag", "delete_tag"} else f"refs/heads/{ref}"
    return Activity(row["id"].number(), kind, account(row["act_user"]), row["repo_id"].number(), ref)


def account(field: JsonValue) -> User:
    """Who did it, as far as the forge says."""
    return models.user(field) if field.present else SOMEBODY


def _login(field: JsonValue) -> str:
    return field["login"].text() if field.present else ""
