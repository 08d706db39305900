"""Signing in and out, and what somebody finds on the forge: his repositories, and where something happened lately."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response

from forge.embedded.identity import Identity, usable
from forge.embedded.instance import Renamed
from forge.embedded.pages import session
from forge.embedded.pages.visit import Page, Visit, open_counts
from forge.embedded.rules import ISSUES, PULLS, Access
from forge.embedded.services import people, repos
from forge.embedded.state import Row

_LOCAL = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")
_LATELY = 12


@dataclass(frozen=True, slots=True)
class Shelf:
    """The repositories of one owner that the viewer may see, each with its open issues and pull requests."""

    owner: Row
    repos: tuple[Row, ...]


def _login_form(visit: Visit) -> Response:
    if visit.viewer:
        return visit.go(local(visit.query("redirect_to")))
    return _form(visit)


def _form(visit: Visit, refused: str = "") -> Response:
    back = visit.query("redirect_to") or visit.field("redirect_to")
    shown = {"refused": refused, "name": visit.field("user_name"), "redirect_to": local(back)}
    return visit.show("login.html", 401 if refused else 200, **shown)


def _login(visit: Visit) -> Response:
    user = people.find(visit.site, visit.field("user_name"))
    # A password may begin or end with a space.
    if user is None or user["is_org"] or not people.checks(user, visit.request.form.get("password", "")):
        return _form(visit, "Username or password is incorrect.")
    if not usable(Identity(user)):
        return _form(visit, "This account is prohibited from signing in, please contact your site administrator.")
    session.sign_in(user)
    return visit.go(local(visit.field("redirect_to")))


def _logout(visit: Visit) -> Response:
    session.sign_out()
    return visit.go("/")


def local(path: str) -> str:
    """A path of this forge, or its front page for whatever would lead elsewhere."""
    return path if _LOCAL.fullmatch(path) else "/"


def _home(visit: Visit) -> Response:
    seen = repos.visible(visit.site, visit.viewer, repos.search(visit.site, ""))
    owners = {repo["owner_id"]: None for repo, _ in sorted(seen, key=lambda pair: pair[0]["owner"].lower())}
    shelves = [_shelf(visit, key, [pair for pair in seen if pair[0]["owner_id"] == key]) for key in owners]
    return visit.show("home.html", shelves=shelves, lately=_lately(visit, seen), owner=None)


def _owner(visit: Visit) -> Response:
    try:
        found = people.get(visit.site, visit.args["owner"])
    except Renamed as moved:
        return visit.go(moved.new.removeprefix("/users"))
    seen = repos.visible(visit.site, visit.viewer, repos.of_owner(visit.site, found))
    return visit.show("home.html", shelves=[_shelf(visit, found["id"], seen)], lately=_lately(visit, seen), owner=found)


def _shelf(visit: Visit, key: int, seen: Sequence[tuple[Row, Access]]) -> Shelf:
    counted = tuple(repo | open_counts(visit.site, repo, granted) for repo, granted in seen)
    return Shelf(visit.site.must("users", key), counted)


def _lately(visit: Visit, seen: Sequence[tuple[Row, Access]]) -> list[Row]:
    """The conversations that changed last, among those that the viewer may see."""
    readable = [
        [repo["id"], is_pull]
        for repo, granted in seen
        for is_pull, unit in ((0, ISSUES), (1, PULLS))
        if granted.reads(unit)
    ]
    sql = """SELECT issues.*, full_name, merged FROM issues JOIN repositories ON repositories.id = issues.repo_id
             LEFT JOIN pulls ON issue_id = issues.id
             JOIN json_each(?) AS seen ON seen.value ->> 0 = issues.repo_id AND seen.value ->> 1 = is_pull
             ORDER BY issues.updated DESC, issues.id DESC LIMIT ?"""
    return visit.site.state.rows(sql, json.dumps(readable), _LATELY)


PAGES = (
    Page("GET /user/login", _login_form),
    Page("POST /user/login", _login),
    Page("POST /user/logout", _logout),
    Page("GET /", _home),
    Page("GET /<owner>", _owner),
)
