"""The timeline of a conversation, as its page shows it: comments, reviews and events. Changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from forge.embedded.git import GitFailed
from forge.embedded.pages.page_context import PageContext
from forge.embedded.services import people, timeline
from forge.embedded.shapes import issues as shapes
from forge.embedded.state import Row

_EMOJI = {
    "+1": "👍", "-1": "👎", "laugh": "😄", "hooray": "🎉", "confused": "😕", "heart": "❤️", "rocket": "🚀", "eyes": "👀",
}  # fmt: skip


def reactions(page: PageContext) -> dict[int, dict[str, list[str]]]:
    """Who reacted with which emoji, by comment; 0 is the issue itself."""
    sql = """SELECT comment_id, content, login FROM reactions JOIN users ON users.id = user_id
             WHERE issue_id = ? ORDER BY reactions.id"""
    found: dict[int, dict[str, list[str]]] = {}
    for row in page.site.state.rows(sql, page.issue["id"]):
        found.setdefault(row["comment_id"], {}).setdefault(_EMOJI[row["content"]], []).append(row["login"])
    return found


def entries(page: PageContext, comments: Sequence[Row]) -> list[Row]:
    """All entries, oldest first: the API's row of each with what its template needs besides.

    `comments` are those on lines; they stand in the entries of their reviews.
    """
    rows = timeline.rows(page.site, page.issue)
    # A review that was pending has an earlier row as well.
    last = {row["review_id"]: row["id"] for row in rows if row["kind"] == "review"}
    found = [_entry(page, row, comments) for row in rows if row["kind"] != "review" or row["id"] in last.values()]
    return list(_grouped(entry for entry in found if entry is not None))


def _entry(page: PageContext, row: Row, comments: Sequence[Row]) -> Row | None:
    """One entry; None if the viewer must not see it, or another entry says the same."""
    entry: Row = shapes.timeline_event(page.site, row, page.viewer) | {"at": row["created"]}
    match row["kind"]:
        case "label" if entry["label"]:
            return entry | {
                "added": [entry["label"]] * bool(row["body"]),
                "removed": [entry["label"]] * (not row["body"]),
            }
        case "label":
            return None
        case "assignees":
            users, is_removed = [entry["assignee"]], entry["removed_assignee"]
            return entry | {"added": [] if is_removed else users, "removed": users if is_removed else []}
        case "review" | "dismiss_review":
            review = page.site.state.get("reviews", row["review_id"])
            if review is None or review["state"] == "PENDING":
                return None
            own = [comment for comment in comments if comment["review"]["id"] == review["id"]]
            reviewer = people.by_id(page.site, review["user_id"])["login"]
            return entry | {"review": review, "comments": own, "reviewer": reviewer}
        case "pull_push":
            push: Row = json.loads(row["body"])
            return entry | push | {"commits": _subjects(page, push["commit_ids"])}
        case "commit_ref" if page.issue["is_pull"] and page.pull["merge_sha"] == entry["ref_commit_sha"]:
            return None
        case "issue_ref" | "pull_ref" | "comment_ref" | "add_dependency" | "remove_dependency":
            return _reference(page, entry)
        case _:
            return entry


def _reference(page: PageContext, entry: Row) -> Row | None:
    other = entry["ref_issue"] or entry["dependent_issue"]
    path = page.issue_path(other["repository"]["full_name"], other["number"]) if other else ""
    fragment = f"#issuecomment-{entry['ref_comment']['id']}" if entry["ref_comment"] else ""
    return entry | {"other": other, "path": path + fragment} if path else None


def _subjects(page: PageContext, shas: list[str]) -> list[tuple[str, str]]:
    """Commits with their subjects; without them if git no longer has the commits."""
    try:
        found = page.site.git(page.repo).commits("--no-walk=unsorted", *shas, changes=False)
    except GitFailed:
        return [(sha, "") for sha in shas]
    return [(commit.sha, commit.message.partition("\n")[0]) for commit in found]


def _grouped(found: Iterable[Row]) -> Iterator[Row]:
    """Make one entry of the labels, or the assignments, that one person changed in a row."""

    def group_of(entry: Row) -> tuple[str, int]:
        is_grouped = entry["type"] in {"label", "assignees"}
        return entry["type"], entry["user"]["id"] if is_grouped else entry["id"]

    for _, group in groupby(found, group_of):
        first, *others = group
        for entry in others:
            first["added"] += entry["added"]
            first["removed"] += entry["removed"]
        yield first
