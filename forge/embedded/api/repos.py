"""Repositories and who works on them."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from flask import Response

from forge.embedded import rules
from forge.embedded.api.call import Call, Route, answer, empty, login, repo_admin, repo_owner
from forge.embedded.api.forms import Form
from forge.embedded.instance import Missing, Refusal
from forge.embedded.services import feed, people, removal, repos
from forge.embedded.shapes import issues as issue_shapes
from forge.embedded.shapes import people as people_shapes
from forge.embedded.shapes import repos as shapes
from forge.embedded.shapes.people import Json, when
from forge.embedded.state import Row

CREATE = Form(
    "CreateRepoOption",
    {
        "name": "string",
        "description": "string",
        "private": "bool",
        "auto_init": "bool",
        "template": "bool",
        "default_branch": "string",
    },
    ("name",),
)
EDIT = Form(
    "EditRepoOption",
    {
        **{key: "bool" if isinstance(value, bool) else "string" for key, value in shapes.SETTINGS.items()},
        **dict.fromkeys(("name", "description", "website", "default_branch"), "string"),
        **dict.fromkeys(("private", "template", "archived"), "bool"),
    },
)
FORK = Form("CreateForkOption", {"name": "string", "organization": "string"})
PERMISSION = Form("AddCollaboratorOption", {"permission": "string"})
KEY = Form("CreateKeyOption", {"title": "string", "key": "string", "read_only": "bool"}, ("title", "key"))
RULE = Form("CreateBranchProtectionOption", {"rule_name": "string", "branch_name": "string"} | {
    key: "bool" if isinstance(value, bool) else "int64" if isinstance(value, int) else "string" if isinstance(value, str) else "[]string"
    for key, value in rules.PROTECTION.items()
})  # fmt: skip
_ONLY_OWN = "Only admins can query all permissions, repo admins can query all repo permissions, collaborators can query only their own"


def made(call: Call, owner: Row) -> Json:
    """Make a repository of an owner from the body of the call."""
    given = call.read(CREATE)
    repo = repos.create(call.site, call.actor, owner, given.pop("name"), **given)
    return shapes.repo(call.site, repo, call.actor, rules.access(call.site, call.actor, repo))


def _create(call: Call) -> Json:
    return made(call, call.actor)


def _show(call: Call) -> Json:
    viewer = call.viewer if call.granted.reads() else None
    return shapes.repo(call.site, call.repo, viewer, call.granted)


def _show_by_id(call: Call) -> Json:
    repo = call.site.state.get("repositories", call.number("id")) or {}
    granted = rules.limited(rules.access(call.site, call.viewer, repo), repo, call.identity.token) if repo else None
    if granted is None or not granted.reads():
        raise Missing
    if call.identity.public_only and repo["private"]:
        raise Refusal(403, "token scope is limited to public repos")
    return shapes.repo(call.site, repo, call.viewer, granted)


def _edit(call: Call) -> Json:
    repo = repos.edit(call.site, call.actor, call.repo, call.read(EDIT))
    return shapes.repo(call.site, repo, call.actor, call.granted)


def _delete(call: Call) -> None:
    removal.delete_repo(call.site, call.actor, call.repo)


def _search(call: Call) -> Response:
    pairs: list[Any] = repos.visible(call.site, call.viewer, repos.search(call.site, call.query("q")))
    page = call.paged(
        pairs,
        lambda pair: shapes.repo(call.site, pair[0], call.viewer, rules.limited(pair[1], pair[0], call.identity.token)),
        links=True,
    )
    return answer(
        {"ok": True, "data": page.json},
        headers={key: page.headers[key] for key in ("X-Total-Count", "Link") if key in page.headers},
    )


def _fork(call: Call) -> Json:
    given = call.read(FORK)
    owner = people.get(call.site, given["organization"]) if "organization" in given else call.actor
    copy = repos.fork(call.site, call.actor, call.repo, owner, given.get("name") or call.repo["name"])
    return shapes.repo(call.site, copy, call.actor, rules.access(call.site, call.actor, copy))


def _forks(call: Call) -> Response:
    rows = call.site.state.rows("SELECT * FROM repositories WHERE fork_of = ?", call.repo["id"])
    pairs: list[Any] = repos.visible(call.site, call.viewer, rows)
    return call.paged(pairs, lambda pair: shapes.repo(call.site, pair[0], call.viewer, pair[1]))


def _activities(call: Call) -> Response:
    shown = shapes.repo(call.site, call.repo, call.viewer, call.granted)
    return call.paged(
        feed.of_repo(call.site, call.repo), lambda row: issue_shapes.activity(call.site, row, call.viewer, shown)
    )


def _topics(call: Call) -> Response:
    names = [
        row["name"]
        for row in call.site.state.rows("SELECT name FROM topics WHERE repo_id = ? ORDER BY name", call.repo["id"])
    ]
    return answer({"topics": names}, headers={"X-Total-Count": str(len(names))})


def _add_topic(call: Call) -> None:
    call.site.state.run("INSERT OR IGNORE INTO topics VALUES (?, ?)", call.repo["id"], call.args["topic"].lower())


def _remove_topic(call: Call) -> None:
    if not call.site.state.run(
        "DELETE FROM topics WHERE repo_id = ? AND name = ?", call.repo["id"], call.args["topic"].lower()
    ):
        raise Missing


def _collaborators(call: Call) -> Response:
    rows = repos.collaborators(call.site, call.repo)
    return call.paged(rows, lambda row: people_shapes.user(call.site, row, call.viewer))


def _is_collaborator(call: Call) -> Response:
    known = {row["login"].lower() for row in repos.collaborators(call.site, call.repo)}
    if call.args["who"].lower() not in known:
        raise Missing
    return empty(204)


def _let_in(call: Call) -> None:
    user = people.named(call.site, call.args["who"])
    repos.let_in(call.site, call.repo, user, call.read(PERMISSION).get("permission", ""))


def _put_out(call: Call) -> None:
    repos.put_out(call.site, call.repo, people.named(call.site, call.args["who"]))


def _permission(call: Call) -> Json:
    own = call.site.flavour.own_permission and call.actor["login"].lower() == call.args["who"].lower()
    if not (call.granted.administers or own):
        raise Refusal(403, _ONLY_OWN)
    user = people.named(call.site, call.args["who"], status=404)
    word = rules.access(call.site, user, call.repo).mode.word
    return {
        "permission": word,
        "role_name": word,
        "user": people_shapes.user(call.site, user, call.viewer, account=False),
    }


def _insiders(call: Call) -> list[Json]:
    return [people_shapes.user(call.site, row, call.viewer) for row in repos.insiders(call.site, call.repo)]


def _protections(call: Call) -> list[Json]:
    rows = call.site.state.rows("SELECT * FROM protections WHERE repo_id = ? ORDER BY id", call.repo["id"])
    return [shapes.protection(call.site, row) for row in rows]


def _rule(call: Call) -> Row:
    row = call.site.state.row(
        "SELECT * FROM protections WHERE repo_id = ? AND name = ?", call.repo["id"], call.args["rule"]
    )
    if row is None:
        raise Missing
    return row


def _protection(call: Call) -> Json:
    return shapes.protection(call.site, _rule(call))


def _protect(call: Call) -> Json:
    given = call.read(RULE)
    name = given.get("rule_name") or given.get("branch_name") or ""
    if not name:
        raise Refusal(400, "both rule_name and branch_name are empty")
    if call.site.state.row("SELECT 1 FROM protections WHERE repo_id = ? AND name = ?", call.repo["id"], name):
        raise Refusal(403, "Branch protection already exist")
    return shapes.protection(call.site, repos.protect(call.site, call.repo, name, given))


def _edit_protection(call: Call) -> Json:
    return shapes.protection(call.site, repos.protect(call.site, call.repo, _rule(call)["name"], call.read(RULE)))


def _unprotect(call: Call) -> None:
    call.site.state.run("DELETE FROM protections WHERE id = ?", _rule(call)["id"])


def _keys(call: Call) -> Response:
    rows = call.site.state.rows("SELECT * FROM deploy_keys WHERE repo_id = ? ORDER BY id", call.repo["id"])
    return call.paged(rows, lambda row: _key(call, row))


def _add_key(call: Call) -> Json:
    given = call.read(KEY)
    _fingerprint(given["key"])
    about = {
        "title": given["title"],
        "key": given["key"],
        "read_only": given.get("read_only", False),
        "created": call.site.now(),
    }
    key = call.site.state.insert("deploy_keys", repo_id=call.repo["id"], **about)
    return _key(call, call.site.must("deploy_keys", key))


def _remove_key(call: Call) -> None:
    call.site.state.run("DELETE FROM deploy_keys WHERE repo_id = ? AND id = ?", call.repo["id"], call.number("id"))


def _key(call: Call, row: Row) -> Json:
    return {
        "id": row["id"],
        "key_id": row["id"],
        "key": row["key"],
        "url": f"{call.site.api}/repos/{call.repo['full_name']}/keys/{row['id']}",
        "title": row["title"],
        "fingerprint": _fingerprint(row["key"]),
        "created_at": when(row["created"]),
        "read_only": bool(row["read_only"]),
    }


def _fingerprint(key: str) -> str:
    try:
        digest = hashlib.sha256(base64.b64decode(key.split()[1], validate=True)).digest()
    except (IndexError, binascii.Error) as error:
        raise Refusal(422, "Invalid key content: ssh: no key found") from error
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def no_actions(call: Call) -> Json:
    """No workflows run here, and a forge says so like this."""
    if call.site.flavour.runs_for_admins and not call.granted.administers:
        raise Refusal(403, "user should be the owner of the repo")
    return {"workflow_runs": [], "total_count": 0}


ROUTES = (
    Route("POST /user/repos", _create, "user", login, 201),
    Route("GET /repos/search", _search, "repository"),
    Route("GET /repositories/<id>", _show_by_id, "repository"),
    Route("GET ~", _show, "repository"),
    Route("PATCH ~", _edit, "repository", repo_admin),
    Route("DELETE ~", _delete, "repository", repo_owner, 204, bare=True),
    Route("GET ~/forks", _forks, "repository"),
    Route("POST ~/forks", _fork, "repository", login, 202),
    Route("GET ~/activities/feeds", _activities, "repository"),
    Route("GET ~/topics", _topics, "repository"),
    Route("PUT ~/topics/<topic>", _add_topic, "repository", repo_admin, 204, bare=True),
    Route("DELETE ~/topics/<topic>", _remove_topic, "repository", repo_admin, 204, bare=True),
    Route("GET ~/collaborators", _collaborators, "repository", login),
    Route("GET ~/collaborators/<who>", _is_collaborator, "repository", login),
    Route("PUT ~/collaborators/<who>", _let_in, "repository", repo_admin, 204, bare=True),
    Route("DELETE ~/collaborators/<who>", _put_out, "repository", repo_admin, 204, bare=True),
    Route("GET ~/collaborators/<who>/permission", _permission, "repository", login),
    Route("GET ~/assignees", _insiders, "repository", login),
    Route("GET ~/reviewers", _insiders, "repository", login),
    Route("GET ~/branch_protections", _protections, "repository", repo_admin),
    Route("POST ~/branch_protections", _protect, "repository", repo_admin, 201),
    Route("GET ~/branch_protections/<path:rule>", _protection, "repository", repo_admin),
    Route("PATCH ~/branch_protections/<path:rule>", _edit_protection, "repository", repo_admin),
    Route("DELETE ~/branch_protections/<path:rule>", _unprotect, "repository", repo_admin, 204, bare=True),
    Route("GET ~/keys", _keys, "repository", repo_admin),
    Route("POST ~/keys", _add_key, "repository", repo_admin, 201),
    Route("DELETE ~/keys/<id>", _remove_key, "repository", repo_admin, 204, bare=True),
    Route("GET ~/actions/runs", no_actions, "repository", login),
    Route("GET ~/actions/tasks", no_actions, "repository", login),
)
