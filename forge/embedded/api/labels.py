"""Labels and milestones."""

from __future__ import annotations

from typing import Any

from flask import Response

from forge.embedded.api.call import Call, Route, login, writes
from forge.embedded.api.forms import Form
from forge.embedded.api.orgs import owner
from forge.embedded.instance import Missing, Refusal
from forge.embedded.rules import ISSUES, PULLS
from forge.embedded.services import issues, labels, orgs
from forge.embedded.shapes import issues as shapes
from forge.embedded.shapes.people import Json
from forge.embedded.state import Row

_ABOUT = {"name": "string", "color": "string", "description": "string", "exclusive": "bool", "is_archived": "bool"}
CREATE = Form("CreateLabelOption", _ABOUT, ("name", "color"))
EDIT = Form("EditLabelOption", _ABOUT)
CHOSEN = Form("IssueLabelsOption", {"labels": "[]any"})
MILESTONE = Form(
    "CreateMilestoneOption",
    {"title": "string", "description": "string", "state": "string", "due_on": "time"},
    ("title",),
)
EDIT_MILESTONE = Form(
    "EditMilestoneOption", {"title": "string", "description": "string", "state": "string", "due_on": "time"}
)
_WRITER = writes(ISSUES, PULLS)


def _place(call: Call) -> Row:
    return {"repo_id": call.repo["id"]} if call.repo else {"org_id": orgs.get(call.site, call.args["org"])["id"]}


def _known(call: Call) -> list[Row]:
    return (
        labels.of_repo(call.site, call.repo)
        if call.repo
        else labels.of_org(call.site, orgs.get(call.site, call.args["org"]))
    )


def _index(call: Call) -> Response:
    return call.paged(_known(call), lambda row: shapes.label(call.site, row))


def _create(call: Call) -> Json:
    return shapes.label(call.site, labels.create(call.site, _place(call), **call.read(CREATE)))


def _one(call: Call) -> Row:
    found = [row for row in _known(call) if row["id"] == call.number("id")]
    if not found:
        raise Missing
    return found[0]


def _show(call: Call) -> Json:
    return shapes.label(call.site, _one(call))


def _edit(call: Call) -> Json:
    return shapes.label(call.site, labels.edit(call.site, _one(call), call.read(EDIT)))


def _delete(call: Call) -> None:
    labels.delete(call.site, _one(call))


def _issue(call: Call, *, change: bool = True) -> Row:
    issue = issues.get(call.site, call.repo, call.number("index"))
    if change and not call.granted.writes(PULLS if issue["is_pull"] else ISSUES):
        words = call.site.flavour.label_refusal
        raise Refusal(403, words, html=words == "<html>")
    return issue


def _on_issue(call: Call) -> list[Json]:
    return shapes.labels(call.site, _issue(call, change=False))


def _add(call: Call) -> list[Json]:
    issue = _issue(call)
    labels.add(call.site, call.actor, issue, call.read(CHOSEN).get("labels", []))
    return shapes.labels(call.site, issue)


def _replace(call: Call) -> list[Json]:
    issue = _issue(call)
    labels.replace(call.site, call.actor, issue, call.read(CHOSEN).get("labels", []))
    return shapes.labels(call.site, issue)


def _take_off(call: Call) -> None:
    labels.take_off(call.site, call.actor, _issue(call), call.args["label"])


def _clear(call: Call) -> None:
    labels.clear(call.site, call.actor, _issue(call))


def _milestones(call: Call) -> Response:
    rows = labels.milestones(call.site, call.repo, call.query("state", "open"))
    return call.paged(rows, lambda row: shapes.milestone(call.site, row["id"]))


def _milestone(call: Call) -> Any:
    return shapes.milestone(call.site, labels.milestone(call.site, call.repo, call.number("id"))["id"])


def _about(given: Row) -> Row:
    return {("due" if key == "due_on" else key): value for key, value in given.items() if key != "state"}


def _create_milestone(call: Call) -> Any:
    given = call.read(MILESTONE)
    row = labels.create_milestone(call.site, call.repo, **_about(given))
    if given.get("state") == "closed":
        labels.edit_milestone(call.site, row, state="closed")
    return shapes.milestone(call.site, row["id"])


def _edit_milestone(call: Call) -> Any:
    given, row = call.read(EDIT_MILESTONE), labels.milestone(call.site, call.repo, call.number("id"))
    return shapes.milestone(
        call.site, labels.edit_milestone(call.site, row, state=given.get("state"), **_about(given))["id"]
    )


def _delete_milestone(call: Call) -> None:
    labels.delete_milestone(call.site, labels.milestone(call.site, call.repo, call.number("id")))


ROUTES = (
    Route("GET ~/labels", _index, "issue"),
    Route("POST ~/labels", _create, "issue", _WRITER, 201),
    Route("GET ~/labels/<id>", _show, "issue"),
    Route("PATCH ~/labels/<id>", _edit, "issue", _WRITER),
    Route("DELETE ~/labels/<id>", _delete, "issue", _WRITER, 204, bare=True),
    Route("GET /orgs/<org>/labels", _index, "organization"),
    Route("POST /orgs/<org>/labels", _create, "organization", owner, 201),
    Route("GET /orgs/<org>/labels/<id>", _show, "organization"),
    Route("PATCH /orgs/<org>/labels/<id>", _edit, "organization", owner),
    Route("DELETE /orgs/<org>/labels/<id>", _delete, "organization", owner, 204, bare=True),
    Route("GET ~/issues/<index>/labels", _on_issue, "issue"),
    Route("POST ~/issues/<index>/labels", _add, "issue", login),
    Route("PUT ~/issues/<index>/labels", _replace, "issue", login),
    Route("DELETE ~/issues/<index>/labels", _clear, "issue", login, 204, bare=True),
    Route("DELETE ~/issues/<index>/labels/<path:label>", _take_off, "issue", login, 204, bare=True),
    Route("GET ~/milestones", _milestones, "issue"),
    Route("POST ~/milestones", _create_milestone, "issue", _WRITER, 201),
    Route("GET ~/milestones/<id>", _milestone, "issue"),
    Route("PATCH ~/milestones/<id>", _edit_milestone, "issue", _WRITER),
    Route("DELETE ~/milestones/<id>", _delete_milestone, "issue", _WRITER, 204, bare=True),
)
