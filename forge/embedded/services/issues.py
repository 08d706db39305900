"""Issues, and what pull requests share with them: title, text, state, assignees, milestone, deadline, dependencies, pins."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from forge.embedded import events, rules
from forge.embedded.instance import ForgeInstance, Missing, Refusal, broken
from forge.embedded.rules import ISSUES, PULLS
from forge.embedded.services import feed, labels, people, timeline
from forge.embedded.shapes.issues import is_locked
from forge.embedded.state import Row

_DAY = 24 * 60 * 60
MOST_PINS = 3
"""Issues, and pull requests, of a repository that can be pinned: a fourth is 500 (seen on Gitea 1.27 and Forgejo 11)."""

_OWNED = (
    "issue_labels", "assignees", "dependencies", "attachments", "reactions", "comments", "reviews", "pulls", "locks",
)  # fmt: skip
"""Tables whose rows belong to an issue."""


def find(site: ForgeInstance, repo: Row, number: int) -> Row | None:
    """The issue or pull request of that number."""
    return site.state.row("SELECT * FROM issues WHERE repo_id = ? AND number = ?", repo["id"], number)


def get(site: ForgeInstance, repo: Row, number: int) -> Row:
    """The same; raises Missing."""
    issue = find(site, repo, number)
    if issue is None:
        raise Missing
    return issue


def unknown(repo: Row, number: int) -> Missing:
    """The error of some routes for an unknown issue."""
    key = f"id: 0, repo_id: {repo['id']}, index: {number}"
    return Missing(f"issue does not exist [{key}]", message="IsErrIssueNotExist")


def may_write(site: ForgeInstance, actor: Row | None, issue: Row) -> bool:
    """Whether a user may label, assign and close."""
    repo = site.must("repositories", issue["repo_id"])
    return rules.access(site, actor, repo).writes(PULLS if issue["is_pull"] else ISSUES)


def insert(site: ForgeInstance, actor: Row, repo: Row, *, title: str, body: str, **columns: Any) -> Row:
    """A new row with the next number of its repository."""
    with site.state.writing():
        site.state.run("UPDATE repos SET last_number = last_number + 1 WHERE id = ?", repo["id"])
        number = site.must("repos", repo["id"])["last_number"]
        about = {"repo_id": repo["id"], "number": number, "user_id": actor["id"], "title": title, "body": body}
        key = site.state.insert("issues", **about, created=site.now(), updated=site.now(), **columns)
    return site.must("issues", key)


def create(site: ForgeInstance, actor: Row, repo: Row, *, title: str, body: str = "", **wishes: Any) -> Row:
    """File an issue; `assignees`, `labels`, `milestone`, `due` and `closed` of somebody who may not write are dropped."""
    if not rules.access(site, actor, repo).writes(ISSUES, PULLS):
        wishes = {}
    assigned = assignable(site, repo, wishes.get("assignees") or [])
    with site.state.writing():
        issue = insert(site, actor, repo, title=title, body=body, due=_end_of_day(wishes.get("due")))
        _place(site, actor, issue, wishes.get("milestone"))
        wanted = labels.pick(site, repo, wishes.get("labels") or [])
        labels.put(site, actor, issue, add=wanted)
        for user in assigned:
            assign(site, actor, issue, user)
        timeline.refer(site, actor, issue, f"{title}\n{body}")
        issue = site.must("issues", issue["id"])
        events.about_issue(site, actor, issue, "issues", "opened")
        if wanted:
            events.about_issue(site, actor, issue, "issue_label", "label_updated")
        if issue["milestone_id"]:
            events.about_issue(site, actor, issue, "issue_milestone", "milestoned")
        feed.record_issue(site, actor, issue, "create_issue")
        if wishes.get("closed"):
            set_state(site, actor, issue, closed=True)
    return site.must("issues", issue["id"])


def assignable(site: ForgeInstance, repo: Row, logins: Sequence[str]) -> list[Row]:
    """The users of these names, each of whom can see the repository."""
    found = []
    for login in logins:
        user = people.find(site, login)
        if user is None:
            raise Refusal(422, f"Assignee does not exist: [name: user does not exist [uid: 0, name: {login}]]")
        if not rules.access(site, user, repo).reads(PULLS, ISSUES):
            raise Refusal(422, f"user doesn't have access to repo [user_id: {user['id']}, repo_name: {repo['name']}]")
        found.append(user)
    return found


def assign(
    site: ForgeInstance, actor: Row, issue: Row, user: Row, *, removed: bool = False, quiet: bool = False
) -> None:
    """Assign or unassign one user; `quiet` sends no event."""
    if removed:
        site.state.run("DELETE FROM assignees WHERE issue_id = ? AND user_id = ?", issue["id"], user["id"])
    else:
        site.state.insert("assignees", issue_id=issue["id"], user_id=user["id"])
    about: Row = {"assignee": user["id"]} | ({"removed": True} if removed else {})
    timeline.write(site, actor, issue, "assignees", **about)
    if not quiet:
        now = site.must("issues", issue["id"])
        events.about_issue(site, actor, now, "issue_assign", "unassigned" if removed else "assigned")


def reassign(site: ForgeInstance, actor: Row, issue: Row, logins: Sequence[str]) -> None:
    """Set the assignees; the others are removed first."""
    wanted = [people.find(site, login) for login in logins if login]
    if None in wanted:
        raise broken()
    with site.state.writing():
        sql = "SELECT users.* FROM users JOIN assignees ON user_id = users.id WHERE issue_id = ? ORDER BY assignees.id"
        old = site.state.rows(sql, issue["id"])
        users = [user for user in wanted if user]
        for user in old:
            if user["id"] not in {one["id"] for one in users}:
                assign(site, actor, issue, user, removed=True)
        for user in users:
            if user["id"] not in {one["id"] for one in old}:
                assign(site, actor, issue, user)


def set_title(site: ForgeInstance, actor: Row, issue: Row, title: str) -> None:
    """Change the title."""
    if title in {"", issue["title"]}:
        return
    with site.state.writing():
        site.state.update("issues", issue["id"], title=title)
        timeline.write(site, actor, issue, "change_title", old_title=issue["title"], new_title=title)
        now = site.must("issues", issue["id"])
        events.about_issue(site, actor, now, "issues", "edited", changes={"title": issue["title"]})


def set_body(site: ForgeInstance, actor: Row, issue: Row, body: str) -> None:
    """Change the text."""
    if body == issue["body"]:
        return
    with site.state.writing():
        site.state.update("issues", issue["id"], body=body, updated=site.now())
        timeline.refer(site, actor, issue, f"{issue['title']}\n{body}")
        now = site.must("issues", issue["id"])
        events.about_issue(site, actor, now, "issues", "edited", changes={"body": issue["body"]})


def set_state(site: ForgeInstance, actor: Row, issue: Row, *, closed: bool, commit_id: str = "") -> None:
    """Close or reopen; `commit_id` is the commit that closes it."""
    if closed == (issue["closed"] is not None):
        return
    if closed and blockers(site, issue):
        raise Refusal(412, "cannot close this issue because it still has open dependencies")
    word = "closed" if closed else "reopened"
    with site.state.writing():
        site.state.update("issues", issue["id"], closed=site.now() if closed else None)
        timeline.write(site, actor, issue, "close" if closed else "reopen")
        now = site.must("issues", issue["id"])
        events.about_issue(site, actor, now, "issues", word, **({} if issue["is_pull"] else {"commit_id": commit_id}))
        noun = "pull_request" if issue["is_pull"] else "issue"
        feed.record_issue(site, actor, now, f"{'close' if closed else 'reopen'}_{noun}")


def set_milestone(site: ForgeInstance, actor: Row, issue: Row, key: int, *, quiet: bool = False) -> None:
    """Set the milestone, or clear it with 0; `quiet` sends no event."""
    if key == (issue["milestone_id"] or 0):
        return
    with site.state.writing():
        _place(site, actor, issue, key)
        now = site.must("issues", issue["id"])
        if quiet:
            return
        if now["milestone_id"]:
            events.about_issue(site, actor, now, "issue_milestone", "milestoned")
        else:
            events.about_issue(site, actor, now, "issue_milestone", "demilestoned")


def _place(site: ForgeInstance, actor: Row, issue: Row, key: int | None) -> None:
    known = site.state.row("SELECT id FROM milestones WHERE id = ? AND repo_id = ?", key, issue["repo_id"])
    old = {"old_milestone": issue["milestone_id"]} if issue["milestone_id"] else {}
    new = {"milestone": known["id"]} if known else {}
    if old or new:
        site.state.update("issues", issue["id"], milestone_id=new.get("milestone"))
        timeline.write(site, actor, issue, "milestone", **old, **new)


def set_due(site: ForgeInstance, actor: Row, issue: Row, due: int | None) -> Row:
    """Set or remove the deadline: the end of that day."""
    new = _end_of_day(due)
    if new != issue["due"]:
        kind = "removed_deadline" if not new else "modified_deadline" if issue["due"] else "added_deadline"
        days = [datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d") for at in (new, issue["due"]) if at]
        with site.state.writing():
            site.state.update("issues", issue["id"], due=new)
            timeline.write(site, actor, issue, kind, "|".join(days))
    return site.must("issues", issue["id"])


def _end_of_day(due: int | None) -> int | None:
    return due - due % _DAY + _DAY - 1 if due else None


def blockers(site: ForgeInstance, issue: Row, *, still_open: bool = True) -> list[Row]:
    """What an issue depends on."""
    sql = "SELECT issues.* FROM issues JOIN dependencies ON on_id = id WHERE issue_id = ? AND (closed IS NULL OR NOT ?)"
    return site.state.rows(sql, issue["id"], still_open)


def add_dependency(site: ForgeInstance, actor: Row, issue: Row, on: Row, *, removed: bool = False) -> None:
    """Add or remove a dependency; real forges answer 500 to one that is there and to a circle."""
    pair, state = (issue["id"], on["id"]), site.state
    exists = state.row("SELECT 1 FROM dependencies WHERE issue_id = ? AND on_id = ?", *pair)
    circle = state.row("SELECT 1 FROM dependencies WHERE on_id = ? AND issue_id = ?", *pair)
    if bool(exists) != removed or circle:
        raise broken()
    with state.writing():
        if removed:
            state.run("DELETE FROM dependencies WHERE issue_id = ? AND on_id = ?", *pair)
        else:
            state.insert("dependencies", issue_id=issue["id"], on_id=on["id"])
        kind = "remove_dependency" if removed else "add_dependency"
        timeline.write(site, actor, issue, kind, dependent_issue=on["id"])
        timeline.write(site, actor, on, kind, dependent_issue=issue["id"])


def pin(site: ForgeInstance, actor: Row, issue: Row, *, pinned: bool) -> None:
    """Pin it to the top of its repository, or unpin it."""
    if pinned == bool(issue["pin"]):
        return
    if (
        pinned
        and site.state.value(
            "SELECT count(*) FROM issues WHERE repo_id = ? AND is_pull = ? AND pin", issue["repo_id"], issue["is_pull"]
        )
        >= MOST_PINS
    ):
        raise broken()
    highest = site.state.value(
        "SELECT max(pin) FROM issues WHERE repo_id = ? AND is_pull = ?", issue["repo_id"], issue["is_pull"]
    )
    with site.state.writing():
        site.state.update("issues", issue["id"], pin=highest + 1 if pinned else 0)
        timeline.write(site, actor, issue, "pin" if pinned else "unpin")


def lock(site: ForgeInstance, actor: Row, issue: Row, *, locked: bool) -> None:
    """Lock or unlock a conversation; no event is sent."""
    if locked == is_locked(site, issue):
        return
    verb = "INSERT INTO locks VALUES (?)" if locked else "DELETE FROM locks WHERE issue_id = ?"
    with site.state.writing():
        site.state.run(verb, issue["id"])
        timeline.write(site, actor, issue, "lock" if locked else "unlock")


def delete(site: ForgeInstance, issue: Row) -> None:
    """Remove an issue for good; its number is not given again."""
    with site.state.writing():
        for table in _OWNED:
            site.state.run(f"DELETE FROM {table} WHERE issue_id = ?", issue["id"])  # noqa: S608 (tables are ours)
        site.state.run("DELETE FROM dependencies WHERE on_id = ?", issue["id"])
        for where in ("ref_issue", "dependent_issue"):
            site.state.run("DELETE FROM comments WHERE json_extract(detail, '$.' || ?) = ?", where, issue["id"])
        site.state.run("DELETE FROM issues WHERE id = ?", issue["id"])


def search(site: ForgeInstance, repos: Sequence[int], **by: Any) -> list[Row]:
    """Search the issues and pull requests of some repositories, newest first.

    `labels` are ids that all have to be there; `since` bounds the last change.
    """
    conditions = {
        "is_pull = ?": by.get("is_pull"),
        "(closed IS NOT NULL) = ?": by.get("closed"),
        "updated >= ?": by.get("since"),
        "issues.user_id = ?": by.get("author"),
        "id IN (SELECT issue_id FROM assignees WHERE user_id = ?)": by.get("assignee"),
        "milestone_id IN (SELECT value FROM json_each(?))": by.get("milestones"),
        "instr(lower(title), lower(?))": by.get("words"),
    }
    used = {sql: value for sql, value in conditions.items() if value is not None}
    labelled = [int(key) for key in by.get("labels") or []]
    each = ["id IN (SELECT issue_id FROM issue_labels WHERE label_id = ?)"] * len(labelled)
    where = " AND ".join(["repo_id IN (SELECT value FROM json_each(?))", *used, *each])
    sql = f"SELECT * FROM issues WHERE {where} ORDER BY created DESC, id DESC"  # noqa: S608 (conditions are ours)
    return site.state.rows(sql, json.dumps(list(repos)), *used.values(), *labelled)
