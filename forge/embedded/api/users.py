"""Users, their settings and their tokens."""

from __future__ import annotations

from typing import Any

from flask import Response

from forge.embedded.api import repos as repo_calls
from forge.embedded.api.call import Call
from forge.embedded.api.forms import Form
from forge.embedded.api.routes import ApiRoute, login, site_admin
from forge.embedded.instance import Missing, Refusal
from forge.embedded.services import people, repos
from forge.embedded.shapes import people as shapes
from forge.embedded.shapes import repos as repo_shapes
from forge.embedded.shapes.values import Json
from forge.embedded.state import Row

_ABOUT = "password full_name login_name source_id:int64 must_change_password:bool restricted:bool visibility"
_EDITED = "email website location description active:bool admin:bool prohibit_login:bool"
CREATE = Form("CreateUserOption", f"username! email! {_ABOUT}")
EDIT = Form("EditUserOption", f"{_ABOUT} {_EDITED}")
RENAME = Form("RenameUserOption", "new_username!")
TOKEN = Form("CreateAccessTokenOption", "name! scopes:[]string repositories:[]map")
SETTINGS = Form("UserSettingsOptions", "full_name website description location hide_activity:bool")


def _named(call: Call) -> Row:
    return people.get(call.site, call.args["username"])


def _settings(call: Call) -> Json:
    user = people.by_id(call.site, call.actor["id"])
    shown = {key: user[key] for key in ("full_name", "website", "description", "location")}
    return shown | {"hide_activity": bool(user["hide_activity"])} | shapes.PREFERENCES


def _edit_settings(call: Call) -> Json:
    people.edit(call.site, call.actor, call.read(SETTINGS))
    return _settings(call)


def _repos(call: Call, owner: Row) -> Response:
    pairs: list[Any] = repos.visible(call.site, call.viewer, repos.of_owner(call.site, owner))
    return call.paged(pairs, lambda pair: repo_shapes.repo(call.site, pair[0], call.viewer, pair[1]), links=True)


# Tokens
def _tokens(call: Call) -> Response:
    user = _self(call, by_password=not call.site.flavour.tokens_by_token)
    return call.paged(people.tokens(call.site, user), lambda row: shapes.token(call.site, row))


def _create_token(call: Call) -> Json:
    user, given = _self(call, by_password=True), call.read(TOKEN)
    bound = _bound(call, given.get("repositories")) if call.site.flavour.repo_tokens else None
    row, text = people.make_token(call.site, user, given["name"], given.get("scopes", []), bound)
    return shapes.token(call.site, row, text)


def _bound(call: Call, wanted: list[Row] | None) -> list[int] | None:
    """The ids of the repositories that a token is for; None for a token without limits."""
    if wanted is None:
        return None
    keys = []
    for one in wanted:
        owner, name = str(one.get("owner", "")), str(one.get("name", ""))
        repo = repos.find(call.site, owner, name)
        if repo is None:
            raise Refusal(400, f"repository {owner}/{name} does not exist")
        keys.append(repo["id"])
    return keys


def _delete_token(call: Call) -> None:
    user, named = _self(call, by_password=True), call.args["token"]
    found = [row for row in people.tokens(call.site, user) if named in {row["name"], str(row["id"])}]
    if not found:
        raise Missing
    call.site.state.run("DELETE FROM tokens WHERE id = ?", found[0]["id"])


def _self(call: Call, *, by_password: bool = False) -> Row:
    """The user in the path: oneself, or anybody for a site admin; tokens do not make tokens."""
    if by_password and call.identity.token is not None:
        raise Refusal(401, "auth method not allowed")
    user = _named(call)
    if user["id"] != call.actor["id"] and not call.actor["is_admin"]:
        raise Refusal(403, "doer should be the site admin or be same as the contextUser")
    return user


# What a site admin does
def _everybody(call: Call) -> Response:
    rows = call.site.state.rows("SELECT * FROM users WHERE NOT is_org ORDER BY login")
    return call.paged(rows, lambda row: shapes.user(call.site, row, call.actor), links=True)


def _create(call: Call) -> Json:
    given = call.read(CREATE)
    user = people.create(call.site, given.pop("username"), given.pop("password", ""), **given)
    return shapes.user(call.site, user, call.actor)


def _edit(call: Call) -> Json:
    given = call.read(EDIT)
    if "admin" in given:
        given["is_admin"] = given.pop("admin")
    return shapes.user(call.site, people.edit(call.site, _named(call), given), call.actor)


def _rename(call: Call) -> None:
    people.rename(call.site, _named(call), call.read(RENAME)["new_username"])


def _delete(call: Call) -> None:
    people.delete(call.site, _named(call))


_USER, _ADMINISTERED = "/users/<username>", "/admin/users/<username>"
ROUTES = (
    ApiRoute("GET /user", lambda call: shapes.user(call.site, call.actor, call.actor), "user", login),
    ApiRoute("GET /user/settings", _settings, "user", login),
    ApiRoute("PATCH /user/settings", _edit_settings, "user", login),
    ApiRoute(f"GET {_USER}", lambda call: shapes.user(call.site, _named(call), call.viewer), "user"),
    ApiRoute(f"GET {_USER}/repos", lambda call: _repos(call, _named(call)), "user"),
    ApiRoute(f"GET {_USER}/tokens", _tokens, "user", login),
    ApiRoute(f"POST {_USER}/tokens", _create_token, "user", login, 201),
    ApiRoute(f"DELETE {_USER}/tokens/<token>", _delete_token, "user", login, 204, bare=True),
    ApiRoute("GET /admin/users", _everybody, "admin", site_admin),
    ApiRoute("POST /admin/users", _create, "admin", site_admin, 201),
    ApiRoute(f"PATCH {_ADMINISTERED}", _edit, "admin", site_admin),
    ApiRoute(f"DELETE {_ADMINISTERED}", _delete, "admin", site_admin, 204, bare=True),
    ApiRoute(f"POST {_ADMINISTERED}/rename", _rename, "admin", site_admin, 204, bare=True),
    ApiRoute(
        f"POST {_ADMINISTERED}/repos", lambda call: repo_calls.create(call, _named(call)), "admin", site_admin, 201
    ),
)
