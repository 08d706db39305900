"""Organisations and teams."""

from __future__ import annotations

from typing import Any

from flask import Response

from forge.embedded import rules
from forge.embedded.api import repos as repo_calls
from forge.embedded.api.call import Call, Route, answer, empty, login
from forge.embedded.api.forms import Form
from forge.embedded.instance import Missing, Refusal
from forge.embedded.rules import Mode
from forge.embedded.services import feed, orgs, people, repos
from forge.embedded.shapes import issues as issue_shapes
from forge.embedded.shapes import people as shapes
from forge.embedded.shapes import repos as repo_shapes
from forge.embedded.shapes.people import Json
from forge.embedded.state import Row

_ABOUT = {
    "full_name": "string",
    "email": "string",
    "description": "string",
    "website": "string",
    "location": "string",
    "visibility": "string",
}
CREATE = Form("CreateOrgOption", {"username": "string", **_ABOUT}, ("username",))
EDIT = Form("EditOrgOption", _ABOUT)
TEAM = Form(
    "CreateTeamOption",
    {
        "name": "string",
        "description": "string",
        "permission": "string",
        "units": "[]string",
        "units_map": "map",
        "includes_all_repositories": "bool",
        "can_create_org_repo": "bool",
    },
    ("name",),
)


def owner(call: Call) -> Row:
    """Needs an owner of the organisation; answers the organisation."""
    org = orgs.get(call.site, call.args["org"])
    if orgs.rank(call.site, org, call.actor) < Mode.OWNER:
        raise Refusal(403, "Must be an organization owner")
    return org


def member(call: Call) -> Row:
    """Needs a member of the organisation; answers the organisation."""
    org = orgs.get(call.site, call.args["org"])
    if orgs.rank(call.site, org, call.actor) == Mode.NONE:
        raise Refusal(403, "Must be an organization member")
    return org


def _org(call: Call) -> Row:
    return orgs.get(call.site, call.args["org"])


def _create(call: Call) -> Json:
    given = call.read(CREATE)
    name = given.pop("username")
    return shapes.org(call.site, orgs.create(call.site, call.actor, name, **given))


def _everything(call: Call) -> Response:
    return call.paged(
        call.site.state.rows("SELECT * FROM users WHERE is_org ORDER BY login"), lambda row: shapes.org(call.site, row)
    )


def _show(call: Call) -> Json:
    return shapes.org(call.site, _org(call))


def _edit(call: Call) -> Json:
    return shapes.org(call.site, people.edit(call.site, owner(call), call.read(EDIT)))


def _delete(call: Call) -> None:
    orgs.delete(call.site, owner(call))


def _members(call: Call) -> Response:
    return call.paged(orgs.members(call.site, _org(call)), lambda row: shapes.user(call.site, row, call.viewer))


def _is_member(call: Call) -> Response:
    user = people.find(call.site, call.args["username"])
    if user is None or not orgs.is_member(call.site, _org(call), user):
        raise Missing
    return empty(204)


def _expel(call: Call) -> None:
    org, user = owner(call), people.get(call.site, call.args["username"])
    for team in orgs.teams(call.site, org):
        if user["id"] in {row["id"] for row in orgs.team_members(call.site, team)}:
            orgs.leave(call.site, team, user)


def _list_repos(call: Call) -> Response:
    pairs: list[Any] = repos.visible(call.site, call.viewer, repos.of_owner(call.site, _org(call)))
    return call.paged(pairs, lambda pair: repo_shapes.repo(call.site, pair[0], call.viewer, pair[1]))


def _create_repo(call: Call) -> Json:
    org = _org(call)
    if not orgs.may_create_repo(call.site, org, call.actor):
        raise Refusal(403, "Given user is not allowed to create repository in organization.")
    return repo_calls.made(call, org)


def _activities(call: Call) -> Response:
    org = _org(call)
    seen = dict(_shown(call, repo) for repo in repos.of_owner(call.site, org))
    rows = [row for row in feed.of_org(call.site, org) if seen.get(row["repo_id"])]
    return call.paged(rows, lambda row: issue_shapes.activity(call.site, row, call.viewer, seen[row["repo_id"]] or {}))


def _shown(call: Call, repo: Row) -> tuple[int, Json | None]:
    granted = rules.access(call.site, call.viewer, repo)
    return repo["id"], repo_shapes.repo(call.site, repo, call.viewer, granted) if granted.reads() else None


def _teams(call: Call) -> Response:
    return call.paged(orgs.teams(call.site, member(call)), lambda row: shapes.team(call.site, row))


def _create_team(call: Call) -> Json:
    given = call.read(TEAM)
    more = {"description": given.get("description", ""), "all_repos": given.get("includes_all_repositories", False)}
    more["can_create"] = given.get("can_create_org_repo", False)
    team = orgs.create_team(
        call.site, owner(call), given["name"], permission=given.get("permission", ""), units=_units(given), **more
    )
    return shapes.team(call.site, team, whole=True)


def _units(given: Row) -> dict[str, str]:
    """What units a team gets: by map, or the same level for each of a list."""
    level = given.get("permission") or "read"
    return given.get("units_map") or dict.fromkeys(given.get("units", []), level)


def _team(call: Call, lowest: Mode = Mode.READ) -> Row:
    team = call.site.must("teams", call.number("id"))
    if orgs.rank(call.site, call.site.must("users", team["org_id"]), call.actor) < lowest:
        raise Refusal(403, "Must be an organization owner" if lowest == Mode.OWNER else "Must be a team member")
    return team


def _show_team(call: Call) -> Json:
    return shapes.team(call.site, _team(call), whole=True)


def _edit_team(call: Call) -> Json:
    given = call.read(TEAM)
    more = {
        "name": given["name"],
        "description": given.get("description"),
        "all_repos": given.get("includes_all_repositories"),
    }
    more["can_create"] = given.get("can_create_org_repo")
    team = orgs.edit_team(
        call.site, _team(call, Mode.OWNER), permission=given.get("permission", ""), units=_units(given), **more
    )
    return shapes.team(call.site, team)


def _delete_team(call: Call) -> None:
    orgs.delete_team(call.site, _team(call, Mode.OWNER))


def _team_members(call: Call) -> Response:
    return call.paged(orgs.team_members(call.site, _team(call)), lambda row: shapes.user(call.site, row, call.viewer))


def _team_member(call: Call) -> Response:
    found = [
        row
        for row in orgs.team_members(call.site, _team(call))
        if row["login"].lower() == call.args["username"].lower()
    ]
    if not found:
        raise Missing
    return answer(shapes.user(call.site, found[0], call.viewer))


def _join(call: Call) -> None:
    orgs.join(call.site, _team(call, Mode.OWNER), people.get(call.site, call.args["username"]))


def _leave(call: Call) -> None:
    orgs.leave(call.site, _team(call, Mode.OWNER), people.get(call.site, call.args["username"]))


def _team_repos(call: Call) -> Response:
    pairs: list[Any] = repos.visible(call.site, call.viewer, orgs.team_repos(call.site, _team(call)))
    return call.paged(pairs, lambda pair: repo_shapes.repo(call.site, pair[0], call.viewer, pair[1]))


def _team_repo(call: Call) -> None:
    team, repo = _team(call, Mode.OWNER), repos.get(call.site, call.args["of"], call.args["name"])
    call.site.state.run("INSERT OR IGNORE INTO team_repos VALUES (?, ?)", team["id"], repo["id"])


ROUTES = (
    Route("GET /orgs", _everything, "organization"),
    Route("POST /orgs", _create, "organization", login, 201),
    Route("GET /orgs/<org>", _show, "organization"),
    Route("PATCH /orgs/<org>", _edit, "organization", login),
    Route("DELETE /orgs/<org>", _delete, "organization", login, 204, bare=True),
    Route("GET /orgs/<org>/members", _members, "organization"),
    Route("GET /orgs/<org>/members/<username>", _is_member, "organization"),
    Route("DELETE /orgs/<org>/members/<username>", _expel, "organization", login, 204, bare=True),
    Route("GET /orgs/<org>/repos", _list_repos, "organization"),
    Route("POST /orgs/<org>/repos", _create_repo, "organization", login, 201),
    Route("GET /orgs/<org>/activities/feeds", _activities, "organization"),
    Route("GET /orgs/<org>/teams", _teams, "organization", login),
    Route("POST /orgs/<org>/teams", _create_team, "organization", login, 201),
    Route("GET /teams/<id>", _show_team, "organization", login),
    Route("PATCH /teams/<id>", _edit_team, "organization", login),
    Route("DELETE /teams/<id>", _delete_team, "organization", login, 204, bare=True),
    Route("GET /teams/<id>/members", _team_members, "organization", login),
    Route("GET /teams/<id>/members/<username>", _team_member, "organization", login),
    Route("PUT /teams/<id>/members/<username>", _join, "organization", login, 204, bare=True),
    Route("DELETE /teams/<id>/members/<username>", _leave, "organization", login, 204, bare=True),
    Route("GET /teams/<id>/repos", _team_repos, "organization", login),
    Route("PUT /teams/<id>/repos/<of>/<name>", _team_repo, "organization", login, 204, bare=True),
)
