"""Users, organisations, teams and tokens as JSON."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from forge.embedded.dialect import shaped
from forge.embedded.instance import NOREPLY, ForgeInstance
from forge.embedded.rules import Mode
from forge.embedded.services import orgs
from forge.embedded.state import Row

Json = dict[str, Any]

NEVER = "0001-01-01T00:00:00Z"


def when(seconds: int) -> str:
    """A time as the API writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def when_or_null(seconds: int | None) -> str | None:
    """The same for a time that may not have come."""
    return when(seconds) if seconds else None


def user(site: ForgeInstance, row: Row, viewer: Row | None = None, *, account: bool = True) -> Json:
    """A user or organisation: strangers see no address; the state of an `account` shows only to oneself and admins."""
    own = viewer is not None and bool(viewer["is_admin"] or viewer["id"] == row["id"])
    inside = own and account and not row["is_org"]
    login = row["login"]
    shape = {
        "id": row["id"],
        "login": login,
        "login_name": row["login_name"] if inside else "",
        "source_id": row["source_id"] if inside else 0,
        "full_name": row["full_name"],
        "email": row["email"] if viewer else f"{login.lower()}@{NOREPLY}",
        "avatar_url": _avatar(site, row),
        "html_url": f"{site.url}/{login}",
        "language": "",
        "is_admin": bool(inside and row["is_admin"]),
        "last_login": when(row["last_login"]) if inside else NEVER,
        "created": when(row["created"]),
        "restricted": bool(viewer and account and row["restricted"]),
        "active": bool(inside and row["active"]),
        "prohibit_login": bool(inside and row["prohibit_login"]),
        "location": row["location"],
        "pronouns": "",
        "website": row["website"],
        "description": row["description"],
        "visibility": row["visibility"],
        "followers_count": 0,
        "following_count": 0,
        "starred_repos_count": 0,
        "username": login,
    }
    return shaped(site.flavour, "user", shape)


def org(site: ForgeInstance, row: Row) -> Json:
    """An organisation in its own right."""
    shape = {
        "id": row["id"],
        "name": row["login"],
        "full_name": row["full_name"],
        "email": row["email"],
        "avatar_url": _avatar(site, row),
        "description": row["description"],
        "website": row["website"],
        "location": row["location"],
        "visibility": row["visibility"],
        "repo_admin_change_team_access": False,
        "created": when(row["created"]),
        "username": row["login"],
    }
    return shaped(site.flavour, "org", shape)


def team(site: ForgeInstance, row: Row, *, whole: bool = False) -> Json:
    """A team; its organisation stands in it only when it was just made."""
    units = orgs.units(row)
    return {
        "id": row["id"],
        "name": row["name"],
        "description": row["description"],
        "organization": org(site, site.must("users", row["org_id"])) if whole else None,
        "includes_all_repositories": bool(row["all_repos"]),
        "permission": Mode(row["mode"]).word,
        "units": list(units),
        "units_map": units,
        "can_create_org_repo": bool(row["can_create"]),
    }


def token(site: ForgeInstance, row: Row, text: str = "") -> Json:
    """A token; `text` is known only when it is made."""
    shape = {
        "id": row["id"],
        "name": row["name"],
        "sha1": text,
        "token_last_eight": row["last_eight"],
        "scopes": json.loads(row["scopes"]),
        "created_at": when(row["created"]),
        "last_used_at": NEVER if text else when(row["created"]),
        "repositories": _bound(site, row),
    }
    return shaped(site.flavour, "token", shape)


def _bound(site: ForgeInstance, row: Row) -> list[Json] | None:
    if row["repos"] is None:
        return None
    repos = [site.state.get("repositories", key) for key in json.loads(row["repos"])]
    return [{key: repo[key] for key in ("id", "name", "owner", "full_name")} for repo in repos if repo]


def _avatar(site: ForgeInstance, row: Row) -> str:
    mark = hashlib.sha256((row["email"] or row["login"]).lower().encode()).hexdigest()[:32]
    return f"{site.url}/avatars/{mark}"
