"""Issues, labels, milestones, comments and timelines as JSON."""

from __future__ import annotations

import json

from forge.embedded.dialect import shaped
from forge.embedded.instance import ForgeInstance
from forge.embedded.services import people as accounts
from forge.embedded.shapes import people, repos
from forge.embedded.shapes.people import Json, when, when_or_null
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
    return {
        "id": row["id"],
        "name": row["name"],
        "exclusive": bool(row["exclusive"]),
        "is_archived": bool(row["is_archived"]),
        "color": row["color"],
        "description": row["description"],
        "url": f"{site.api}/{place}/labels/{row['id']}",
    }


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
        "id": row["id"],
        "title": row["title"],
        "description": row["description"],
        "state": "closed" if row["closed"] else "open",
        "open_issues": site.state.value(count, key, True),
        "closed_issues": site.state.value(count, key, False),
        "created_at": when(row["created"]),
        "updated_at": when(row["updated"]),
        "closed_at": when_or_null(row["closed"]),
        "due_on": when_or_null(row["due"]),
    }


def assignees(site: ForgeInstance, issue: Row) -> list[Json]:
    """Who is assigned, in order; nobody sees their addresses here."""
    sql = "SELECT users.* FROM users JOIN assignees ON user_id = users.id WHERE issue_id = ? ORDER BY assignees.id"
    return [people.user(site, row) for row in site.state.rows(sql, issue["id"])]


def issue(site: ForgeInstance, row: Row, viewer: Row | None) -> Json:
    """An issue, or the issue side of a pull request."""
    assigned = assignees(site, row)
    shape = {
        "id": row["id"],
        "url": api(site, row),
        "html_url": web(site, row),
        "number": row["number"],
        "user": user(site, row["user_id"], viewer),
        "original_author": "",
        "original_author_id": 0,
        "title": row["title"],
        "body": row["body"],
        "ref": row["ref"],
        "assets": attachments(site, row),
        "labels": labels(site, row),
        "milestone": milestone(site, row["milestone_id"]),
        "assignee": assigned[0] if assigned else None,
        "assignees": assigned,
        "state": "closed" if row["closed"] else "open",
        "is_locked": is_locked(site, row),
        "comments": comment_count(site, row),
        "created_at": when(row["created"]),
        "updated_at": when(row["updated"]),
        "closed_at": when_or_null(row["closed"]),
        "due_date": when_or_null(row["due"]),
        "time_estimate": 0,
        "pull_request": _pull_side(site, row),
        "repository": repos.meta(site.must("repositories", row["repo_id"])),
        "pin_order": row["pin"],
    }
    return shaped(site.flavour, "issue", shape)


def is_locked(site: ForgeInstance, row: Row) -> bool:
    """Whether only those may comment who may write."""
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
    return {
        "merged": merged is not None,
        "merged_at": when_or_null(merged),
        "draft": is_draft(row["title"]),
        "html_url": web(site, row),
    }


def comment(site: ForgeInstance, row: Row) -> Json:
    """A comment of a conversation."""
    of = site.must("issues", row["issue_id"])
    place = web(site, of)
    return {
        "id": row["id"],
        "html_url": f"{place}#issuecomment-{row['id']}",
        "pull_request_url": place if of["is_pull"] else "",
        "issue_url": "" if of["is_pull"] else place,
        "user": user(site, row["user_id"]),
        "original_author": "",
        "original_author_id": 0,
        "body": row["body"],
        "assets": [],
        "created_at": when(row["created"]),
        "updated_at": when(row["updated"]),
    }


def timeline_event(site: ForgeInstance, row: Row, viewer: Row | None) -> Json:
    """A row of a timeline: every kind has all keys."""
    about, of = json.loads(row["detail"]), site.must("issues", row["issue_id"])
    place = web(site, of)

    def other(key: str) -> Json | None:
        found = site.state.get("issues", about.get(key))
        return issue(site, found, viewer) if found else None

    def found(table: str, key: str) -> Row | None:
        return site.state.get(table, about[key]) if key in about else None

    named, team, said = found("labels", "label"), found("teams", "team"), found("comments", "ref_comment")
    return {
        "id": row["id"],
        "type": row["kind"],
        "html_url": f"{place}#issuecomment-{row['id']}",
        "pull_request_url": place if of["is_pull"] else "",
        "issue_url": "" if of["is_pull"] else place,
        "user": user(site, row["user_id"]),
        "body": row["body"],
        "created_at": when(row["created"]),
        "updated_at": when(row["updated"]),
        "old_project_id": 0,
        "project_id": 0,
        "old_milestone": milestone(site, about.get("old_milestone")),
        "milestone": milestone(site, about.get("milestone")),
        "tracked_time": None,
        "old_title": about.get("old_title", ""),
        "new_title": about.get("new_title", ""),
        "old_ref": about.get("old_ref", ""),
        "new_ref": about.get("new_ref", ""),
        "ref_issue": other("ref_issue"),
        "ref_comment": comment(site, said) if said else None,
        "ref_action": about.get("ref_action", "none"),
        "ref_commit_sha": about.get("ref_commit_sha", ""),
        "review_id": row["review_id"],
        "label": label(site, named) if named else None,
        "assignee": user(site, about["assignee"]) if "assignee" in about else None,
        "assignee_team": people.team(site, team) if team else None,
        "removed_assignee": about.get("removed", False),
        "resolve_doer": None,
        "dependent_issue": other("dependent_issue"),
    }


def reaction(site: ForgeInstance, row: Row, viewer: Row | None) -> Json:
    """A reaction to an issue or a comment."""
    return {"user": user(site, row["user_id"], viewer), "content": row["content"], "created_at": when(row["created"])}


def attachments(site: ForgeInstance, row: Row) -> list[Json]:
    """The files attached to an issue."""
    return [
        attachment(site, found) for found in site.state.rows("SELECT * FROM attachments WHERE issue_id = ?", row["id"])
    ]


def attachment(site: ForgeInstance, row: Row) -> Json:
    """One attached file."""
    shape = {
        "id": row["id"],
        "name": row["name"],
        "size": len(row["content"]),
        "download_count": 0,
        "created_at": when(row["created"]),
        "uuid": row["uuid"],
        "browser_download_url": f"{site.url}/attachments/{row['uuid']}",
        "type": "attachment",
    }
    return shaped(site.flavour, "attachment", shape)


def notice(site: ForgeInstance, row: Row, viewer: Row) -> Json:
    """A notification thread."""
    of = site.must("issues", row["issue_id"])
    repo = site.must("repositories", of["repo_id"])
    merged = of["is_pull"] and site.state.value("SELECT merged FROM pulls WHERE issue_id = ?", of["id"])
    return {
        "id": row["id"],
        "repository": repos.repo(site, repo, viewer, None),
        "subject": {
            "title": of["title"],
            "url": api(site, of),
            "latest_comment_url": "",
            "html_url": web(site, of),
            "latest_comment_html_url": "",
            "type": "Pull" if of["is_pull"] else "Issue",
            "state": "merged" if merged else "closed" if of["closed"] else "open",
        },
        "unread": bool(row["unread"]),
        "pinned": False,
        "updated_at": when(row["updated"]),
        "url": f"{site.api}/notifications/threads/{row['id']}",
    }


def activity(site: ForgeInstance, row: Row, viewer: Row | None, repo: Json) -> Json:
    """A row of the feed."""
    said = site.state.get("comments", row["comment_id"]) if row["comment_id"] else None
    private = bool(repo["private"])
    return {
        "id": row["id"],
        "user_id": row["user_id"],
        "op_type": row["op"],
        "act_user_id": row["user_id"],
        "act_user": user(site, row["user_id"], viewer),
        "repo_id": row["repo_id"],
        "repo": repo,
        "comment_id": row["comment_id"],
        "comment": comment(site, said) if said else None,
        "ref_name": row["ref"],
        "is_private": private,
        "content": row["content"],
        "created": when(row["created"]),
    }
