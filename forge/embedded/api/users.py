"""Users as they see themselves and each other, and their tokens."""

from __future__ import annotations

from typing import Any

from flask import Response

from forge.embedded.api.call import Call, Route, answer, login
from forge.embedded.api.forms import Form
from forge.embedded.instance import Missing, Refusal
from forge.embedded.rules import Mode
from forge.embedded.services import orgs, people, repos
from forge.embedded.shapes import people as shapes
from forge.embedded.shapes import repos as repo_shapes
from forge.embedded.shapes.people import Json
from forge.embedded.state import Row

TOKEN = Form("CreateAccessTokenOption", {"name": "string", "scopes": "[]string", "repositories": "[]map"}, ("name",))
SETTINGS = Form(
    "UserSettingsOptions",
    {
        "full_name": "string",
        "website": "string",
        "description": "string",
        "location": "string",
        "hide_activity": "bool",
    },
)


def _me(call: Call) -> Json:
    return shapes.user(call.site, call.actor, call.actor)


def _other(call: Call) -> Json:
    return shapes.user(call.site, people.get(call.site, call.args["username"]), call.viewer)


def _search(call: Call) -> Response:
    sql = "SELECT * FROM users WHERE NOT is_org AND login LIKE '%' || ? || '%' ORDER BY login"
    rows = call.site.state.rows(sql, call.query("q"))
    page = call.paged(rows, lambda row: shapes.user(call.site, row, call.viewer), links=True)
    return answer(
        {"data": page.json, "ok": True},
        headers={key: page.headers[key] for key in ("X-Total-Count", "Link") if key in page.headers},
    )


def _settings(call: Call) -> Json:
    user = call.actor
    fixed = {
        "theme": "forgejo-auto",
        "language": "",
        "diff_view_style": "",
        "pronouns": "",
        "hide_email": False,
        "hide_pronouns": False,
    }
    shown = {key: user[key] for key in ("full_name", "website", "description", "location")}
    return shown | fixed | {"hide_activity": bool(user["hide_activity"]), "enable_repo_unit_hints": True}


def _edit_settings(call: Call) -> Json:
    people.edit(call.site, call.actor, call.read(SETTINGS))
    call.identity = type(call.identity)(people.by_id(call.site, call.actor["id"]), call.identity.token)
    return _settings(call)


def _tokens(call: Call) -> Response:
    user = _self(call, by_password=not call.site.flavour.tokens_by_token)
    return call.paged(people.tokens(call.site, user), lambda row: shapes.token(call.site, row))


def _create_token(call: Call) -> Json:
    user = _self(call, by_password=True)
    return made_token(call, user)


def made_token(call: Call, user: Row) -> Json:
    """Make a token for a user from the body of the call."""
    given = call.read(TOKEN)
    bound = _bound(call, given.get("repositories")) if call.site.flavour.repo_tokens else None
    row, text = people.make_token(call.site, user, given["name"], given.get("scopes", []), bound)
    return shapes.token(call.site, row, text)


def _bound(call: Call, wanted: list[Row] | None) -> list[int] | None:
    if wanted is None:
        return None
    keys = []
    for one in wanted:
        repo = repos.find(call.site, str(one.get("owner", "")), str(one.get("name", "")))
        if repo is None:
            raise Refusal(400, f"repository {one.get('owner', '')}/{one.get('name', '')} does not exist")
        keys.append(repo["id"])
    return keys


def _delete_token(call: Call) -> None:
    user, named = _self(call, by_password=True), call.args["token"]
    found = [row for row in people.tokens(call.site, user) if named in {row["name"], str(row["id"])}]
    if not found:
        raise Missing
    call.site.state.run("DELETE FROM tokens WHERE id = ?", found[0]["id"])


def _self(call: Call, *, by_password: bool = False) -> Row:
    """The user of the path: oneself, or anybody for a site admin; tokens are not made by tokens."""
    if by_password and call.identity.token is not None:
        raise Refusal(401, "auth method not allowed")
    user = people.get(call.site, call.args["username"])
    if user["id"] != call.actor["id"] and not call.actor["is_admin"]:
        raise Refusal(403, "doer should be the site admin or be same as the contextUser")
    return user


def _permissions(call: Call) -> Json:
    user, org = people.get(call.site, call.args["username"]), orgs.get(call.site, call.args["org"])
    rank = orgs.rank(call.site, org, user | {"is_admin": 0})
    return {
        "is_owner": rank == Mode.OWNER,
        "is_admin": rank >= Mode.ADMIN,
        "can_write": rank >= Mode.WRITE,
        "can_read": rank >= Mode.READ,
        "can_create_repository": orgs.may_create_repo(call.site, org, user | {"is_admin": 0}),
    }


def _my_orgs(call: Call) -> Response:
    return call.paged(orgs.of_user(call.site, call.actor), lambda row: shapes.org(call.site, row))


def _my_repos(call: Call) -> Response:
    return _repos(call, call.actor)


def _their_repos(call: Call) -> Response:
    return _repos(call, people.get(call.site, call.args["username"]))


def _repos(call: Call, owner: Row) -> Response:
    pairs: list[Any] = repos.visible(call.site, call.viewer, repos.of_owner(call.site, owner))
    return call.paged(pairs, lambda pair: repo_shapes.repo(call.site, pair[0], call.viewer, pair[1]), links=True)


ROUTES = (
    Route("GET /user", _me, "user", login),
    Route("GET /user/settings", _settings, "user", login),
    Route("PATCH /user/settings", _edit_settings, "user", login),
    Route("GET /user/orgs", _my_orgs, "user", login),
    Route("GET /user/repos", _my_repos, "user", login),
    Route("GET /users/search", _search, "user"),
    Route("GET /users/<username>", _other, "user"),
    Route("GET /users/<username>/repos", _their_repos, "user"),
    Route("GET /users/<username>/orgs/<org>/permissions", _permissions, "organization", login),
    Route("GET /users/<username>/tokens", _tokens, "user", login),
    Route("POST /users/<username>/tokens", _create_token, "user", login, 201),
    Route("DELETE /users/<username>/tokens/<token>", _delete_token, "user", login, 204, bare=True),
)
