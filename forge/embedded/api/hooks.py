"""Hooks of repositories, organisations, users and the whole forge: the same calls at four places."""

from __future__ import annotations

from typing import Any

from flask import Response

from forge.embedded.api.call import Call, Need, Route, login, repo_admin, site_admin
from forge.embedded.api.forms import Form
from forge.embedded.api.orgs import owner
from forge.embedded.services import hooks, orgs
from forge.embedded.shapes import repos as shapes
from forge.embedded.shapes.people import Json
from forge.embedded.state import Row

_ABOUT = {
    "config": "map",
    "events": "[]string",
    "branch_filter": "string",
    "active": "bool",
    "authorization_header": "string",
}
CREATE = Form("CreateHookOption", {"type": "string", **_ABOUT}, ("type", "config"))
EDIT = Form("EditHookOption", _ABOUT)


def _place(call: Call) -> Row:
    """Whose hooks the path means."""
    if call.repo:
        return {"repo_id": call.repo["id"]}
    if "org" in call.args:
        return {"owner_id": orgs.get(call.site, call.args["org"])["id"]}
    if call.request.path.startswith("/api/v1/admin/"):
        return {"is_system": 1}
    return {"owner_id": call.actor["id"]}


def _index(call: Call) -> Response:
    return call.paged(hooks.of(call.site, _place(call)), lambda row: shapes.hook(call.site, row))


def _create(call: Call) -> Json:
    given, place = call.read(CREATE), _place(call)
    if "is_system" in place:
        # Without this word it is a template that new repositories get a copy of.
        place["is_system"] = str(given["config"].get("is_system_webhook", "")).lower() == "true"
    return shapes.hook(call.site, hooks.create(call.site, place, given))


def _one(call: Call) -> Row:
    return hooks.one(call.site, _place(call), call.number("id"))


def _show(call: Call) -> Json:
    return shapes.hook(call.site, _one(call))


def _edit(call: Call) -> Json:
    return shapes.hook(call.site, hooks.edit(call.site, _one(call), call.read(EDIT)))


def _delete(call: Call) -> None:
    hooks.delete(call.site, _one(call))


def _test(call: Call) -> None:
    hooks.test(call.site, call.actor, call.repo, _one(call))


def _routes(prefix: str, scope: str, need: Need) -> tuple[Route, ...]:
    return (
        Route(f"GET {prefix}/hooks", _index, scope, need),
        Route(f"POST {prefix}/hooks", _create, scope, need, 201),
        Route(f"GET {prefix}/hooks/<id>", _show, scope, need),
        Route(f"PATCH {prefix}/hooks/<id>", _edit, scope, need),
        Route(f"DELETE {prefix}/hooks/<id>", _delete, scope, need, 204, bare=True),
    )


ROUTES: tuple[Any, ...] = (
    *_routes("~", "repository", repo_admin),
    Route("POST ~/hooks/<id>/tests", _test, "repository", repo_admin, 204, bare=True),
    *_routes("/orgs/<org>", "organization", owner),
    *_routes("/admin", "admin", site_admin),
    *_routes("/user", "user", login),
)
