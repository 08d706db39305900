"""Issues, dependencies, attachments."""

from __future__ import annotations

from typing import Any

from flask import Response

from forge.embedded import events
from forge.embedded.api.call import Call, Route, empty, login, repo_admin
from forge.embedded.api.forms import Form
from forge.embedded.instance import Missing, Refusal
from forge.embedded.rules import ISSUES, PULLS
from forge.embedded.services import comments, issues, labels, people, pulls, repos
from forge.embedded.shapes import issues as shapes
from forge.embedded.shapes.people import Json, when_or_null
from forge.embedded.state import Row

CREATE = Form(
    "CreateIssueOption",
    {
        "title": "string",
        "body": "string",
        "assignee": "string",
        "assignees": "[]string",
        "labels": "[]int64",
        "milestone": "int64",
        "closed": "bool",
        "due_date": "time",
    },
    ("title",),
)
EDIT = Form(
    "EditIssueOption",
    {
        "title": "string",
        "body": "string",
        "assignee": "string",
        "assignees": "[]string",
        "milestone": "int64",
        "state": "string",
        "due_date": "time",
        "unset_due_date": "bool",
    },
)
DEADLINE = Form("EditDeadlineOption", {"due_date": "time"})
OTHER = Form("IssueMeta", {"index": "int64", "owner": "string", "repo": "string"})
_STATES = {"open": False, "closed": True}
_KINDS = {"issues": False, "pulls": True}


def _issue(call: Call) -> Row:
    issue = issues.get(call.site, call.repo, call.number("index"))
    if not call.granted.reads(PULLS if issue["is_pull"] else ISSUES):
        raise Missing
    return issue


def _shape(call: Call, issue: Row) -> Json:
    return shapes.issue(call.site, call.site.must("issues", issue["id"]), call.viewer)


# Issues
def _person(call: Call, name: str) -> int | None:
    login_name = call.query(name)
    if not login_name:
        return None
    found = people.find(call.site, login_name)
    return found["id"] if found else 0


def _wanted_labels(call: Call, repo: Row) -> list[int]:
    """The ids of the named labels that exist; a filter of unknown names only is none."""
    names = [name for name in call.query("labels").split(",") if name]
    return [row["id"] for row in labels.pick(call.site, repo, names)]


def _found(call: Call, found: list[Row], **more: Any) -> Response:
    rows = issues.search(
        call.site,
        [repo["id"] for repo in found],
        is_pull=_KINDS.get(call.query("type")),
        closed=_STATES.get(call.query("state", "open")),
        since=call.moment("since"),
        before=call.moment("before"),
        words=call.query("q") or None,
        **more,
    )
    return call.paged(rows, lambda row: _shape(call, row), links=True)


def _index(call: Call) -> Response:
    unit = {"issues": ISSUES, "pulls": PULLS}.get(call.query("type"))
    if unit and not call.granted.reads(unit):  # Gitea 1.23: 404 for the kind that is asked for, else a list without it
        raise Missing
    by = {
        "author": _person(call, "created_by"),
        "assignee": _person(call, "assigned_by"),
        "labels": _wanted_labels(call, call.repo),
    }
    return _found(call, [call.repo], **by)


def _search(call: Call) -> Response:
    owner = call.query("owner")
    rows = repos.search(call.site, "")
    found = [
        repo
        for repo, granted in repos.visible(call.site, call.viewer, rows)
        if granted.reads(ISSUES, PULLS) and owner.lower() in {"", repo["owner"].lower()}
    ]
    by: dict[str, Any] = {}
    if call.viewer and call.flag("assigned"):
        by["assignee"] = call.viewer["id"]
    if call.viewer and call.flag("created"):
        by["author"] = call.viewer["id"]
    if call.query("labels") and found:
        by["labels"] = [key for repo in found for key in _wanted_labels(call, repo)][:1]
    return _found(call, found, **by)


def _create(call: Call) -> Json:
    given = call.read(CREATE)
    title, assigned = given.pop("title"), given.pop("assignees", [])
    first = [given.pop("assignee")] if given.get("assignee") else []
    due = given.pop("due_date", None)
    return _shape(
        call,
        issues.create(call.site, call.actor, call.repo, title=title, assignees=[*first, *assigned], due=due, **given),
    )


def _show(call: Call) -> Json:
    return _shape(call, _issue(call))


def _edit(call: Call) -> Json:
    issue, given = _issue(call), call.read(EDIT)
    writer = call.granted.writes(PULLS if issue["is_pull"] else ISSUES)
    if issue["user_id"] != call.actor["id"] and not writer:
        raise Refusal(403, None)
    apply(call, issue, given, writer=writer)
    return _shape(call, issue)


def apply(call: Call, issue: Row, given: Row, *, writer: bool, quiet: bool = False) -> None:
    """Make the changes that issues and pull requests share; what only writers may change is dropped for others."""
    site, actor = call.site, call.actor
    if "title" in given:
        (pulls.set_title if issue["is_pull"] else issues.set_title)(site, actor, issue, given["title"])
    if "body" in given:
        issues.set_body(site, actor, site.must("issues", issue["id"]), given["body"])
    if writer and (given.get("unset_due_date") or "due_date" in given):
        issues.set_due(site, actor, issue, given.get("due_date"))
    if writer and ("assignees" in given or given.get("assignee")):
        issues.reassign(site, actor, issue, [*given.get("assignees", []), given.get("assignee", "")])
    if writer and "milestone" in given:
        issues.set_milestone(site, actor, issue, given["milestone"], quiet=quiet)
    if given.get("state") and given["state"] not in _STATES and site.flavour.unknown_state >= 400:
        raise Refusal(site.flavour.unknown_state, f"unknown state: {given['state']}")
    if given.get("state") in _STATES:
        now = site.must("issues", issue["id"])
        if issue["is_pull"] and given["state"] == "open" and now["closed"]:
            pulls.reopen(site, actor, now)
        else:
            issues.set_state(site, actor, now, closed=given["state"] == "closed")


def _delete(call: Call) -> None:
    issue = _issue(call)
    with call.site.state.writing():
        if call.site.flavour.told_deletion:
            events.about_issue(call.site, call.actor, issue, "issues", "deleted")
        issues.delete(call.site, issue)
    if issue["is_pull"]:
        call.site.git(call.repo).text("update-ref", "-d", f"refs/pull/{issue['number']}/head")


def _lock(call: Call) -> None:
    issues.lock(call.site, call.actor, _written(call), locked=call.request.method == "PUT")


def _deadline(call: Call) -> Json:
    issue = issues.set_due(call.site, call.actor, _written(call), call.read(DEADLINE).get("due_date"))
    return {"due_date": when_or_null(issue["due"])}


def _written(call: Call) -> Row:
    issue = _issue(call)
    if not call.granted.writes(PULLS if issue["is_pull"] else ISSUES):
        raise Refusal(403, "Not repo writer")
    return issue


def _pinned(call: Call) -> list[Json]:
    rows = call.site.state.rows(
        "SELECT * FROM issues WHERE repo_id = ? AND pin AND NOT is_pull ORDER BY pin", call.repo["id"]
    )
    return [_shape(call, row) for row in rows]


def _pin(call: Call) -> None:
    issues.pin(call.site, call.actor, _issue(call), pinned=True)


def _unpin(call: Call) -> None:
    issues.pin(call.site, call.actor, _issue(call), pinned=False)


# Dependencies, attachments, subscriptions
def _other(call: Call) -> Row:
    given = call.read(OTHER)
    repo = repos.get(call.site, given.get("owner") or call.repo["owner"], given.get("repo") or call.repo["name"])
    issue = issues.find(call.site, repo, given.get("index", 0))
    if issue is None:
        key = f"id: 0, repo_id: {repo['id']}, index: {given.get('index', 0)}"
        raise Missing(f"issue does not exist [{key}]", message="IsErrIssueNotExist")
    return issue


def _depend(call: Call) -> Json:
    issue = _written(call)
    issues.add_dependency(call.site, call.actor, issue, _other(call), removed=call.request.method == "DELETE")
    return _shape(call, issue)


def _dependencies(call: Call) -> list[Json]:
    page, limit = call.page
    rows = issues.blockers(call.site, _issue(call), still_open=False)
    return [_shape(call, row) for row in rows[(page - 1) * limit : page * limit]]


def _blocks(call: Call) -> list[Json]:
    return [_shape(call, row) for row in issues.blocks(call.site, _issue(call))]


def _attach(call: Call) -> Json:
    file = call.request.files.get("attachment")
    if file is None:
        raise Refusal(400, "http: no such file")
    return shapes.attachment(
        call.site, comments.attach(call.site, call.actor, _written(call), file.filename or "file", file.read())
    )


def _attachments(call: Call) -> list[Json]:
    return shapes.attachments(call.site, _issue(call))


def _subscribe(call: Call) -> Response:
    user, wanted = people.get(call.site, call.args["user"]), call.request.method == "PUT"
    return empty(201 if comments.subscribe(call.site, _issue(call), user, wanted=wanted) else 200)


def _subscribers(call: Call) -> Response:
    sql = "SELECT users.* FROM users JOIN subscriptions ON user_id = id WHERE issue_id = ?"
    rows = call.site.state.rows(sql, _issue(call)["id"])
    return call.paged(rows, lambda row: shapes.user(call.site, row["id"], call.viewer))


_ONE = "~/issues/<index>"
ROUTES = (
    Route("GET /repos/issues/search", _search, "issue"),
    Route("GET ~/issues", _index, "issue"),
    Route("POST ~/issues", _create, "issue", login, 201),
    Route("GET ~/issues/pinned", _pinned, "issue"),
    Route(f"GET {_ONE}", _show, "issue"),
    Route(f"PATCH {_ONE}", _edit, "issue", login, 201),
    Route(f"DELETE {_ONE}", _delete, "issue", repo_admin, 204, bare=True),
    Route(f"POST {_ONE}/deadline", _deadline, "issue", login, 201),
    Route(f"PUT {_ONE}/lock", _lock, "issue", login, 204, bare=True),
    Route(f"DELETE {_ONE}/lock", _lock, "issue", login, 204, bare=True),
    Route(f"POST {_ONE}/pin", _pin, "issue", repo_admin, 204, bare=True),
    Route(f"DELETE {_ONE}/pin", _unpin, "issue", repo_admin, 204, bare=True),
    Route(f"GET {_ONE}/dependencies", _dependencies, "issue"),
    Route(f"POST {_ONE}/dependencies", _depend, "issue", login, 201),
    Route(f"DELETE {_ONE}/dependencies", _depend, "issue", login, 201),
    Route(f"GET {_ONE}/blocks", _blocks, "issue"),
    Route(f"GET {_ONE}/assets", _attachments, "issue"),
    Route(f"POST {_ONE}/assets", _attach, "issue", login, 201),
    Route(f"GET {_ONE}/subscriptions", _subscribers, "issue"),
    Route(f"PUT {_ONE}/subscriptions/<user>", _subscribe, "issue", login),
    Route(f"DELETE {_ONE}/subscriptions/<user>", _subscribe, "issue", login),
)
