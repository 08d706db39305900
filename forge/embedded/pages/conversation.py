"""The page of an issue or pull request, also in parts for live reload, and its comments, labels and assignees."""

from __future__ import annotations

from flask import Response

from forge.embedded.instance import Missing, Refusal
from forge.embedded.pages import line_comments, timeline
from forge.embedded.pages.code import untrusted
from forge.embedded.pages.diff_view import commit_range
from forge.embedded.pages.merge_box import MergeBox, reviewers
from forge.embedded.pages.page_context import Page, PageContext
from forge.embedded.rules import ISSUES, PULLS
from forge.embedded.services import comments, issues, labels, people, pulls
from forge.embedded.shapes import issues as shapes
from forge.embedded.state import Row


def find(page: PageContext) -> Row:
    """The issue or pull request of the path; raises Missing if the viewer may not see it."""
    issue = issues.get(page.site, page.repo, page.number)
    if not page.granted.reads(PULLS if issue["is_pull"] else ISSUES):
        raise Missing
    return issue


def path_of(page: PageContext, issue: Row) -> str:
    """The address of the page of an issue or pull request."""
    return f"{page.home}/{'pulls' if issue['is_pull'] else 'issues'}/{issue['number']}"


def show(page: PageContext) -> Response:
    """The whole page, or the parts of it that live reload replaces."""
    issue = find(page)
    if not page.refusal and page.request.path != (path := path_of(page, issue)):
        return page.redirect(path)
    pull = pulls.row(page.site, issue) if issue["is_pull"] else None
    comments_on_lines = line_comments.of_pull(page, issue) if pull else []
    is_live = page.query("part") == "live"
    response = page.render(
        "live.html" if is_live else "conversation.html",
        **header(page, issue, pull),
        entries=timeline.entries(page, issue, pull, comments_on_lines),
        reactions=timeline.reactions(page, issue),
        reviewers=reviewers(page, issue),
        box=MergeBox(page, issue, pull) if pull else None,
    )
    if is_live:
        response.add_etag()
        response.make_conditional(page.request)
    return response


def header(page: PageContext, issue: Row, pull: Row | None) -> Row:
    """What each page of a conversation shows at its top."""
    site = page.site
    source = site.state.get("repositories", pull["head_repo_id"]) if pull else None
    return {
        "issue": shapes.issue(site, issue, page.viewer) | issue,
        "pull": pull,
        "path": path_of(page, issue),
        "merger": people.by_id(site, pull["merged_by"]) if pull and pull["merged"] else None,
        "commit_count": site.git(page.repo).count(commit_range(pull)) if pull else 0,
        "fork_owner": source["owner"] if source and source["id"] != issue["repo_id"] else "",
        "may_write": page.may_write(PULLS if pull else ISSUES),
    }


def _comment(page: PageContext) -> Response:
    """Comment, close or reopen, or both; if one is refused, the other is not done either."""
    issue, text, state = find(page), page.field("content"), page.field("status")
    if state not in {"close", "reopen"}:
        page.require("content", "A comment needs a text.")
    elif issue["user_id"] != page.actor["id"]:
        _require_writer(page, issue)
    with page.site.state.writing():
        if text:
            comments.create(page.site, page.actor, issue, text)
        if state == "reopen" and issue["is_pull"] and issue["closed"]:
            pulls.reopen(page.site, page.actor, issue)
        elif state in {"close", "reopen"}:
            issues.set_state(page.site, page.actor, issue, closed=state == "close")
    return page.redirect(f"{path_of(page, issue)}#end")


def _require_writer(page: PageContext, issue: Row) -> None:
    if not issues.may_write(page.site, page.actor, issue):
        raise Refusal(403)


def _set_labels(page: PageContext) -> Response:
    issue = find(page)
    _require_writer(page, issue)
    labels.replace(page.site, page.actor, issue, page.ids("labels"))
    return page.redirect(path_of(page, issue))


def _set_assignees(page: PageContext) -> Response:
    issue = find(page)
    _require_writer(page, issue)
    assigned = issues.assignable(page.site, page.repo, page.fields("assignees"))
    issues.reassign(page.site, page.actor, issue, [user["login"] for user in assigned])
    return page.redirect(path_of(page, issue))


def _attachment(page: PageContext) -> Response:
    """An attached file, for those who may see its conversation."""
    sql = """SELECT attachments.*, number, full_name FROM attachments JOIN issues ON issues.id = issue_id
             JOIN repositories ON repositories.id = issues.repo_id WHERE uuid = ?"""
    found = page.site.state.row(sql, page.args["uuid"])
    if found is None or not page.issue_path(found["full_name"], found["number"]):
        raise Missing
    return untrusted(found["content"], found["name"])


_EITHER = (ISSUES, PULLS)
PAGES = (
    *(
        page
        for path in ("~/issues/<number>", "~/pulls/<number>")
        for page in (
            Page(f"GET {path}", show, _EITHER),
            Page(f"POST {path}/comments", _comment, _EITHER, login=True, form=show),
            Page(f"POST {path}/labels", _set_labels, _EITHER, login=True, form=show),
            Page(f"POST {path}/assignees", _set_assignees, _EITHER, login=True, form=show),
        )
    ),
    Page("GET /attachments/<uuid>", _attachment),
)
