"""Issues, and what pull requests share with them: lists, filing, the conversation, comments, labels, assignees."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Response

from forge.embedded.instance import Missing, Refusal
from forge.embedded.pages import timeline
from forge.embedded.pages.code import untrusted
from forge.embedded.pages.diff_view import comments_on_lines
from forge.embedded.pages.merge_box import MergeBox, checks, reviewers
from forge.embedded.pages.page_context import Page, PageContext
from forge.embedded.rules import ISSUES, PULLS
from forge.embedded.services import comments, issues, labels, people, pulls
from forge.embedded.shapes import issues as shapes
from forge.embedded.state import Row

_PER_PAGE = 25


def _issues(page: PageContext) -> Response:
    return _list(page, is_pull=False)


def _pulls(page: PageContext) -> Response:
    return _list(page, is_pull=True)


def _list(page: PageContext, *, is_pull: bool) -> Response:
    filters = {name: page.query(name) for name in ("label", "assignee", "q") if page.query(name)}
    found: dict[str, list[Row]] = {"open": [], "closed": []}
    for issue in issues.search(page.site, [page.repo["id"]], is_pull=is_pull, **_conditions(page, filters)):
        found["closed" if issue["closed"] else "open"].append(issue)
    state = "closed" if page.query("state") == "closed" else "open"
    end = page.list_page * _PER_PAGE
    return page.render(
        "issues.html",
        is_pull=is_pull,
        path=f"{page.home}/{'pulls' if is_pull else 'issues'}",
        filters=filters,
        filter_query=urlencode(filters),
        state=state,
        counts={name: len(rows) for name, rows in found.items()},
        rows=[_row(page, issue) for issue in found[state][end - _PER_PAGE : end]],
        has_more=len(found[state]) > end,
    )


def _conditions(page: PageContext, filters: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {"words": filters.get("q")}
    if "assignee" in filters:
        found["assignee"] = (people.find(page.site, filters["assignee"]) or {"id": 0})["id"]
    if "label" in filters:
        found["labels"] = [label["id"] for label in page.labels if label["name"] == filters["label"]][:1] or [0]
    return found


def _row(page: PageContext, issue: Row) -> Row:
    pull = page.site.state.row("SELECT head_branch, head_sha, merged FROM pulls WHERE issue_id = ?", issue["id"]) or {}
    shown = shapes.issue(page.site, issue, page.viewer) | issue | pull
    return shown | {"checks": checks(page, pull["head_sha"]) if pull else ()}


def _new(page: PageContext) -> Response:
    return page.render("issue_new.html")


def _create(page: PageContext) -> Response:
    chosen = {"labels": page.ids("label_ids"), "assignees": page.fields("assignees")}
    title, body = page.require("title", "An issue needs a title."), page.field("content")
    made = issues.create(page.site, page.actor, page.repo, title=title, body=body, **chosen)
    return page.redirect(f"{page.home}/issues/{made['number']}")


def show(page: PageContext) -> Response:
    """The whole page, or the parts of it that live reload replaces."""
    if not page.refusal and page.request.path != page.issue_home:
        return page.redirect(page.issue_home)
    is_live = page.query("part") == "live"
    response = page.render(
        "live.html" if is_live else "conversation.html",
        **header(page),
        entries=timeline.entries(page, comments_on_lines(page)),
        reactions=timeline.reactions(page),
        reviewers=reviewers(page),
        box=MergeBox(page) if page.issue["is_pull"] else None,
    )
    if is_live:
        response.add_etag()
        response.make_conditional(page.request)
    return response


def header(page: PageContext) -> Row:
    """What each page of an issue or pull request needs."""
    pull = page.pull if page.issue["is_pull"] else None
    source = page.site.state.get("repositories", pull["head_repo_id"]) if pull else None
    return {
        "issue": shapes.issue(page.site, page.issue, page.viewer) | page.issue,
        "pull": pull,
        "path": page.issue_home,
        "merger": people.by_id(page.site, pull["merged_by"]) if pull else None,
        "commit_count": page.site.git(page.repo).count(commit_range(pull)) if pull else 0,
        "fork_owner": source["owner"] if source and source["id"] != page.repo["id"] else "",
        "may_write": page.may_write(PULLS if pull else ISSUES),
    }


def commit_range(pull: Row) -> str:
    """The commits of a pull request, as git selects them."""
    return f"{pull['merge_base']}..{pull['head_sha']}".removeprefix("..")


def _comment(page: PageContext) -> Response:
    """Comment, close or reopen, or both; if one is refused, the other is not done either."""
    issue, text, state = page.issue, page.field("content"), page.field("status")
    if state not in {"close", "reopen"}:
        page.require("content", "A comment needs a text.")
    elif issue["user_id"] != page.actor["id"]:
        _require_writer(page)
    with page.site.state.writing():
        if text:
            comments.create(page.site, page.actor, issue, text)
        if state == "reopen" and issue["is_pull"] and issue["closed"]:
            pulls.reopen(page.site, page.actor, issue)
        elif state in {"close", "reopen"}:
            issues.set_state(page.site, page.actor, issue, closed=state == "close")
    return page.redirect(f"{page.issue_home}#end")


def _require_writer(page: PageContext) -> None:
    if not issues.may_write(page.site, page.actor, page.issue):
        raise Refusal(403)


def _set_labels(page: PageContext) -> Response:
    _require_writer(page)
    labels.replace(page.site, page.actor, page.issue, page.ids("labels"))
    return page.redirect(page.issue_home)


def _set_assignees(page: PageContext) -> Response:
    _require_writer(page)
    assigned = issues.assignable(page.site, page.repo, page.fields("assignees"))
    issues.reassign(page.site, page.actor, page.issue, [user["login"] for user in assigned])
    return page.redirect(page.issue_home)


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
    Page("GET", "~/issues", _issues, (ISSUES,)),
    Page("GET", "~/pulls", _pulls, (PULLS,)),
    Page("GET", "~/issues/new", _new, (ISSUES,), login=True),
    Page("POST", "~/issues/new", _create, (ISSUES,), login=True, form=_new),
    *(
        page
        for path in ("~/issues/<number>", "~/pulls/<number>")
        for page in (
            Page("GET", path, show, _EITHER),
            Page("POST", f"{path}/comments", _comment, _EITHER, login=True, form=show),
            Page("POST", f"{path}/labels", _set_labels, _EITHER, login=True, form=show),
            Page("POST", f"{path}/assignees", _set_assignees, _EITHER, login=True, form=show),
        )
    ),
    Page("GET", "/attachments/<uuid>", _attachment),
)
