"""What a site admin does: accounts."""

from __future__ import annotations

from flask import Response

from forge.embedded.api import repos as repo_calls
from forge.embedded.api import users
from forge.embedded.api.call import Call, Route, site_admin
from forge.embedded.api.forms import Form
from forge.embedded.services import people
from forge.embedded.shapes import people as shapes
from forge.embedded.shapes.people import Json

_ABOUT = {
    "email": "string", "password": "string", "full_name": "string", "login_name": "string", "source_id": "int64",
    "must_change_password": "bool", "restricted": "bool", "visibility": "string",
}  # fmt: skip
CREATE = Form("CreateUserOption", {"username": "string", **_ABOUT}, ("username", "email"))
EDIT = Form(
    "EditUserOption",
    {
        **_ABOUT,
        "website": "string",
        "location": "string",
        "description": "string",
        "active": "bool",
        "admin": "bool",
        "prohibit_login": "bool",
    },
)
RENAME = Form("RenameUserOption", {"new_username": "string"}, ("new_username",))


def _everybody(call: Call) -> Response:
    rows = call.site.state.rows("SELECT * FROM users WHERE NOT is_org ORDER BY login")
    return call.paged(rows, lambda row: shapes.user(call.site, row, call.actor), links=True)


def _create(call: Call) -> Json:
    given = call.read(CREATE)
    login, password = given.pop("username"), given.pop("password", "")
    return shapes.user(call.site, people.create(call.site, login, password, **given), call.actor)


def _edit(call: Call) -> Json:
    given = call.read(EDIT)
    if "admin" in given:
        given["is_admin"] = given.pop("admin")
    user = people.edit(call.site, people.get(call.site, call.args["username"]), given)
    return shapes.user(call.site, user, call.actor)


def _rename(call: Call) -> None:
    people.rename(call.site, people.get(call.site, call.args["username"]), call.read(RENAME)["new_username"])


def _delete(call: Call) -> None:
    people.delete(call.site, people.get(call.site, call.args["username"]))


def _create_repo(call: Call) -> Json:
    return repo_calls.made(call, people.get(call.site, call.args["username"]))


def _create_token(call: Call) -> Json:
    return users.made_token(call, people.get(call.site, call.args["username"]))


ROUTES = (
    Route("GET /admin/users", _everybody, "admin", site_admin),
    Route("POST /admin/users", _create, "admin", site_admin, 201),
    Route("PATCH /admin/users/<username>", _edit, "admin", site_admin),
    Route("DELETE /admin/users/<username>", _delete, "admin", site_admin, 204, bare=True),
    Route("POST /admin/users/<username>/rename", _rename, "admin", site_admin, 204, bare=True),
    Route("POST /admin/users/<username>/repos", _create_repo, "admin", site_admin, 201),
    Route("POST /admin/users/<username>/tokens", _create_token, "admin", site_admin, 201),
)
