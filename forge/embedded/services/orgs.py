"""Organisations and their teams."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from forge.embedded.instance import ForgeInstance, Missing, Refusal
from forge.embedded.rules import CODE, UNITS, Mode, mode
from forge.embedded.services import people
from forge.embedded.state import Row


def get(site: ForgeInstance, name: str) -> Row:
    """The organisation of that name."""
    org = people.find(site, name)
    if org is None or not org["is_org"]:
        raise Missing
    return org


def create(site: ForgeInstance, actor: Row, name: str, **more: Any) -> Row:
    """Create an organisation; its creator is its first owner."""
    with site.state.writing():
        people.claim(site, name)
        key = site.state.insert("users", login=name, is_org=1, created=site.now(), **more)
        owners = site.state.insert("teams", org_id=key, name="Owners", mode=Mode.OWNER, all_repos=1, can_create=1)
        site.state.insert("team_members", team_id=owners, user_id=actor["id"])
    return site.must("users", key)


def delete(site: ForgeInstance, org: Row) -> None:
    """Remove an organisation that has no repositories left."""
    if site.state.row("SELECT 1 FROM repos WHERE owner_id = ?", org["id"]):
        raise Refusal(422, f"user still has ownership of repositories [uid: {org['id']}]")
    with site.state.writing():
        for team in teams(site, org):
            delete_team(site, team)
        site.state.run("DELETE FROM hooks WHERE owner_id = ?", org["id"])
        site.state.run("DELETE FROM users WHERE id = ?", org["id"])


def rank(site: ForgeInstance, org: Row, user: Row | None) -> Mode:
    """The level of a user in an organisation: NONE outside, OWNER for owners and site admins."""
    if user is None:
        return Mode.NONE
    if user["is_admin"]:
        return Mode.OWNER
    sql = "SELECT max(mode) FROM teams JOIN team_members ON team_id = id WHERE org_id = ? AND user_id = ?"
    highest = site.state.value(sql, org["id"], user["id"])
    return Mode.NONE if highest is None else max(Mode.READ, Mode(highest))


def may_create_repo(site: ForgeInstance, org: Row, user: Row) -> bool:
    """Whether a user may create repositories in an organisation."""
    sql = "SELECT 1 FROM teams JOIN team_members ON team_id = id WHERE org_id = ? AND user_id = ? AND can_create"
    return rank(site, org, user) == Mode.OWNER or site.state.row(sql, org["id"], user["id"]) is not None


def teams(site: ForgeInstance, org: Row) -> list[Row]:
    """The teams of an organisation, by name."""
    return site.state.rows("SELECT * FROM teams WHERE org_id = ? ORDER BY name", org["id"])


def team_named(site: ForgeInstance, org: Row | int, name: str) -> Row | None:
    """One team of an organisation."""
    key = org if isinstance(org, int) else org["id"]
    return site.state.row("SELECT * FROM teams WHERE org_id = ? AND name = ?", key, name)


def create_team(
    site: ForgeInstance, org: Row, name: str, *, permission: str, units: Mapping[str, str], **more: Any
) -> Row:
    """Create a team; below admin its access is `units`, and its level is the lowest of them."""
    level, kept = _levels(site, permission, units)
    with site.state.writing():
        if team_named(site, org, name):
            raise Refusal(422, f"team already exists [org_id: {org['id']}, name: {name}]")
        key = site.state.insert("teams", org_id=org["id"], name=name, mode=level, units=json.dumps(kept), **more)
    return site.must("teams", key)


def edit_team(site: ForgeInstance, team: Row, *, permission: str, units: Mapping[str, str], **more: Any) -> Row:
    """Change a team; without a permission its level stays."""
    changes: Row = {key: value for key, value in more.items() if value is not None}
    if permission:
        level, kept = _levels(site, permission, units)
        changes |= {"mode": level, "units": json.dumps(kept)}
    elif units and team["mode"] < Mode.ADMIN:
        changes["units"] = json.dumps(dict(units))
    site.state.update("teams", team["id"], **changes)
    return site.must("teams", team["id"])


def delete_team(site: ForgeInstance, team: Row) -> None:
    """Remove a team with its memberships."""
    with site.state.writing():
        site.state.run("DELETE FROM team_members WHERE team_id = ?", team["id"])
        site.state.run("DELETE FROM reviews WHERE team_id = ?", team["id"])
        site.state.run("DELETE FROM teams WHERE id = ?", team["id"])


def team_members(site: ForgeInstance, team: Row) -> list[Row]:
    """The members of a team."""
    return site.state.rows(
        "SELECT users.* FROM users JOIN team_members ON user_id = id WHERE team_id = ? ORDER BY login", team["id"]
    )


def join(site: ForgeInstance, team: Row, user: Row) -> None:
    """Add a user to a team."""
    site.state.run("INSERT OR IGNORE INTO team_members VALUES (?, ?)", team["id"], user["id"])


def leave(site: ForgeInstance, team: Row, user: Row) -> None:
    """Remove a user from a team; the last owner stays."""
    with site.state.writing():
        if team["mode"] == Mode.OWNER and [row["id"] for row in team_members(site, team)] == [user["id"]]:
            raise Refusal(422, f"user is the last member of owner team [uid: {user['id']}]")
        site.state.run("DELETE FROM team_members WHERE team_id = ? AND user_id = ?", team["id"], user["id"])


def units(team: Row) -> dict[str, str]:
    """What a team may do with each unit."""
    if team["mode"] >= Mode.ADMIN:
        return dict.fromkeys(UNITS, Mode(team["mode"]).word)
    kept: dict[str, str] = json.loads(team["units"])
    return kept


def _levels(site: ForgeInstance, permission: str, wanted: Mapping[str, str]) -> tuple[Mode, dict[str, str]]:
    level = mode(permission or "read")
    if level >= Mode.ADMIN:
        return Mode.ADMIN, {}
    if not wanted:
        return level, dict.fromkeys(UNITS, level.word) if level else {CODE: "read"}
    lowest = min(mode(word) for word in wanted.values())
    return lowest if site.flavour.unit_teams_have_mode else Mode.NONE, dict(wanted)
