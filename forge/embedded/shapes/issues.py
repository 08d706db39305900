"""Issues, labels, milestones, comments, timelines and the activity feed as JSON."""

from __future__ import annotations

import json

from forge.embedded.dialect import shaped
from forge.embedded.instance import ForgeInstance
from forge.embedded.services import people as accounts
from forge.embedded.shapes import people
from forge.embedded.shapes.values import Json, always, columns, times, when, when_or_null
from forge.embedded.state import Row


def web(site: ForgeInstance, row: Row) -> str:
    """The page of an issue or pull request."""
    repo = site.must("repositories", row["repo_id"])
    return f"{site.url}/{repo['full_name']}/{'pulls' if row['is_pull'] else 'issues'}/{row['number']}"


def api(site: ForgeInstance, row: Row) -> str:
    """Its address in the API."""
    return web(site, row).replace(site.url, f"{site.api}/repos", 1)


def user(site: ForgeInstance, key: int, viewer: Row | None = None) -> Json:
    """The user with that id."""
    return people.user(site, accounts.by_id(site, key), viewer)


def label(site: ForgeInstance, row: Row) -> Json:
    """A label of a repository or an organisation."""
    if row["org_id"]:
        place = f"orgs/{accounts.by_id(site, row['org_id'])['login']}"
    else:
        place = f"repos/{site.must('repositories', row['repo_id'])['full_name']}"
    shape = columns(row, "id name color description", flags="exclusive is_archived")
    return shape | {"url": f"{site.api}/{place}/labels/{row['id']}"}


def labels(site: ForgeInstance, issue: Row) -> list[Json]:
    """The labels of an issue, by name."""
    sql = "SELECT labels.* FROM labels JOIN issue_labels ON label_id = id WHERE issue_id = ? ORDER BY name, id"
    return [label(site, row) for row in site.state.rows(sql, issue["id"])]


def milestone(site: ForgeInstance, key: int | None) -> Json | None:
    """A milestone with its counts."""
    row = site.state.get("milestones", key) if key else None
    if row is None:
        return None
    count = "SELECT count(*) FROM issues WHERE milestone_id = ? AND (closed IS NULL) = ?"
    return {
        **columns(row, "id title description"),
        "state": _state(row),
        "open_issues": site.state.value(count, key, True),
        "closed_issues": site.state.value(count, key, False),
        **times(row),
        "closed_at": when_or_null(row["closed"]),
        "due_on": when_or_null(row["due"]),
    }


def assignees(site: ForgeInstance, issue: Row) -> list[Json]:
    """The assigned users, in order; without their e-mail addresses."""
    sql = "SELECT users.* FROM users JOIN assignees ON user_id = users.id WHERE issue_id = ? ORDER BY assignees.id"
    return [people.user(site, row) for row in site.state.rows(sql, issue["id"])]


def _state(row: Row) -> str:
    return "closed" if row["closed"] else "open"


def subject(site: ForgeInstance, row: Row, viewer: Row | None) -> Json:
    """What an issue and a pull request have in common."""
    assigned = assignees(site, row)
    return {
        **columns(row, "number title body"),
        "html_url": web(site, row),
        "user": user(site, row["user_id"], viewer),
        "labels": labels(site, row),
        "milestone": milestone(site, row["milestone_id"]),
        "assignee": assigned[0] if assigned else None,
        "assignees": assigned,
        "state": _state(row),
        "is_locked": is_locked(site, row),
        "comments": comment_count(site, row),
        **times(row),
        "closed_at": when_or_null(row["closed"]),
        "due_date": when_or_null(row["due"]),
        "pin_order": row["pin"],
    }


def issue(site: ForgeInstance, row: Row, viewer: Row | None) -> Json:
    """An issue, or the issue side of a pull request."""
    shape = {
        **subject(site, row, viewer),
        **columns(row, "id ref"),
        "url": api(site, row),
        "original_author": "",
        "original_author_id": 0,
        "assets": attachments(site, row),
        "time_estimate": 0,
        "pull_request": _pull_side(site, row),
        "repository": columns(site.must("repositories", row["repo_id"]), "id name owner full_name"),
    }
    return shaped(site.flavour, "issue", shape)


def is_locked(site: ForgeInstance, row: Row) -> bool:
    """Whether only writers may comment."""
    return site.state.row("SELECT 1 FROM locks WHERE issue_id = ?", row["id"]) is not None


def comment_count(site: ForgeInstance, row: Row) -> int:
    """How many comments a conversation has."""
    return int(site.state.value("SELECT count(*) FROM comments WHERE issue_id = ? AND kind = 'comment'", row["id"]))


def is_draft(title: str) -> bool:
    """Whether a title says that a pull request is work in progress."""
    return title.upper().startswith(("WIP:", "[WIP]"))


def _pull_side(site: ForgeInstance, row: Row) -> Json | None:
    if not row["is_pull"]:
        return None
    merged = site.state.value("SELECT merged FROM pulls WHERE issue_id = ?", row["id"])
    about = {"merged": merged is not None, "merged_at": when_or_null(merged)}
    return about | {"draft": is_draft(row["title"]), "html_url": web(site, row)}


def _timeline_row(site: ForgeInstance, row: Row) -> Json:
    of = site.must("issues", row["issue_id"])
    place = web(site, of)
    return {
        **columns(row, "id body"),
        "html_url": f"{place}#issuecomment-{row['id']}",
        "pull_request_url": place if of["is_pull"] else "",
        "issue_url": "" if of["is_pull"] else place,
        "user": user(site, row["user_id"]),
        **times(row),
    }


def comment(site: ForgeInstance, row: Row) -> Json:
    """A comment of a conversation."""
    return _timeline_row(site, row) | {"original_author": "", "original_author_id": 0, "assets": []}


def timeline_event(site: ForgeInstance, row: Row, viewer: Row | None) -> Json:
    """A row of a timeline: every kind has all keys."""
    about = json.loads(row["detail"])

    def other(key: str) -> Json | None:
        found = site.state.get("issues", about.get(key))
        return issue(site, found, viewer) if found else None

    def found(table: str, key: str) -> Row | None:
        return site.state.get(table, about[key]) if key in about else None

    named, team, quoted = found("labels", "label"), found("teams", "team"), found("comments", "ref_comment")
    return {
        **_timeline_row(site, row),
        "type": row["kind"],
        "review_id": row["review_id"],
        **always(0, "old_project_id project_id"),
        **always(None, "tracked_time resolve_doer"),
        **{key: about.get(key, "") for key in ("old_title", "new_title", "old_ref", "new_ref", "ref_commit_sha")},
        **{key: milestone(site, about.get(key)) for key in ("old_milestone", "milestone")},
        **{key: other(key) for key in ("ref_issue", "dependent_issue")},
        "ref_comment": comment(site, quoted) if quoted else None,
        "ref_action": about.get("ref_action", "none"),
        "label": label(site, named) if named else None,
        "assignee": user(site, about["assignee"]) if "assignee" in about else None,
        "assignee_team": people.team(site, team) if team else None,
        "removed_assignee": about.get("removed", False),
    }


def reaction(site: ForgeInstance, row: Row, viewer: Row | None) -> Json:
    """A reaction to an issue or a comment."""
    return {"user": user(site, row["user_id"], viewer), "content": row["content"], "created_at": when(row["created"])}


def activity(site: ForgeInstance, row: Row, viewer: Row | None, repo: Json) -> Json:
    """A row of the activity feed."""
    quoted = site.state.get("comments", row["comment_id"]) if row["comment_id"] else None
    return {
        **columns(row, "id user_id repo_id comment_id content"),
        "op_type": row["op"],
        "act_user_id": row["user_id"],
        "act_user": user(site, row["user_id"], viewer),
        "repo": repo,
        "comment": comment(site, quoted) if quoted else None,
        "ref_name": row["ref"],
        "is_private": bool(repo["private"]),
        "created": when(row["created"]),
    }


def attachments(site: ForgeInstance, row: Row) -> list[Json]:
    """The files attached to an issue."""
    found = site.state.rows("SELECT * FROM attachments WHERE issue_id = ?", row["id"])
    return [attachment(site, one) for one in found]


def attachment(site: ForgeInstance, row: Row) -> Json:
    """One attached file."""
    shape = {
        **columns(row, "id name uuid"),
        "size": len(row["content"]),
        "download_count": 0,
        "created_at": when(row["created"]),
        "browser_download_url": f"{site.url}/attachments/{row['uuid']}",
        "type": "attachment",
    }
    return shaped(site.flavour, "attachment", shape)
