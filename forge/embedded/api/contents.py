"""Files: reading and changing them."""

from __future__ import annotations

import mimetypes
from typing import Any

from flask import Response
from werkzeug.http import http_date

from forge.embedded.api.call import Call, Route, answer, code_writer, empty
from forge.embedded.api.forms import Form
from forge.embedded.git import Commit, Entry, Git, Signature
from forge.embedded.instance import Missing, Refusal
from forge.embedded.services import contents
from forge.embedded.services.contents import Edit, decoded
from forge.embedded.shapes import commits as shapes
from forge.embedded.shapes.people import Json
from forge.embedded.state import Row

_ABOUT = {"branch": "string", "new_branch": "string", "message": "string", "author": "map", "committer": "map"}
CREATE = Form("CreateFileOptions", {"content": "string", **_ABOUT})
_UPDATE = {"content": "string", "sha": "string", "from_path": "string", **_ABOUT}
UPDATE = Form("UpdateFileOptions", _UPDATE, ("sha",))
PUT = Form("UpdateFileOptions", _UPDATE)
DELETE = Form("DeleteFileOptions", {"sha": "string", **_ABOUT}, ("sha",))
MANY = Form("ChangeFilesOptions", {"files": "[]map", **_ABOUT}, ("files",))


def _at(call: Call) -> tuple[Git, str, str]:
    """The repository, the commit that is asked for, and how links name it."""
    git, ref = call.site.git(call.repo), call.query("ref")
    name = ref or call.repo["default_branch"]
    sha = git.resolve(name)
    if not sha:
        raise Missing(f"object does not exist [id: {ref}, rel_path: ]", message=call.site.flavour.bad_ref)
    return git, sha, _named(call, name)


def _named(call: Call, name: str) -> str:
    for kind, prefix in (("branch", "heads"), ("tag", "tags")):
        if call.site.state.row(
            "SELECT 1 FROM refs WHERE repo_id = ? AND name = ?", call.repo["id"], f"refs/{prefix}/{name}"
        ):
            return f"{kind}/{name}"
    return f"commit/{name}"


def _entry(call: Call, git: Git, sha: str) -> Entry:
    path = call.args["filepath"].strip("/")
    found = git.tree(sha, path)
    if not found:
        raise Missing(f"object does not exist [id: {call.query('ref')}, rel_path: {path}]", message="GetContentsOrList")
    return found[0]


def _root(call: Call) -> list[Json]:
    git, sha, ref = _at(call)
    return [shapes.content(call.site, call.repo, git, entry, ref, full=False) for entry in git.tree(sha)]


def _show(call: Call) -> Json | list[Json]:
    git, sha, ref = _at(call)
    entry = _entry(call, git, sha)
    if entry.kind != "tree":
        return shapes.content(call.site, call.repo, git, entry, ref, full=True)
    inside = [one._replace(path=f"{entry.path}/{one.path}") for one in git.tree(entry.sha)]
    return [shapes.content(call.site, call.repo, git, one, ref, full=False) for one in inside]


def _raw(call: Call) -> Response:
    git, sha, _ = _at(call)
    entry = _entry(call, git, sha)
    if entry.kind != "blob":
        raise Missing
    changed = git.last_change(sha, entry.path).committer.when
    headers = {"ETag": f'"{entry.sha}"', "Last-Modified": http_date(changed)}
    if call.request.headers.get("If-None-Match") == headers["ETag"]:
        return empty(304, headers)
    headers["Cache-Control"] = call.site.flavour.raw_cache_control
    content = git.blob(entry.sha)
    text = b"\0" not in content
    kind = "text/plain; charset=utf-8" if text else mimetypes.guess_type(entry.path)[0] or "application/octet-stream"
    return Response(content, 200, headers, content_type=kind)


def _signature(call: Call, given: Row | None) -> Signature | None:
    if not given or not given.get("email"):
        return None
    return Signature(str(given.get("name", "")), str(given["email"]), call.site.now())


def _commit(call: Call, given: Row, edits: list[Edit]) -> Commit:
    about: dict[str, Any] = {key: given.get(key, "") for key in ("branch", "new_branch", "message")}
    about |= {key: _signature(call, given.get(key)) for key in ("author", "committer")}
    return contents.commit(call.site, call.actor, call.repo, edits, **about)


def _changed(call: Call, given: Row, commit: Commit, edits: list[Edit]) -> list[Json | None]:
    git, branch = (
        call.site.git(call.repo),
        given.get("new_branch") or given.get("branch") or call.repo["default_branch"],
    )
    found = [next(iter(git.tree(commit.sha, edit.path)), None) for edit in edits]
    return [
        entry and shapes.content(call.site, call.repo, git, entry, f"branch/{branch}", full=True) for entry in found
    ]


def _one(call: Call, form: Form, operation: str) -> Json:
    given = call.read(form)
    operation = "create" if form is PUT and not given.get("sha") else operation
    edit = Edit(
        operation,
        call.args["filepath"],
        decoded(given.get("content", "")),
        given.get("sha", ""),
        given.get("from_path", ""),
    )
    commit = _commit(call, given, [edit])
    content = _changed(call, given, commit, [edit])[0]
    return {"content": content, "commit": shapes.written(call.site, call.repo, commit), "verification": shapes.UNSIGNED}


def _create(call: Call) -> Json:
    return _one(call, CREATE, "create")


def _update(call: Call) -> Response:
    form = PUT if call.site.flavour.put_creates else UPDATE
    told = _one(call, form, "update")
    return answer(told, 200 if call.read(form).get("sha") else 201)


def _delete(call: Call) -> Json:
    return _one(call, DELETE, "delete")


def _many(call: Call) -> Json:
    given = call.read(MANY)
    edits = [_edit(one) for one in given["files"]]
    commit = _commit(call, given, edits)
    files = _changed(call, given, commit, edits)
    return {"files": files, "commit": shapes.written(call.site, call.repo, commit), "verification": shapes.UNSIGNED}


def _edit(given: Row) -> Edit:
    operation, path = str(given.get("operation", "")), str(given.get("path", ""))
    if operation not in {"create", "update", "delete"} or not path:
        raise Refusal(422, "[Operation]: In" if path else "[Path]: Required")
    return Edit(
        operation,
        path,
        decoded(str(given.get("content", ""))),
        str(given.get("sha", "")),
        str(given.get("from_path", "")),
    )


ROUTES = (
    Route("GET ~/contents", _root, "repository"),
    Route("POST ~/contents", _many, "repository", code_writer, 201),
    Route("GET ~/contents/<path:filepath>", _show, "repository"),
    Route("POST ~/contents/<path:filepath>", _create, "repository", code_writer, 201),
    Route("PUT ~/contents/<path:filepath>", _update, "repository", code_writer),
    Route("DELETE ~/contents/<path:filepath>", _delete, "repository", code_writer),
    Route("GET ~/raw/<path:filepath>", _raw, "repository"),
)
