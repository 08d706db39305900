"""Pull requests and merging."""

from __future__ import annotations

from typing import Any

from flask import Response

from forge.embedded import diffs
from forge.embedded.api.call import Call, empty
from forge.embedded.api.forms import Form
from forge.embedded.api.issues import apply
from forge.embedded.api.routes import ApiRoute, login
from forge.embedded.instance import Refusal
from forge.embedded.merges import STYLES
from forge.embedded.rules import PULLS
from forge.embedded.services import labels, merging, people, pulls
from forge.embedded.shapes import commits as commit_shapes
from forge.embedded.shapes import pulls as shapes
from forge.embedded.shapes.values import Json
from forge.embedded.state import Row

_ABOUT = "body assignee assignees:[]string labels:[]int64 milestone:int64 due_date:time"
CREATE = Form("CreatePullRequestOption", f"head! base! title! reviewers:[]string {_ABOUT}")
EDIT = Form("EditPullRequestOption", f"title base {_ABOUT} state unset_due_date:bool allow_maintainer_edit:bool")
_WISH = "MergeCommitID MergeTitleField MergeMessageField head_commit_id force_merge:bool delete_branch_after_merge:bool"
MERGE = Form("MergePullRequestForm", f"Do! {_WISH} merge_when_checks_succeed:bool")


def _pull(call: Call) -> tuple[Row, Row]:
    return pulls.get(call.site, call.repo, call.number("index"))


def _shape(call: Call, issue: Row) -> Json:
    return shapes.pull(call.site, call.site.must("issues", issue["id"]), call.viewer, call.granted)


def _index(call: Call) -> Response:
    by: dict[str, Any] = {}
    if call.query("poster"):
        by["poster"] = (people.find(call.site, call.query("poster")) or {"id": 0})["id"]
    if call.site.flavour.pulls_by_branch:
        by |= {name: call.query(name) for name in ("head", "base") if call.query(name)}
    rows = pulls.of_repo(call.site, call.repo, state=call.query("state", "open"), sort=call.query("sort"), **by)
    return call.paged(rows, lambda row: _listed(call, row), links=True)


def _listed(call: Call, issue: Row) -> Json:
    shape = _shape(call, issue)
    if not call.site.flavour.lists_are_short:
        return shape
    asked: Json = {"requested_reviewers": None, "requested_reviewers_teams": None}
    return {key: value for key, value in (shape | asked).items() if key not in shapes.COUNTS}


def _create(call: Call) -> Json:
    given = call.read(CREATE)
    if given.get("assignee"):
        given["assignees"] = [given.pop("assignee"), *given.get("assignees", [])]
    given.pop("due_date", None)
    names = given.pop("reviewers", []) if call.site.flavour.reviewers_on_create else []
    given["reviewers"] = [people.get(call.site, name) for name in names]
    return _shape(call, pulls.create(call.site, call.actor, call.repo, **given))


def _edit(call: Call) -> Json:
    issue, given = _pull(call)[0], call.read(EDIT)
    apply(call, issue, given, quiet=True)
    if "labels" in given and call.granted.writes(PULLS):
        labels.replace(call.site, call.actor, issue, given["labels"], quiet=True)
    if given.get("base"):
        pulls.set_base(call.site, call.actor, call.site.must("issues", issue["id"]), given["base"])
    return _shape(call, issue)


def _diff(call: Call) -> Response:
    _, pull = _pull(call)
    content = diffs.text(call.site.git(call.repo), shapes.compared_with(call.site, pull), pull["head_sha"])
    return Response(content, content_type="text/plain; charset=utf-8")


def _files(call: Call) -> Response:
    _, pull = _pull(call)
    head = pull["head_sha"]
    found = diffs.changes(call.site.git(call.repo), shapes.compared_with(call.site, pull), head)
    return call.paged(found, lambda change: commit_shapes.changed_file(call.site, call.repo, change, head))


def _update(call: Call) -> None:
    merging.update(call.site, call.actor, _pull(call)[0], call.query("style", "merge"))


def _merge(call: Call) -> Response:
    given = call.read(MERGE)
    if given["Do"] not in STYLES:
        raise Refusal(422, "[Do]: In")
    issue = _pull(call)[0]
    wish = merging.MergeOptions(
        style=given["Do"],
        title=given.get("MergeTitleField", ""),
        message=given.get("MergeMessageField", ""),
        head_sha=given.get("head_commit_id", ""),
        commit_sha=given.get("MergeCommitID", ""),
        delete_branch=given.get("delete_branch_after_merge", False),
        force=given.get("force_merge", False),
    )
    if not given.get("merge_when_checks_succeed"):
        merging.merge(call.site, call.actor, issue, wish)
        return empty(200)
    return empty(201 if merging.schedule(call.site, call.actor, issue, wish) else 200)


def _unschedule(call: Call) -> None:
    merging.unschedule(call.site, call.actor, _pull(call)[0])


_ONE = "~/pulls/<index>"
ROUTES = (
    ApiRoute("GET ~/pulls", _index, "repository"),
    ApiRoute("POST ~/pulls", _create, "repository", login, 201),
    ApiRoute(f"GET {_ONE}", lambda call: _shape(call, _pull(call)[0]), "repository"),
    ApiRoute(f"PATCH {_ONE}", _edit, "repository", login, 201),
    ApiRoute(f"GET {_ONE}.diff", _diff, "repository"),
    ApiRoute(f"GET {_ONE}/files", _files, "repository"),
    ApiRoute(f"POST {_ONE}/update", _update, "repository", login, bare=True),
    ApiRoute(f"POST {_ONE}/merge", _merge, "repository", login),
    ApiRoute(f"DELETE {_ONE}/merge", _unschedule, "repository", login, 204, bare=True),
)
