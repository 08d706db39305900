"""What can be done to issues, and to what pull requests share with them: file, comment, close, label, assign."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response

from forge.embedded.instance import Missing, Refusal
from forge.embedded.pages import code, talk
from forge.embedded.pages.visit import Page, Visit, words
from forge.embedded.rules import ISSUES, PULLS
from forge.embedded.services import comments, issues, labels, pulls, repos
from forge.embedded.state import Row


def _new(visit: Visit) -> Response:
    return _form(visit, {"title": visit.query("title"), "content": visit.query("body")})


def _form(visit: Visit, typed: Row, refused: str = "", status: int = 200) -> Response:
    chosen: Row = {"labels": [], "assignees": []} | typed
    return visit.show(
        "issue_new.html", status, typed=chosen, refused=refused, people=repos.insiders(visit.site, visit.repo)
    )


def _create(visit: Visit) -> Response:
    typed = {"title": visit.field("title"), "content": visit.field("content")}
    chosen = {"labels": visit.keys("label_ids"), "assignees": visit.fields("assignees")}
    try:
        title = visit.need("title", "An issue needs a title.")
        made = issues.create(visit.site, visit.actor, visit.repo, title=title, body=typed["content"], **chosen)
    except Refusal as refusal:
        return _form(visit, typed | chosen, words(refusal), refusal.status)
    return visit.go(f"{visit.home}/issues/{made['number']}")


def _comment(visit: Visit) -> Response:
    """Say something, close or reopen, or both."""
    issue, text, state = talk.one(visit), visit.field("content"), visit.field("status")
    state = state if state in {"close", "reopen"} else ""
    try:
        _refuse(visit, issue, text, state)
        if text:
            comments.create(visit.site, visit.actor, issue, text)
            text = ""
        _turn(visit, visit.site.must("issues", issue["id"]), state)
    except Refusal as refusal:
        now = visit.site.must("issues", issue["id"])
        return talk.page(visit, now, refused=words(refusal), status=refusal.status, draft=text)
    return visit.go(f"{talk.path_of(visit, issue)}#end")


def _refuse(visit: Visit, issue: Row, text: str, state: str) -> None:
    if not state and not text:
        raise Refusal(422, "A comment needs words.")
    if state and issue["user_id"] != visit.actor["id"]:
        _refuse_stranger(visit, issue)


def _refuse_stranger(visit: Visit, issue: Row) -> None:
    if not issues.may_write(visit.site, visit.actor, issue):
        raise Refusal(403)


def _turn(visit: Visit, issue: Row, state: str) -> None:
    if state == "reopen" and issue["is_pull"] and issue["closed"]:
        pulls.reopen(visit.site, visit.actor, issue)
    elif state:
        issues.set_state(visit.site, visit.actor, issue, closed=state == "close")


def _set_labels(visit: Visit) -> Response:
    return _written(visit, lambda issue: labels.replace(visit.site, visit.actor, issue, visit.keys("labels")))


def _set_assignees(visit: Visit) -> Response:
    def assign(issue: Row) -> None:
        logins = [user["login"] for user in issues.assignable(visit.site, visit.repo, visit.fields("assignees"))]
        issues.reassign(visit.site, visit.actor, issue, logins)

    return _written(visit, assign)


def _written(visit: Visit, change: Callable[[Row], None]) -> Response:
    """What only those may do who may write issues."""
    issue = talk.one(visit)
    try:
        _refuse_stranger(visit, issue)
        change(issue)
    except Refusal as refusal:
        return talk.page(visit, issue, refused=words(refusal), status=refusal.status)
    return visit.go(talk.path_of(visit, issue))


def _attachment(visit: Visit) -> Response:
    """A file of a conversation, for those who may see that."""
    found = visit.site.state.row("SELECT * FROM attachments WHERE uuid = ?", visit.args["uuid"])
    issue = visit.site.state.get("issues", found["issue_id"]) if found else None
    repo = visit.site.state.get("repositories", issue["repo_id"]) if issue else None
    if found is None or issue is None or repo is None or not visit.issue(repo["full_name"], issue["number"]):
        raise Missing
    return code.untrusted(found["content"], found["name"])


_ISSUE, _PULL = "~/issues/<number>", "~/pulls/<number>"
_EITHER = (ISSUES, PULLS)
PAGES = (
    Page("GET ~/issues/new", _new, (ISSUES,), login=True),
    Page("POST ~/issues/new", _create, (ISSUES,), login=True),
    Page(f"POST {_ISSUE}/comments", _comment, _EITHER, login=True),
    Page(f"POST {_ISSUE}/labels", _set_labels, _EITHER, login=True),
    Page(f"POST {_ISSUE}/assignees", _set_assignees, _EITHER, login=True),
    Page(f"POST {_PULL}/comments", _comment, _EITHER, login=True),
    Page(f"POST {_PULL}/labels", _set_labels, _EITHER, login=True),
    Page(f"POST {_PULL}/assignees", _set_assignees, _EITHER, login=True),
    Page("GET /attachments/<uuid>", _attachment),
)
