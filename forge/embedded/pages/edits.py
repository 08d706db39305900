"""Changing what was written: the title and the words of an issue or pull request, and comments."""

from __future__ import annotations

from flask import Response

from forge.embedded.instance import Missing, Refusal
from forge.embedded.pages import talk
from forge.embedded.pages.visit import Page, Visit, words
from forge.embedded.rules import ISSUES, PULLS
from forge.embedded.services import comments, issues, pulls
from forge.embedded.state import Row


def _issue_form(visit: Visit) -> Response:
    issue = _own_issue(visit)
    return _form(visit, issue, {"title": issue["title"], "content": issue["body"]})


def _edit_issue(visit: Visit) -> Response:
    issue, typed = _own_issue(visit), {name: visit.field(name) for name in ("title", "content")}
    set_title = pulls.set_title if issue["is_pull"] else issues.set_title
    try:
        set_title(visit.site, visit.actor, issue, visit.need("title", "It needs a title."))
        issues.set_body(visit.site, visit.actor, visit.site.must("issues", issue["id"]), typed["content"])
    except Refusal as refusal:
        return _form(visit, issue, typed, refusal)
    return visit.go(talk.path_of(visit, issue))


def _own_issue(visit: Visit) -> Row:
    issue = talk.one(visit)
    if issue["user_id"] != visit.actor["id"] and not issues.may_write(visit.site, visit.actor, issue):
        raise Refusal(403)
    return issue


def _comment_form(visit: Visit) -> Response:
    issue, comment = _own_comment(visit)
    return _form(visit, issue, {"content": comment["body"]})


def _edit_comment(visit: Visit) -> Response:
    issue, comment = _own_comment(visit)
    try:
        comments.edit(visit.site, visit.actor, comment, visit.need("content", "A comment needs words."))
    except Refusal as refusal:
        return _form(visit, issue, {"content": ""}, refusal)
    return visit.go(f"{talk.path_of(visit, issue)}#issuecomment-{comment['id']}")


def _own_comment(visit: Visit) -> tuple[Row, Row]:
    comment = comments.get(visit.site, visit.repo, visit.number)
    issue = visit.site.must("issues", comment["issue_id"])
    if comment["kind"] != "comment" or not visit.granted.reads(PULLS if issue["is_pull"] else ISSUES):
        raise Missing
    if not comments.may_edit(visit.site, visit.actor, comment):
        raise Refusal(403)
    return issue, comment


def _form(visit: Visit, issue: Row, typed: Row, refusal: Refusal | None = None) -> Response:
    shown = {"issue": issue, "back": talk.path_of(visit, issue), "typed": typed}
    status = refusal.status if refusal else 200
    return visit.show("edit.html", status, refused=words(refusal) if refusal else "", **shown)


_EITHER = (ISSUES, PULLS)
PAGES = (
    Page("GET ~/issues/<number>/edit", _issue_form, _EITHER, login=True),
    Page("POST ~/issues/<number>/edit", _edit_issue, _EITHER, login=True),
    Page("GET ~/comments/<number>/edit", _comment_form, _EITHER, login=True),
    Page("POST ~/comments/<number>/edit", _edit_comment, _EITHER, login=True),
)
