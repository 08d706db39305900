"""The page of a conversation, of an issue or a pull request, and the parts of it that renew themselves."""

from __future__ import annotations

import hashlib

from flask import Response

from forge.embedded.instance import Missing
from forge.embedded.pages import changes, conversation, mergebox, remarks
from forge.embedded.pages.visit import Page, Visit
from forge.embedded.rules import ISSUES, PULLS
from forge.embedded.services import issues, labels, people, pulls, repos
from forge.embedded.state import Row


def one(visit: Visit) -> Row:
    """The issue or pull request of the path, if the viewer may see it."""
    issue = issues.get(visit.site, visit.repo, visit.number)
    if not visit.granted.reads(PULLS if issue["is_pull"] else ISSUES):
        raise Missing
    return issue


def path_of(visit: Visit, issue: Row) -> str:
    """The page of an issue or pull request."""
    return f"{visit.home}/{'pulls' if issue['is_pull'] else 'issues'}/{issue['number']}"


def assignees(visit: Visit, issue: Row) -> list[Row]:
    """Who is assigned, in order."""
    sql = "SELECT users.* FROM users JOIN assignees ON user_id = users.id WHERE issue_id = ? ORDER BY assignees.id"
    return visit.site.state.rows(sql, issue["id"])


def _show(visit: Visit) -> Response:
    issue = one(visit)
    if visit.request.path != (path := path_of(visit, issue)):
        return visit.go(path)
    if visit.query("part") != "live":
        return page(visit, issue)
    mark = _mark(visit, issue)
    response = Response(status=304) if visit.request.if_none_match.contains(mark) else page(visit, issue, "live.html")
    response.set_etag(mark)
    return response


def _mark(visit: Visit, issue: Row) -> str:
    """Another one whenever the page would show something else: cheap enough to be asked for again and again."""
    state, key = visit.site.state, issue["id"]
    pull = state.row("SELECT * FROM pulls WHERE issue_id = ?", key)
    status = "SELECT max(id) FROM statuses WHERE repo_id = ? AND sha = ?"
    seen = [
        (visit.viewer, visit.granted, visit.repo, issue, pull),
        state.row("SELECT count(*), max(id), max(updated), sum(length(body)) FROM comments WHERE issue_id = ?", key),
        state.row("SELECT count(*), max(id), max(updated), sum(dismissed) FROM reviews WHERE issue_id = ?", key),
        state.row("SELECT count(*), max(id) FROM reactions WHERE issue_id = ?", key),
        state.value(status, issue["repo_id"], pull["head_sha"] if pull else ""),
        state.rows("SELECT settings FROM protections WHERE repo_id = ?", issue["repo_id"]),
        state.rows("SELECT name, sha FROM refs WHERE repo_id = ?", issue["repo_id"]),
        # Times are told in minutes.
        visit.site.now() // 60,
    ]
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:32]


def page(
    visit: Visit, issue: Row, template: str = "talk.html", *, refused: str = "", status: int = 200, draft: str = ""
) -> Response:
    """A conversation; `refused` says why the last deed was not done, `draft` is what was typed."""
    site = visit.site
    pull = pulls.row(site, issue) if issue["is_pull"] else None
    said = remarks.of_pull(visit, issue, pull) if pull else []
    shown = head(visit, issue, pull) | _side(visit, issue)
    return visit.show(
        template,
        status,
        **shown,
        opening=visit.prose(issue["body"]) if issue["body"].strip() else None,
        reacted=conversation.reactions(visit, issue).get(0, {}),
        entries=conversation.entries(visit, issue, pull, said),
        box=mergebox.of(visit, issue, pull) if pull else None,
        attachments=site.state.rows("SELECT uuid, name FROM attachments WHERE issue_id = ?", issue["id"]),
        refused=refused,
        draft=draft,
    )


def head(visit: Visit, issue: Row, pull: Row | None) -> Row:
    """What stands at the top of each page of a conversation."""
    site = visit.site
    source = site.state.get("repositories", pull["head_repo_id"]) if pull else None
    return {
        "issue": issue,
        "pull": pull,
        "path": path_of(visit, issue),
        "author": people.by_id(site, issue["user_id"]),
        "merger": people.by_id(site, pull["merged_by"]) if pull and pull["merged"] else None,
        "commit_count": site.git(visit.repo).count(changes.commits_of(pull)) if pull else 0,
        "from_owner": source["owner"] if source and source["id"] != issue["repo_id"] else "",
        "is_open": issue["closed"] is None,
        "may_write": visit.may_write(PULLS if issue["is_pull"] else ISSUES),
    }


def _side(visit: Visit, issue: Row) -> Row:
    return {
        "verdicts": mergebox.verdicts(visit, issue),
        "on": labels.on(visit.site, issue),
        "assignees": assignees(visit, issue),
        "people": repos.insiders(visit.site, visit.repo),
        "milestone": visit.site.state.get("milestones", issue["milestone_id"]),
    }


PAGES = (
    Page("GET ~/issues/<number>", _show, (ISSUES, PULLS)),
    Page("GET ~/pulls/<number>", _show, (ISSUES, PULLS)),
)
