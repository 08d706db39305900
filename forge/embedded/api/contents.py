"""Files: reading and changing them."""

from __future__ import annotations

from typing import Any

from flask import Response

from forge.embedded.api.call import Call, answer
from forge.embedded.api.forms import Form
from forge.embedded.api.routes import ApiRoute, code_writer
from forge.embedded.git import Commit
from forge.embedded.instance import Missing, Refusal
from forge.embedded.services import contents, repos
from forge.embedded.services.contents import ContentEdit, decoded
from forge.embedded.shapes import commits as shapes
from forge.embedded.shapes.values import Json
from forge.embedded.state import Row

_ABOUT = "branch new_branch message"
CREATE = Form("CreateFileOptions", f"content {_ABOUT}")
UPDATE = Form("UpdateFileOptions", f"content sha! {_ABOUT}")
PUT = Form("UpdateFileOptions", f"content sha {_ABOUT}")
DELETE = Form("DeleteFileOptions", f"sha! {_ABOUT}")
MANY = Form("ChangeFilesOptions", f"files!:[]map {_ABOUT}")


def _show(call: Call) -> Json | list[Json]:
    git, ref = call.site.git(call.repo), call.query("ref")
    name = ref or call.repo["default_branch"]
    sha, path = git.resolve(name), call.args["filepath"].strip("/")
    if not sha:
        raise Missing(f"object does not exist [id: {ref}, rel_path: ]", message=call.site.flavour.bad_ref)
    entry = next(iter(git.tree(sha, path)), None)
    if entry is None:
        raise Missing(f"object does not exist [id: {ref}, rel_path: {path}]", message="GetContentsOrList")
    kinds = {kind: f"refs/{prefix}/{name}" for kind, prefix in (("branch", "heads"), ("tag", "tags"))}
    kind = next((kind for kind, full in kinds.items() if repos.ref(call.site, call.repo, full)), "commit")
    if entry.kind != "tree":
        return shapes.content(call.site, call.repo, git, entry, f"{kind}/{name}", full=True)
    inside = [one._replace(path=f"{entry.path}/{one.path}") for one in git.tree(entry.sha)]
    return [shapes.content(call.site, call.repo, git, one, f"{kind}/{name}", full=False) for one in inside]


def _edit(given: Row) -> ContentEdit:
    operation, path, content, sha = (str(given.get(key, "")) for key in ("operation", "path", "content", "sha"))
    return ContentEdit(operation, path, decoded(content), sha)


def _commit(call: Call, given: Row, edits: list[ContentEdit]) -> tuple[Commit, list[Json | None]]:
    """Commit edits; answers the commit and the changed files, None for a deleted one."""
    about: dict[str, Any] = {key: given.get(key, "") for key in ("branch", "new_branch", "message")}
    commit, git = contents.commit(call.site, call.actor, call.repo, edits, **about), call.site.git(call.repo)
    branch = f"branch/{about['new_branch'] or about['branch'] or call.repo['default_branch']}"
    found = [next(iter(git.tree(commit.sha, edit.path)), None) for edit in edits]
    return commit, [entry and shapes.content(call.site, call.repo, git, entry, branch, full=True) for entry in found]


def _one(call: Call, given: Row, operation: str) -> Json:
    edit = _edit(given | {"operation": operation, "path": call.args["filepath"]})
    commit, files = _commit(call, given, [edit])
    return {"content": files[0], **_about(call, commit)}


def _about(call: Call, commit: Commit) -> Json:
    return {"commit": shapes.written(call.site, call.repo, commit), "verification": shapes.UNSIGNED}


def _update(call: Call) -> Response:
    given = call.read(PUT if call.site.flavour.put_creates else UPDATE)
    known = bool(given.get("sha"))
    return answer(_one(call, given, "update" if known else "create"), 200 if known else 201)


def _many(call: Call) -> Json:
    given = call.read(MANY)
    edits = [_edit(one) for one in given["files"]]
    for edit in edits:
        if edit.operation not in {"create", "update", "delete"} or not edit.path:
            raise Refusal(422, "[Operation]: In" if edit.path else "[Path]: Required")
    commit, files = _commit(call, given, edits)
    return {"files": files, **_about(call, commit)}


_FILE = "~/contents/<path:filepath>"
ROUTES = (
    ApiRoute("POST ~/contents", _many, "repository", code_writer, 201),
    ApiRoute(f"GET {_FILE}", _show, "repository"),
    ApiRoute(f"POST {_FILE}", lambda call: _one(call, call.read(CREATE), "create"), "repository", code_writer, 201),
    ApiRoute(f"PUT {_FILE}", _update, "repository", code_writer),
    ApiRoute(f"DELETE {_FILE}", lambda call: _one(call, call.read(DELETE), "delete"), "repository", code_writer),
)
