"""Pull requests and merging."""

from __future__ import annotations

from typing import Any

from flask import Response

from forge.embedded import diffs
from forge.embedded.api.call import Call, Route, empty, login
from forge.embedded.api.code import page_headers
from forge.embedded.api.forms import Form
from forge.embedded.api.issues import apply
from forge.embedded.instance import Missing, Refusal
from forge.embedded.merges import STYLES
from forge.embedded.rules import PULLS
from forge.embedded.services import labels, merging, people, pulls
from forge.embedded.shapes import commits as commit_shapes
from forge.embedded.shapes import pulls as shapes
from forge.embedded.shapes.people import Json
from forge.embedded.state import Row

_ABOUT = {
    "title": "string", "body": "string", "base": "string", "assignee": "string", "assignees": "[]string", "labels": "[]int64",
    "milestone": "int64", "due_date": "time",
}  # fmt: skip
CREATE = Form(
    "CreatePullRequestOption", {"head": "string", "reviewers": "[]string", **_ABOUT}, ("head", "base", "title")
)
EDIT = Form(
    "EditPullRequestOption", {**_ABOUT, "state": "string", "unset_due_date": "bool", "allow_maintainer_edit": "bool"}
)
MERGE = Form(
    "MergePullRequestForm",
    {
        "Do": "string",
        "MergeCommitID": "string",
        "MergeTitleField": "string",
        "MergeMessageField": "string",
        "head_commit_id": "string",
        "force_merge": "bool",
        "delete_branch_after_merge": "bool",
        "merge_when_checks_succeed": "bool",
    },
    ("Do",),
)


def _pull(call: Call) -> tuple[Row, Row]:
    return pulls.get(call.site, call.repo, call.number("index"))


def _shape(call: Call, issue: Row) -> Json:
    return shapes.pull(call.site, call.site.must("issues", issue["id"]), call.viewer, call.granted)


def _index(call: Call) -> Response:
    by: dict[str, Any] = {}
    if call.query("labels"):
        by["labels"] = "[" + ",".join(part for part in call.request.args.getlist("labels") if part.isdigit()) + "]"
    if call.query("milestone").isdigit():
        by["milestone"] = int(call.query("milestone"))
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


def _show(call: Call) -> Json:
    return _shape(call, _pull(call)[0])


def _by_refs(call: Call) -> Json:
    return _shape(call, pulls.by_refs(call.site, call.repo, call.args["base"], call.args["head"]))


def _edit(call: Call) -> Json:
    issue, given = _pull(call)[0], call.read(EDIT)
    writer = call.granted.writes(PULLS)
    if issue["user_id"] != call.actor["id"] and not writer:
        raise Refusal(403, None)
    apply(call, issue, given, writer=writer, quiet=True)
    if writer and "labels" in given:
        labels.replace(call.site, call.actor, issue, given["labels"], quiet=True)
    if given.get("base"):
        pulls.set_base(call.site, call.actor, call.site.must("issues", issue["id"]), given["base"])
    return _shape(call, issue)


def _diff(call: Call) -> Response:
    _, pull = _pull(call)
    return _text(diffs.text(call.site.git(call.repo), pull["merge_base"], pull["head_sha"]))


def _patch(call: Call) -> Response:
    _, pull = _pull(call)
    return _text(diffs.patch(call.site.git(call.repo), pull["merge_base"], pull["head_sha"]))


def _text(content: bytes) -> Response:
    return Response(content, content_type="text/plain; charset=utf-8")


def _files(call: Call) -> Response:
    _, pull = _pull(call)
    found = diffs.changes(call.site.git(call.repo), pull["merge_base"], pull["head_sha"])
    response = call.paged(
        found, lambda change: commit_shapes.changed_file(call.site, call.repo, change, pull["head_sha"])
    )
    response.headers.update(page_headers(*call.page, len(found)))
    return response


def _commits(call: Call) -> Response:
    _, pull = _pull(call)
    found = call.site.git(call.repo).commits(f"{pull['merge_base']}..{pull['head_sha']}")
    response = call.paged(found, lambda commit: commit_shapes.whole(call.site, call.repo, commit))
    response.headers.update(page_headers(*call.page, len(found)))
    return response


def _update(call: Call) -> None:
    merging.update(call.site, call.actor, _pull(call)[0], call.query("style", "merge"))


def _is_merged(call: Call) -> Response:
    if _pull(call)[1]["merged"] is None:
        raise Missing
    return empty(204)


def _merge(call: Call) -> Response:
    given = call.read(MERGE)
    if given["Do"] not in STYLES:
        raise Refusal(422, "[Do]: In")
    issue = _pull(call)[0]
    wish = merging.Wish(
        style=given["Do"],
        title=given.get("MergeTitleField", ""),
        message=given.get("MergeMessageField", ""),
        head_sha=given.get("head_commit_id", ""),
        commit_sha=given.get("MergeCommitID", ""),
        delete_branch=given.get("delete_branch_after_merge", False),
        force=given.get("force_merge", False),
    )
    if given.get("merge_when_checks_succeed") and merging.schedule(call.site, call.actor, issue, wish):
        return empty(201)
    if not given.get("merge_when_checks_succeed"):
        merging.merge(call.site, call.actor, issue, wish)
    return empty(200)


def _unschedule(call: Call) -> None:
    merging.unschedule(call.site, call.actor, _pull(call)[0])


_ONE = "~/pulls/<index>"
ROUTES = (
    Route("GET ~/pulls", _index, "repository"),
    Route("POST ~/pulls", _create, "repository", login, 201),
    Route(f"GET {_ONE}", _show, "repository"),
    Route(f"PATCH {_ONE}", _edit, "repository", login, 201),
    Route(f"GET {_ONE}.diff", _diff, "repository"),
    Route(f"GET {_ONE}.patch", _patch, "repository"),
    Route(f"GET {_ONE}/files", _files, "repository"),
    Route(f"GET {_ONE}/commits", _commits, "repository"),
    Route(f"POST {_ONE}/update", _update, "repository", login, bare=True),
    Route(f"GET {_ONE}/merge", _is_merged, "repository"),
    Route(f"POST {_ONE}/merge", _merge, "repository", login),
    Route(f"DELETE {_ONE}/merge", _unschedule, "repository", login, 204, bare=True),
    Route("GET ~/pulls/<base>/<path:head>", _by_refs, "repository"),
)
