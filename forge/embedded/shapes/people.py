"""Users, organisations, teams and tokens as JSON."""

from __future__ import annotations

import hashlib
import json

from forge.embedded.dialect import shaped
from forge.embedded.instance import NOREPLY, ForgeInstance
from forge.embedded.rules import Mode
from forge.embedded.services import orgs
from forge.embedded.shapes.values import NEVER, Json, always, columns, when
from forge.embedded.state import Row

PREFERENCES: Json = {
    "theme": "forgejo-auto", "enable_repo_unit_hints": True,
    **always("", "language diff_view_style pronouns"), **always(False, "hide_email hide_pronouns"),
}  # fmt: skip
"""What a user could have chosen on a real forge."""


def user(site: ForgeInstance, row: Row, viewer: Row | None = None, *, account: bool = True) -> Json:
    """A user or organisation: e-mail addresses are hidden from anonymous viewers.

    The state of an `account` shows only to itself and to admins.
    """
    own = viewer is not None and bool(viewer["is_admin"] or viewer["id"] == row["id"])
    inside = own and account and not row["is_org"]
    login = row["login"]
    shape = {
        **columns(row, "id login full_name location website description visibility"),
        "username": login,
        "login_name": row["login_name"] if inside else "",
        "source_id": row["source_id"] if inside else 0,
        "email": row["email"] if viewer else f"{login.lower()}@{NOREPLY}",
        "avatar_url": _avatar(site, row),
        "html_url": f"{site.url}/{login}",
        "last_login": when(row["last_login"]) if inside else NEVER,
        "created": when(row["created"]),
        "restricted": bool(viewer and account and row["restricted"]),
        **{key: bool(inside and row[key]) for key in ("is_admin", "active", "prohibit_login")},
        **always("", "language pronouns"),
        **always(0, "followers_count following_count starred_repos_count"),
    }
    return shaped(site.flavour, "user", shape)


def org(site: ForgeInstance, row: Row) -> Json:
    """An organisation in its own right."""
    shape = {
        **columns(row, "id full_name email description website location visibility"),
        **always(row["login"], "name username"),
        "avatar_url": _avatar(site, row),
        "repo_admin_change_team_access": False,
        "created": when(row["created"]),
    }
    return shaped(site.flavour, "org", shape)


def team(site: ForgeInstance, row: Row, *, whole: bool = False) -> Json:
    """A team; its organisation is included only when it was just made."""
    units = orgs.units(row)
    return {
        **columns(row, "id name description"),
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
        **columns(row, "id name"),
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
    return [columns(repo, "id name owner full_name") for repo in repos if repo]


def _avatar(site: ForgeInstance, row: Row) -> str:
    mark = hashlib.sha256((row["email"] or row["login"]).lower().encode()).hexdigest()[:32]
    return f"{site.url}/avatars/{mark}"
