"""Lists of issues and pull requests, and filing an issue."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Response

from forge.embedded.pages.merge_box import checks
from forge.embedded.pages.page_context import Page, PageContext
from forge.embedded.rules import ISSUES, PULLS
from forge.embedded.services import issues, people
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


PAGES = (
    Page("GET ~/issues", _issues, (ISSUES,)),
    Page("GET ~/pulls", _pulls, (PULLS,)),
    Page("GET ~/issues/new", _new, (ISSUES,), login=True),
    Page("POST ~/issues/new", _create, (ISSUES,), login=True, form=_new),
)
