"""Labels of repositories, organisations and issues; milestones."""

from __future__ import annotations

from forge.embedded.api.call import Call
from forge.embedded.api.forms import Form
from forge.embedded.api.routes import ApiRoute, Resource, anyone, login, org_owner, writes
from forge.embedded.instance import Refusal
from forge.embedded.rules import ISSUES, PULLS
from forge.embedded.services import issues, labels, orgs
from forge.embedded.shapes import issues as shapes
from forge.embedded.shapes.values import Json
from forge.embedded.state import Row

CREATE = Form("CreateLabelOption", "name! color! description exclusive:bool is_archived:bool")
EDIT = Form("EditLabelOption", "name color description exclusive:bool is_archived:bool")
CHOSEN = Form("IssueLabelsOption", "labels:[]any")
MILESTONE = Form("CreateMilestoneOption", "title! description state due_on:time")
EDIT_MILESTONE = Form("EditMilestoneOption", "title description state due_on:time")


def _org(call: Call) -> Row:
    return orgs.get(call.site, call.args["org"])


def _known(call: Call) -> list[Row]:
    return labels.of_repo(call.site, call.repo) if call.repo else labels.of_org(call.site, _org(call))


def _create(call: Call) -> Row:
    place = {"repo_id": call.repo["id"]} if call.repo else {"org_id": _org(call)["id"]}
    return labels.create(call.site, place, **call.read(CREATE))


LABELS = Resource(
    rows=_known,
    shape=shapes.label,
    create=_create,
    edit=lambda call, label: labels.edit(call.site, label, call.read(EDIT)),
    delete=lambda call, label: labels.delete(call.site, label),
)


# Labels of an issue
def _issue(call: Call, *, change: bool = True) -> Row:
    issue = issues.get(call.site, call.repo, call.number("index"))
    if change and not call.granted.writes(PULLS if issue["is_pull"] else ISSUES):
        words = call.site.flavour.label_refusal
        raise Refusal(403, words, html=words == "<html>")
    return issue


def _add(call: Call) -> list[Json]:
    issue = _issue(call)
    labels.add(call.site, call.actor, issue, call.read(CHOSEN).get("labels", []))
    return shapes.labels(call.site, issue)


def _replace(call: Call) -> list[Json]:
    issue = _issue(call)
    labels.replace(call.site, call.actor, issue, call.read(CHOSEN).get("labels", []))
    return shapes.labels(call.site, issue)


def _remove(call: Call) -> None:
    labels.remove(call.site, call.actor, _issue(call), call.args["label"])


def _clear(call: Call) -> None:
    labels.clear(call.site, call.actor, _issue(call))


# Milestones
def _about(given: Row) -> Row:
    return {("due" if key == "due_on" else key): value for key, value in given.items() if key != "state"}


def _create_milestone(call: Call) -> Row:
    given = call.read(MILESTONE)
    row = labels.create_milestone(call.site, call.repo, **_about(given))
    return labels.edit_milestone(call.site, row, state="closed") if given.get("state") == "closed" else row


def _edit_milestone(call: Call, row: Row) -> Row:
    given = call.read(EDIT_MILESTONE)
    return labels.edit_milestone(call.site, row, state=given.get("state"), **_about(given))


def _milestones(call: Call) -> list[Row]:
    """The milestones in the requested state, open by default; one with an id is found in any state."""
    return labels.milestones(call.site, call.repo, "all" if "id" in call.args else call.query("state", "open"))


MILESTONES = Resource(
    rows=_milestones,
    shape=lambda site, row: shapes.milestone(site, row["id"]),
    create=_create_milestone,
    edit=_edit_milestone,
    delete=lambda call, row: labels.delete_milestone(call.site, row),
)

_WRITER, _ISSUE = writes(ISSUES, PULLS), "~/issues/<index>/labels"
ROUTES = (
    *LABELS.routes("~/labels", "issue", reads=anyone, writes=_WRITER),
    *LABELS.routes("/orgs/<org>/labels", "organization", reads=anyone, writes=org_owner),
    *MILESTONES.routes("~/milestones", "issue", reads=anyone, writes=_WRITER),
    ApiRoute(f"GET {_ISSUE}", lambda call: shapes.labels(call.site, _issue(call, change=False)), "issue"),
    ApiRoute(f"POST {_ISSUE}", _add, "issue", login),
    ApiRoute(f"PUT {_ISSUE}", _replace, "issue", login),
    ApiRoute(f"DELETE {_ISSUE}", _clear, "issue", login, 204, bare=True),
    ApiRoute(f"DELETE {_ISSUE}/<path:label>", _remove, "issue", login, 204, bare=True),
)
