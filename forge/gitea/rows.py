"""Rows of timelines, feeds and lists of Forgejo and Gitea as changes. Performs no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from forge import keys
from forge.changes import SOMEBODY, Activity, Change, Judged, Kind, Listed, Release, Said, Subject
from forge.gitea import shapes
from forge.gitea.field import Field
from forge.types import Repo, User

_Told = tuple[Kind, str]

_PUSH = "pull_push"
_AT_ONCE = timedelta(seconds=2)
"""Opening a pull request writes a row of a push within this time; a push that follows has a later one."""

_PLAIN: Mapping[str, Kind] = {
    "close": Kind.CLOSED,
    "reopen": Kind.REOPENED,
    "merge_pull": Kind.MERGED,
    _PUSH: Kind.PUSHED,
    "dismiss_review": Kind.REVIEW_DISMISSED,
    "pull_scheduled_merge": Kind.MERGE_SCHEDULED,
    "pull_cancel_scheduled_merge": Kind.MERGE_UNSCHEDULED,
    "lock": Kind.LOCKED,
    "unlock": Kind.UNLOCKED,
    "pin": Kind.PINNED,
    "unpin": Kind.UNPINNED,
    "added_deadline": Kind.DUE,
    "modified_deadline": Kind.DUE,
    "removed_deadline": Kind.NOT_DUE,
}
"""Rows whose type says it all."""


def _label(row: Field) -> _Told:
    # The label of a row is null once the label was deleted.
    kind = Kind.LABELED if row["body"].words() == "1" else Kind.UNLABELED
    return kind, row["label"]["name"].text() if row["label"].present else ""


def _assignee(row: Field) -> _Told:
    return Kind.UNASSIGNED if row["removed_assignee"].flag() else Kind.ASSIGNED, _login(row["assignee"])


def _request(row: Field) -> _Told:
    team = row["assignee_team"]
    who = team["name"].text() if team.present else _login(row["assignee"])
    return Kind.REVIEW_UNREQUESTED if row["removed_assignee"].flag() else Kind.REVIEW_REQUESTED, who


def _milestone(row: Field) -> _Told:
    new, old = row["milestone"], row["old_milestone"]
    if new.present:
        return Kind.MILESTONED, new["title"].text()
    return Kind.DEMILESTONED, old["title"].text() if old.present else ""


def _title(row: Field) -> _Told:
    return Kind.RETITLED, row["new_title"].words()


def _target(row: Field) -> _Told:
    return Kind.RETARGETED, row["new_ref"].words()


def _dependency(kind: Kind) -> Callable[[Field], _Told]:
    def read(row: Field) -> _Told:
        other = row["dependent_issue"]
        return kind, str(other["number"].number()) if other.present else ""

    return read


def _reference(row: Field) -> _Told:
    return Kind.REFERRED, row["type"].text()


_READINGS: Mapping[str, Callable[[Field], _Told]] = {
    "label": _label,
    "assignees": _assignee,
    "review_request": _request,
    "milestone": _milestone,
    "change_title": _title,
    "change_target_branch": _target,
    "add_dependency": _dependency(Kind.DEPENDS),
    "remove_dependency": _dependency(Kind.DEPENDS_NOT),
    **dict.fromkeys(("issue_ref", "comment_ref", "pull_ref", "commit_ref"), _reference),
}


def subject(field: Field, repo: Repo, repo_id: int) -> Subject:
    """An issue, or the issue side of a pull request."""
    return Subject(field["id"].number(), repo_id, shapes.issue(field, repo), field["comments"].count())


def timeline(rows: list[Field], of: Subject) -> tuple[list[Change], list[Said]]:
    """What happened to a subject by its rows, oldest first, and its comments as they stand."""
    rows = sorted(rows, key=lambda row: row["id"].number())
    said = [comment(row, of.issue.ref.number) for row in rows if row["type"].text() == "comment"]
    opening = _opening(rows, of)
    found = (_change(row, of) for row in rows if row["id"].number() != opening)
    return [change for change in found if change], said


def _opening(rows: list[Field], of: Subject) -> int:
    """The id of the row that the opening of a pull request left; 0 without one."""
    first = next((row for row in rows if row["type"].text() == _PUSH), None)
    if first is None or abs(first["created_at"].time() - of.issue.created_at) > _AT_ONCE:
        return 0
    return first["id"].number()


def _change(row: Field, of: Subject) -> Change | None:
    word, forge, number = row["type"].text(), of.issue.ref.repo.forge, of.issue.ref.number
    reading = _READINGS.get(word)
    if reading is None and word not in _PLAIN:
        return None
    kind, what = (_PLAIN[word], "") if reading is None else reading(row)
    key = keys.row(forge, row["id"].number())
    if kind is Kind.MERGED:
        key = keys.merged(forge, of.repo_id, number)
    return Change(key, kind, of.repo_id, str(number), account(row["user"]), row["created_at"].time(), what)


def comment(row: Field, number: int) -> Said:
    """A comment, or a row of a timeline that is one."""
    return Said(
        id=row["id"].number(),
        number=number,
        author=account(row["user"]),
        digest=keys.digest(row["body"].words()),
        created_at=row["created_at"].time(),
        updated_at=row["updated_at"].time(),
    )


def remarks(rows: list[Field], number: int) -> list[Said]:
    """The remarks of a review, oldest first; whichever is not the first at its place is a reply."""
    found, places = [], set[tuple[str, int, int]]()
    for row in sorted(rows, key=lambda row: row["id"].number()):
        place = (row["path"].text(), row["position"].count(), row["original_position"].count())
        found.append(replace(comment(row, number), is_reply=place in places))
        places.add(place)
    return found


def number(row: Field) -> int:
    """The number of the issue that a comment in a repository's list belongs to; 0 if it does not say."""
    address = row["issue_url"].words() or row["pull_request_url"].words()
    last = address.rpartition("/")[2]
    return int(last) if last.isdecimal() else 0


def judged(row: Field) -> Judged | None:
    """A review that was submitted; None for one that is being written or was only asked for."""
    state = row["state"].words()
    if state in {"", "PENDING", "REQUEST_REVIEW"}:
        return None
    at, remarks = row["submitted_at"].time(), row["comments_count"].count()
    return Judged(row["id"].number(), account(row["user"]), state, at, remarks)


def status(row: Field, repo: Repo, repo_id: int, sha: str) -> Change:
    """A commit status."""
    what = f"{row['context'].words()}={row['status'].words()}"
    key, at = keys.stated(repo.forge, repo_id, sha, row["id"].number()), row["created_at"].time()
    return Change(key, Kind.STATUS_SET, repo_id, sha, account(row["creator"]), at, what)


def release(row: Field) -> Release:
    """A release."""
    words = "\0".join([row["name"].words(), row["body"].words(), *(str(row[key].flag()) for key in _FLAGS)])
    tag, at = row["tag_name"].text(), row["created_at"].time()
    return Release(row["id"].number(), tag, account(row["author"]), keys.digest(words), at)


_FLAGS = ("draft", "prerelease")


def listed(row: Field, forge: str) -> Listed:
    """A repository in a list."""
    return Listed(shapes.repository(row, forge), row["created_at"].time(), row["updated_at"].time())


def activity(row: Field) -> Activity:
    """A row of a feed; tags of releases are short names on Forgejo and full ones on Gitea 1.26."""
    kind, ref = row["op_type"].words(), row["ref_name"].words()
    if ref and not ref.startswith("refs/"):
        ref = f"refs/tags/{ref}" if kind in {"publish_release", "push_tag", "delete_tag"} else f"refs/heads/{ref}"
    return Activity(row["id"].number(), kind, account(row["act_user"]), row["repo_id"].number(), ref)


def account(field: Field) -> User:
    """Who did it, as far as the forge says."""
    return shapes.user(field) if field.present else SOMEBODY


def _login(field: Field) -> str:
    return field["login"].text() if field.present else ""
