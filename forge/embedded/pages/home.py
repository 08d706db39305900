"""The front page and the pages of owners: repositories and recent activity."""

from __future__ import annotations

import json
from itertools import groupby

from flask import Response

from forge.embedded.instance import Renamed
from forge.embedded.pages.page_context import Page, PageContext
from forge.embedded.rules import ISSUES, PULLS, Access
from forge.embedded.services import people, repos
from forge.embedded.state import Row

_RECENT = 12


def _home(page: PageContext) -> Response:
    return _show(page, repos.search(page.site, ""))


def _owner(page: PageContext) -> Response:
    try:
        owner = people.get(page.site, page.args["owner"])
    except Renamed as moved:
        return page.redirect(moved.new.removeprefix("/users"))
    return _show(page, repos.of_owner(page.site, owner), owner)


def _show(page: PageContext, found: list[Row], owner: Row | None = None) -> Response:
    visible = repos.visible(page.site, page.viewer, found)
    by_owner = groupby(sorted(visible, key=lambda pair: pair[0]["owner"].lower()), lambda pair: pair[0]["owner_id"])
    shelves = [(page.site.must("users", key), list(pairs)) for key, pairs in by_owner]
    return page.render(
        "home.html", owner=owner, shelves=shelves or ([(owner, [])] if owner else []), recent=_recent(page, visible)
    )


def _recent(page: PageContext, visible: list[tuple[Row, Access]]) -> list[Row]:
    """The issues and pull requests that changed last, among those that the viewer may see."""
    readable = [
        [repo["id"], is_pull]
        for repo, granted in visible
        for is_pull, unit in ((0, ISSUES), (1, PULLS))
        if granted.reads(unit)
    ]
    sql = """SELECT issues.*, full_name, merged FROM issues JOIN repositories ON repositories.id = issues.repo_id
             LEFT JOIN pulls ON issue_id = issues.id
             JOIN json_each(?) AS seen ON seen.value ->> 0 = issues.repo_id AND seen.value ->> 1 = is_pull
             ORDER BY issues.updated DESC, issues.id DESC LIMIT ?"""
    return page.site.state.rows(sql, json.dumps(readable), _RECENT)


PAGES = (
    Page("GET", "/", _home),
    Page("GET", "/<owner>", _owner),
)
