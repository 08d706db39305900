"""Lists of issues and of pull requests, which a label, an assignee and words of the title narrow."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Response

from forge.embedded.pages import mergebox, talk
from forge.embedded.pages.visit import Page, Visit
from forge.embedded.rules import ISSUES, PULLS
from forge.embedded.services import issues, labels, people, repos
from forge.embedded.state import Row

_PER_PAGE = 25


def _issue_list(visit: Visit) -> Response:
    return _list(visit, is_pull=False)


def _pull_list(visit: Visit) -> Response:
    return _list(visit, is_pull=True)


def _list(visit: Visit, *, is_pull: bool) -> Response:
    chosen = {name: visit.query(name) for name in ("label", "assignee", "q") if visit.query(name)}
    by, keys = _narrowed(visit, chosen), [visit.repo["id"]]
    found = {closed: issues.search(visit.site, keys, is_pull=is_pull, closed=closed, **by) for closed in (False, True)}
    closed, page = visit.query("state") == "closed", visit.page
    return visit.show(
        "issues.html",
        is_pull=is_pull,
        place=f"{visit.home}/{'pulls' if is_pull else 'issues'}",
        chosen=chosen,
        query=urlencode(chosen | ({"state": "closed"} if closed else {})),
        narrowed=urlencode(chosen),
        closed=closed,
        counts={state: len(rows) for state, rows in found.items()},
        rows=[_row(visit, issue) for issue in found[closed][(page - 1) * _PER_PAGE : page * _PER_PAGE]],
        page=page,
        has_more=len(found[closed]) > page * _PER_PAGE,
        people=repos.insiders(visit.site, visit.repo),
    )


def _narrowed(visit: Visit, chosen: dict[str, str]) -> dict[str, Any]:
    by: dict[str, Any] = {"words": chosen.get("q")}
    if "assignee" in chosen:
        by["assignee"] = (people.find(visit.site, chosen["assignee"]) or {"id": 0})["id"]
    if "label" in chosen:
        by["labels"] = [label["id"] for label in visit.labels if label["name"] == chosen["label"]][:1] or [0]
    return by


def _row(visit: Visit, issue: Row) -> Row:
    """An issue with all that its row in a list shows."""
    site = visit.site
    said = "SELECT count(*) FROM comments WHERE issue_id = ? AND kind IN ('comment', 'review')"
    pull = site.state.row("SELECT * FROM pulls WHERE issue_id = ?", issue["id"]) or {}
    return issue | {
        "author": people.by_id(site, issue["user_id"]),
        "labels": labels.on(site, issue),
        "assignees": talk.assignees(visit, issue),
        "said": site.state.value(said, issue["id"]),
        "merged": pull.get("merged"),
        "branch": pull.get("head_branch", ""),
        "checks": tuple(mergebox.checks(visit, pull["head_sha"])) if pull else (),
    }


PAGES = (
    Page("GET ~/issues", _issue_list, (ISSUES,)),
    Page("GET ~/pulls", _pull_list, (PULLS,)),
)
