"""Issues, what pull requests share with them, dependencies, attachments."""

from __future__ import annotations

from typing import Any

from flask import Response

from forge.embedded.api.call import Call
from forge.embedded.api.forms import Form
from forge.embedded.api.routes import ApiRoute, login, repo_admin
from forge.embedded.instance import Missing, Refusal
from forge.embedded.rules import ISSUES, PULLS
from forge.embedded.services import comments, issues, labels, people, pulls, repos
from forge.embedded.shapes import issues as shapes
from forge.embedded.shapes.values import Json
from forge.embedded.state import Row

_ABOUT = "body assignee assignees:[]string milestone:int64 due_date:time"
CREATE = Form("CreateIssueOption", f"title! {_ABOUT} labels:[]int64 closed:bool")
EDIT = Form("EditIssueOption", f"title {_ABOUT} state unset_due_date:bool")
OTHER = Form("IssueMeta", "index:int64 owner repo")
_STATES = {"open": False, "closed": True}
_KINDS = {"issues": False, "pulls": True}


def _unit(issue: Row) -> str:
    return PULLS if issue["is_pull"] else ISSUES


def _issue(call: Call) -> Row:
    issue = issues.get(call.site, call.repo, call.number("index"))
    if not call.granted.reads(_unit(issue)):
        raise Missing
    return issue


def _written(call: Call) -> Row:
    issue = _issue(call)
    if not call.granted.writes(_unit(issue)):
        raise Refusal(403, "Not repo writer")
    return issue


def _shape(call: Call, issue: Row) -> Json:
    return shapes.issue(call.site, call.site.must("issues", issue["id"]), call.viewer)


# Lists
def _person(call: Call, name: str) -> int | None:
    """The id of a user in the query; 0 for an unknown one, so that nothing is found."""
    login_name = call.query(name)
    return (people.find(call.site, login_name) or {"id": 0})["id"] if login_name else None


def _wanted_labels(call: Call, repo: Row) -> list[int]:
    """The ids of the named labels that exist; only unknown names make no filter."""
    names = [name for name in call.query("labels").split(",") if name]
    return [row["id"] for row in labels.pick(call.site, repo, names)]


def _found(call: Call, found: list[Row], **more: Any) -> Response:
    by: dict[str, Any] = {"is_pull": _KINDS.get(call.query("type")), "closed": _STATES.get(call.query("state", "open"))}
    rows = issues.search(call.site, [repo["id"] for repo in found], since=call.moment("since"), **by, **more)
    return call.paged(rows, lambda row: _shape(call, row), links=True)


def _index(call: Call) -> Response:
    unit = {"issues": ISSUES, "pulls": PULLS}.get(call.query("type"))
    if unit and not call.granted.reads(unit):  # Gitea 1.23: 404 for the kind that is asked for, else a list without it
        raise Missing
    people_named = {"author": _person(call, "created_by"), "assignee": _person(call, "assigned_by")}
    return _found(call, [call.repo], **people_named, labels=_wanted_labels(call, call.repo))


def _search(call: Call) -> Response:
    owner, viewer = call.query("owner").lower(), call.viewer
    visible = repos.visible(call.site, viewer, repos.search(call.site, ""))
    found = [repo for repo, granted in visible if granted.reads(ISSUES, PULLS) and owner in {"", repo["owner"].lower()}]
    return _found(call, found)


# One issue
def _create(call: Call) -> Json:
    given = call.read(CREATE)
    first = [given.pop("assignee")] if given.get("assignee") else []
    given |= {"assignees": [*first, *given.pop("assignees", [])], "due": given.pop("due_date", None)}
    return _shape(call, issues.create(call.site, call.actor, call.repo, **given))


def _edit(call: Call) -> Json:
    issue, given = _issue(call), call.read(EDIT)
    apply(call, issue, given)
    return _shape(call, issue)


def apply(call: Call, issue: Row, given: Row, *, quiet: bool = False) -> None:
    """Make the changes that issues and pull requests share; an author without write access may change less."""
    site, actor, writer = call.site, call.actor, call.granted.writes(_unit(issue))
    if issue["user_id"] != actor["id"] and not writer:
        raise Refusal(403, None)
    if "title" in given:
        issues.set_title(site, actor, issue, given["title"])
    if "body" in given:
        issues.set_body(site, actor, site.must("issues", issue["id"]), given["body"])
    if writer and (given.get("unset_due_date") or "due_date" in given):
        issues.set_due(site, actor, issue, given.get("due_date"))
    if writer and ("assignees" in given or given.get("assignee")):
        issues.reassign(site, actor, issue, [*given.get("assignees", []), given.get("assignee", "")])
    if writer and "milestone" in given:
        issues.set_milestone(site, actor, issue, given["milestone"], quiet=quiet)
    if given.get("state"):
        _set_state(call, site.must("issues", issue["id"]), given["state"])


def _set_state(call: Call, issue: Row, state: str) -> None:
    if state not in _STATES and call.site.flavour.unknown_state >= 400:
        raise Refusal(call.site.flavour.unknown_state, f"unknown state: {state}")
    if issue["is_pull"] and state == "open" and issue["closed"]:
        pulls.reopen(call.site, call.actor, issue)
    elif state in _STATES:
        issues.set_state(call.site, call.actor, issue, closed=_STATES[state])


def _delete(call: Call) -> None:
    issue = _issue(call)
    issues.delete(call.site, issue)
    if issue["is_pull"]:
        call.site.git(call.repo).text("update-ref", "-d", f"refs/pull/{issue['number']}/head")


def _lock(call: Call) -> None:
    issues.lock(call.site, call.actor, _written(call), locked=call.request.method == "PUT")


def _pin(call: Call) -> None:
    issues.pin(call.site, call.actor, _issue(call), pinned=call.request.method == "POST")


# Dependencies
def _other(call: Call) -> Row:
    given = call.read(OTHER)
    repo = repos.get(call.site, given.get("owner") or call.repo["owner"], given.get("repo") or call.repo["name"])
    issue = issues.find(call.site, repo, given.get("index", 0))
    if issue is None:
        raise issues.unknown(repo, given.get("index", 0))
    return issue


def _depend(call: Call) -> Json:
    issue = _written(call)
    issues.add_dependency(call.site, call.actor, issue, _other(call), removed=call.request.method == "DELETE")
    return _shape(call, issue)


def _dependencies(call: Call) -> list[Json]:
    page, limit = call.page
    rows = issues.blockers(call.site, _issue(call), still_open=False)
    return [_shape(call, row) for row in rows[(page - 1) * limit : page * limit]]


# Attachments
def _attach(call: Call) -> Json:
    file = call.request.files.get("attachment")
    if file is None:
        raise Refusal(400, "http: no such file")
    row = comments.attach(call.site, call.actor, _written(call), file.filename or "file", file.read())
    return shapes.attachment(call.site, row)


_ONE = "~/issues/<index>"
ROUTES = (
    ApiRoute("GET /repos/issues/search", _search, "issue"),
    ApiRoute("GET ~/issues", _index, "issue"),
    ApiRoute("POST ~/issues", _create, "issue", login, 201),
    ApiRoute(f"GET {_ONE}", lambda call: _shape(call, _issue(call)), "issue"),
    ApiRoute(f"PATCH {_ONE}", _edit, "issue", login, 201),
    ApiRoute(f"DELETE {_ONE}", _delete, "issue", repo_admin, 204, bare=True),
    ApiRoute(f"PUT {_ONE}/lock", _lock, "issue", login, 204, bare=True),
    ApiRoute(f"DELETE {_ONE}/lock", _lock, "issue", login, 204, bare=True),
    ApiRoute(f"POST {_ONE}/pin", _pin, "issue", repo_admin, 204, bare=True),
    ApiRoute(f"DELETE {_ONE}/pin", _pin, "issue", repo_admin, 204, bare=True),
    ApiRoute(f"GET {_ONE}/assets", lambda call: shapes.attachments(call.site, _issue(call)), "issue"),
    ApiRoute(f"POST {_ONE}/assets", _attach, "issue", login, 201),
    ApiRoute(f"GET {_ONE}/dependencies", _dependencies, "issue"),
    ApiRoute(f"POST {_ONE}/dependencies", _depend, "issue", login, 201),
    ApiRoute(f"DELETE {_ONE}/dependencies", _depend, "issue", login, 201),
)
