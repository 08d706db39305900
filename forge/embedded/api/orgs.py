"""Organisations, their teams and their webhooks."""

from __future__ import annotations

from typing import Any

from flask import Response

from forge.embedded import rules
from forge.embedded.api import repos as repo_calls
from forge.embedded.api.call import Call
from forge.embedded.api.forms import Form
from forge.embedded.api.hooks import HOOKS
from forge.embedded.api.routes import ApiRoute, login, org_member, org_owner
from forge.embedded.instance import Refusal
from forge.embedded.rules import Mode
from forge.embedded.services import feed, orgs, people, repos
from forge.embedded.shapes import issues as issue_shapes
from forge.embedded.shapes import people as shapes
from forge.embedded.shapes import repos as repo_shapes
from forge.embedded.shapes.values import Json
from forge.embedded.state import Row

CREATE = Form("CreateOrgOption", "username! full_name email description website location visibility")
_ABOUT = "permission units:[]string units_map:map includes_all_repositories:bool can_create_org_repo:bool"
TEAM = Form("CreateTeamOption", f"name! description {_ABOUT}")


def _org(call: Call) -> Row:
    return orgs.get(call.site, call.args["org"])


def _create(call: Call) -> Json:
    given = call.read(CREATE)
    return shapes.org(call.site, orgs.create(call.site, call.actor, given.pop("username"), **given))


def _repos(call: Call) -> Response:
    pairs: list[Any] = repos.visible(call.site, call.viewer, repos.of_owner(call.site, _org(call)))
    return call.paged(pairs, lambda pair: repo_shapes.repo(call.site, pair[0], call.viewer, pair[1]))


def _create_repo(call: Call) -> Json:
    org = _org(call)
    if not orgs.may_create_repo(call.site, org, call.actor):
        raise Refusal(403, "Given user is not allowed to create repository in organization.")
    return repo_calls.create(call, org)


def _activities(call: Call) -> Response:
    org = _org(call)
    seen = dict(_shown(call, repo) for repo in repos.of_owner(call.site, org))
    rows = [row for row in feed.of_org(call.site, org) if seen.get(row["repo_id"])]
    return call.paged(rows, lambda row: issue_shapes.activity(call.site, row, call.viewer, seen[row["repo_id"]] or {}))


def _shown(call: Call, repo: Row) -> tuple[int, Json | None]:
    granted = rules.access(call.site, call.viewer, repo)
    return repo["id"], repo_shapes.repo(call.site, repo, call.viewer, granted) if granted.reads() else None


# Teams
def _teams(call: Call) -> Response:
    return call.paged(orgs.teams(call.site, org_member(call)), lambda row: shapes.team(call.site, row))


def _create_team(call: Call) -> Json:
    team = orgs.create_team(call.site, org_owner(call), **_wanted(call))
    return shapes.team(call.site, team, whole=True)


def _edit_team(call: Call) -> Json:
    return shapes.team(call.site, orgs.edit_team(call.site, _team(call, Mode.OWNER), **_wanted(call)))


def _wanted(call: Call) -> Row:
    """The requested settings: units come as a map, or as a list that all get one level."""
    given = call.read(TEAM)
    level = given.get("permission") or "read"
    units = given.get("units_map") or dict.fromkeys(given.get("units", []), level)
    columns = {
        "description": "description",
        "includes_all_repositories": "all_repos",
        "can_create_org_repo": "can_create",
    }
    more = {column: given[key] for key, column in columns.items() if key in given}
    return {"name": given["name"], "permission": given.get("permission", ""), "units": units} | more


def _team(call: Call, lowest: Mode = Mode.READ) -> Row:
    team = call.site.must("teams", call.number("id"))
    if orgs.rank(call.site, call.site.must("users", team["org_id"]), call.actor) < lowest:
        raise Refusal(403, "Must be an organization owner" if lowest == Mode.OWNER else "Must be a team member")
    return team


def _team_members(call: Call) -> Response:
    return call.paged(orgs.team_members(call.site, _team(call)), lambda row: shapes.user(call.site, row, call.viewer))


def _join(call: Call) -> None:
    orgs.join(call.site, _team(call, Mode.OWNER), people.get(call.site, call.args["username"]))


def _leave(call: Call) -> None:
    orgs.leave(call.site, _team(call, Mode.OWNER), people.get(call.site, call.args["username"]))


_SCOPE, _ORG, _TEAM = "organization", "/orgs/<org>", "/teams/<id>"
ROUTES = (
    ApiRoute("POST /orgs", _create, _SCOPE, login, 201),
    ApiRoute(f"GET {_ORG}", lambda call: shapes.org(call.site, _org(call)), _SCOPE),
    ApiRoute(f"DELETE {_ORG}", lambda call: orgs.delete(call.site, org_owner(call)), _SCOPE, login, 204, bare=True),
    ApiRoute(f"GET {_ORG}/repos", _repos, _SCOPE),
    ApiRoute(f"POST {_ORG}/repos", _create_repo, _SCOPE, login, 201),
    ApiRoute(f"GET {_ORG}/activities/feeds", _activities, _SCOPE),
    *HOOKS.routes(f"{_ORG}/hooks", _SCOPE, reads=org_owner, writes=org_owner),
    ApiRoute(f"GET {_ORG}/teams", _teams, _SCOPE, login),
    ApiRoute(f"POST {_ORG}/teams", _create_team, _SCOPE, login, 201),
    ApiRoute(f"PATCH {_TEAM}", _edit_team, _SCOPE, login),
    ApiRoute(f"GET {_TEAM}/members", _team_members, _SCOPE, login),
    ApiRoute(f"PUT {_TEAM}/members/<username>", _join, _SCOPE, login, 204, bare=True),
    ApiRoute(f"DELETE {_TEAM}/members/<username>", _leave, _SCOPE, login, 204, bare=True),
)
