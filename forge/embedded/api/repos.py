"""Repositories, who works on them, and branch protection."""

from __future__ import annotations

from typing import Any

from flask import Response

from forge.embedded import rules
from forge.embedded.api.call import Call, empty
from forge.embedded.api.forms import Form
from forge.embedded.api.hooks import HOOKS
from forge.embedded.api.routes import ApiRoute, login, repo_admin, repo_owner
from forge.embedded.instance import Missing, Refusal
from forge.embedded.services import feed, hooks, people, removal, repos, templates
from forge.embedded.shapes import issues as issue_shapes
from forge.embedded.shapes import people as people_shapes
from forge.embedded.shapes import repos as shapes
from forge.embedded.shapes.values import Json
from forge.embedded.state import Row


def _typed(settings: Json) -> str:
    """Settings as keys of a form, each of the type of its default."""
    kinds: dict[type, str] = {bool: "bool", int: "int64", str: "string"}
    return " ".join(f"{key}:{kinds.get(type(value), '[]string')}" for key, value in settings.items())


CREATE = Form("CreateRepoOption", "name! description private:bool auto_init:bool template:bool default_branch")
_EDITED = "name description website default_branch private:bool template:bool archived:bool"
EDIT = Form("EditRepoOption", f"{_EDITED} {_typed(shapes.SETTINGS)}")
FORK = Form("CreateForkOption", "name organization")
PERMISSION = Form("AddCollaboratorOption", "permission")
RULE = Form("CreateBranchProtectionOption", f"rule_name branch_name {_typed(rules.PROTECTION)}")
_ONLY_OWN = "Only admins can query all permissions, repo admins can query all repo permissions, collaborators can query only their own"


def create(call: Call, owner: Row) -> Json:
    """Make a repository of an owner from the body of the call."""
    given = call.read(CREATE)
    repo = repos.create(call.site, call.actor, owner, given.pop("name"), **given)
    return shapes.repo(call.site, repo, call.actor, rules.access(call.site, call.actor, repo))


def _show(call: Call) -> Json:
    viewer = call.viewer if call.granted.reads() else None
    return shapes.repo(call.site, call.repo, viewer, call.granted)


def _show_by_id(call: Call) -> Json:
    repo = call.site.must("repositories", call.number("id"))
    granted = rules.limited(rules.access(call.site, call.viewer, repo), repo, call.identity.token)
    if not granted.reads():
        raise Missing
    if call.identity.public_only and repo["private"]:
        raise Refusal(403, "token scope is limited to public repos")
    return shapes.repo(call.site, repo, call.viewer, granted)


def _edit(call: Call) -> Json:
    repo = repos.edit(call.site, call.actor, call.repo, call.read(EDIT))
    return shapes.repo(call.site, repo, call.actor, call.granted)


def _delete(call: Call) -> None:
    removal.delete_repo(call.site, call.actor, call.repo)


def _fork(call: Call) -> Json:
    given = call.read(FORK)
    owner = people.get(call.site, given["organization"]) if "organization" in given else call.actor
    copy = repos.fork(call.site, call.actor, call.repo, owner, given.get("name") or call.repo["name"])
    return shapes.repo(call.site, copy, call.actor, rules.access(call.site, call.actor, copy))


def _activities(call: Call) -> Response:
    shown, rows = shapes.repo(call.site, call.repo, call.viewer, call.granted), feed.of_repo(call.site, call.repo)
    return call.paged(rows, lambda row: issue_shapes.activity(call.site, row, call.viewer, shown))


def _issue_templates(call: Call) -> list[Json]:
    return list(templates.of(call.site, call.repo))


def _test_hook(call: Call) -> None:
    hook = call.one(hooks.of(call.site, {"repo_id": call.repo["id"]}))
    hooks.test(call.site, call.actor, call.repo, hook)


# Collaborators
def _collaborators(call: Call) -> Response:
    rows = repos.collaborators(call.site, call.repo)
    return call.paged(rows, lambda row: people_shapes.user(call.site, row, call.viewer))


def _is_collaborator(call: Call) -> Response:
    known = {row["login"].lower() for row in repos.collaborators(call.site, call.repo)}
    if call.args["who"].lower() not in known:
        raise Missing
    return empty(204)


def _add_collaborator(call: Call) -> None:
    user = people.named(call.site, call.args["who"])
    repos.add_collaborator(call.site, call.repo, user, call.read(PERMISSION).get("permission", ""))


def _remove_collaborator(call: Call) -> None:
    repos.remove_collaborator(call.site, call.repo, people.named(call.site, call.args["who"]))


def _permission(call: Call) -> Json:
    own = call.site.flavour.own_permission and call.actor["login"].lower() == call.args["who"].lower()
    if not (call.granted.administers or own):
        raise Refusal(403, _ONLY_OWN)
    user = people.named(call.site, call.args["who"], status=404)
    word = rules.access(call.site, user, call.repo).mode.word
    shown = people_shapes.user(call.site, user, call.viewer, account=False)
    return {"permission": word, "role_name": word, "user": shown}


# Branch protection
def _protections(call: Call) -> list[Json]:
    rows: list[Any] = call.site.state.rows("SELECT * FROM protections WHERE repo_id = ? ORDER BY id", call.repo["id"])
    return [shapes.protection(call.site, row) for row in rows]


def _rule(call: Call) -> Row:
    row = repos.protection(call.site, call.repo, call.args["rule"])
    if row is None:
        raise Missing
    return row


def _protect(call: Call) -> Json:
    given = call.read(RULE)
    name = given.get("rule_name") or given.get("branch_name") or ""
    if not name:
        raise Refusal(400, "both rule_name and branch_name are empty")
    if repos.protection(call.site, call.repo, name):
        raise Refusal(403, "Branch protection already exist")
    return shapes.protection(call.site, repos.protect(call.site, call.repo, name, given))


def _edit_protection(call: Call) -> Json:
    return shapes.protection(call.site, repos.protect(call.site, call.repo, _rule(call)["name"], call.read(RULE)))


def _unprotect(call: Call) -> None:
    call.site.state.run("DELETE FROM protections WHERE id = ?", _rule(call)["id"])


_SCOPE, _WHO, _RULES = "repository", "~/collaborators/<who>", "~/branch_protections"
ROUTES = (
    ApiRoute("POST /user/repos", lambda call: create(call, call.actor), "user", login, 201),
    ApiRoute("GET /repositories/<id>", _show_by_id, _SCOPE),
    ApiRoute("GET ~", _show, _SCOPE),
    ApiRoute("PATCH ~", _edit, _SCOPE, repo_admin),
    ApiRoute("DELETE ~", _delete, _SCOPE, repo_owner, 204, bare=True),
    ApiRoute("POST ~/forks", _fork, _SCOPE, login, 202),
    ApiRoute("GET ~/issue_templates", _issue_templates, _SCOPE),
    ApiRoute("GET ~/activities/feeds", _activities, _SCOPE),
    *HOOKS.routes("~/hooks", _SCOPE, reads=repo_admin, writes=repo_admin),
    ApiRoute("POST ~/hooks/<id>/tests", _test_hook, _SCOPE, repo_admin, 204, bare=True),
    ApiRoute("GET ~/collaborators", _collaborators, _SCOPE, login),
    ApiRoute(f"GET {_WHO}", _is_collaborator, _SCOPE, login),
    ApiRoute(f"PUT {_WHO}", _add_collaborator, _SCOPE, repo_admin, 204, bare=True),
    ApiRoute(f"DELETE {_WHO}", _remove_collaborator, _SCOPE, repo_admin, 204, bare=True),
    ApiRoute(f"GET {_WHO}/permission", _permission, _SCOPE, login),
    ApiRoute(f"GET {_RULES}", _protections, _SCOPE, repo_admin),
    ApiRoute(f"POST {_RULES}", _protect, _SCOPE, repo_admin, 201),
    ApiRoute(f"GET {_RULES}/<path:rule>", lambda call: shapes.protection(call.site, _rule(call)), _SCOPE, repo_admin),
    ApiRoute(f"PATCH {_RULES}/<path:rule>", _edit_protection, _SCOPE, repo_admin),
    ApiRoute(f"DELETE {_RULES}/<path:rule>", _unprotect, _SCOPE, repo_admin, 204, bare=True),
)
