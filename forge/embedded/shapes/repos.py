"""Repositories, branches, tags, hooks and protection as JSON."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from forge.embedded import rules
from forge.embedded.dialect import shaped
from forge.embedded.git import Commit
from forge.embedded.instance import ForgeInstance
from forge.embedded.rules import CODE, Access, Mode, ProtectionRule
from forge.embedded.shapes import commits, people
from forge.embedded.shapes.values import NEVER, Json, always, columns, times, when
from forge.embedded.state import Row

SETTINGS: Json = {
    "has_issues": True, "has_wiki": True, "has_pull_requests": True, "has_projects": True, "has_releases": True,
    "has_packages": True, "has_actions": True, "ignore_whitespace_conflicts": False, "allow_merge_commits": True,
    "allow_rebase": True, "allow_rebase_explicit": True, "allow_squash_merge": True, "allow_fast_forward_only_merge": True,
    "allow_rebase_update": True, "default_delete_branch_after_merge": False, "default_merge_style": "merge",
    "default_allow_maintainer_edit": False, "default_update_style": "merge",
    # These two can be set, and are not shown by Forgejo.
    "allow_manual_merge": False, "autodetect_manual_merge": False,
}  # fmt: skip
"""What a repository can be told, and what it does when told nothing."""


REVIEWS = ("pull_request_review_approved", "pull_request_review_rejected", "pull_request_review_comment")
"""The events of reviews."""


def settings(row: Row) -> Json:
    """All settings of a repository."""
    chosen: Json = json.loads(row["settings"])
    return SETTINGS | chosen


def repo(site: ForgeInstance, row: Row, viewer: Row | None, granted: Access | None) -> Json:
    """A repository; `granted` is what its `permissions` say, None leaves them out."""
    web, about = f"{site.url}/{row['full_name']}", settings(row)
    shape = {
        **columns(row, "id name full_name description website default_branch", flags="private template archived"),
        **about,
        "owner": people.user(site, site.must("users", row["owner_id"]), viewer, account=False),
        "empty": site.state.row("SELECT 1 FROM refs WHERE repo_id = ? AND name LIKE 'refs/heads/%'", row["id"]) is None,
        "fork": row["fork_of"] is not None,
        "parent": _parent(site, row, viewer, granted),
        "html_url": web,
        "url": f"{site.api}/repos/{row['full_name']}",
        "languages_url": f"{site.api}/repos/{row['full_name']}/languages",
        "clone_url": f"{web}.git",
        "wiki_clone_url": f"{web}.wiki.git",
        "ssh_url": f"{_ssh(site, row)}.git",
        "wiki_ssh_url": f"{_ssh(site, row)}.wiki.git",
        **_counts(site, row),
        **times(row),
        "archived_at": when(row["archived"]),
        **_UNUSED,
    }
    if granted is not None:
        shape["permissions"] = _permissions(granted)
    if about["has_issues"]:
        shape["internal_tracker"] = _TRACKER
    if about["has_wiki"]:
        shape["wiki_branch"] = row["default_branch"]
    return shaped(site.flavour, "repo", shape)


_UNUSED: Json = {
    **always(False, "mirror has_code has_wiki_contents globally_editable_wiki internal"),
    **always("", "language link original_url avatar_url mirror_interval"), **always(0, "size stars_count watchers_count"),
    "projects_mode": "all", "object_format_name": "sha1", "mirror_updated": NEVER, "repo_transfer": None,
    "topics": [], "licenses": [],
}  # fmt: skip
"""What a repository of a real forge can have, and none has here."""

_TRACKER = always(True, "enable_time_tracker allow_only_contributors_to_track_time enable_issue_dependencies")


def _ssh(site: ForgeInstance, row: Row) -> str:
    host = site.url.partition("://")[2].partition(":")[0]
    return f"ssh://git@{host}/{row['full_name']}"


def _permissions(granted: Access) -> Json:
    code = granted.unit(CODE)
    return {"admin": granted.administers, "push": code >= Mode.WRITE, "pull": code >= Mode.READ}


def _parent(site: ForgeInstance, row: Row, viewer: Row | None, granted: Access | None) -> Json | None:
    origin = site.state.get("repositories", row["fork_of"]) if row["fork_of"] else None
    return repo(site, origin, viewer, granted) if origin else None


def _counts(site: ForgeInstance, row: Row) -> Json:
    sql = "SELECT count(*) FROM issues WHERE repo_id = ? AND closed IS NULL AND is_pull = ?"
    releases = "SELECT count(*) FROM releases WHERE repo_id = ? AND NOT is_tag"
    return {
        "open_issues_count": site.state.value(sql, row["id"], 0),
        "open_pr_counter": site.state.value(sql, row["id"], 1),
        "release_counter": site.state.value(releases, row["id"]),
        "forks_count": site.state.value("SELECT count(*) FROM repos WHERE fork_of = ?", row["id"]),
    }


def branch(site: ForgeInstance, row: Row, name: str, tip: Commit, *, viewer: Row | None, granted: Access) -> Json:
    """A branch; the details of its protection show only to those who may push."""
    rule = rules.rule_for(site, row, name)
    return {
        "name": name,
        "commit": commits.payload(site, row, tip, files=False),
        "protected": rule is not None,
        "required_approvals": rule["required_approvals"] if rule else 0,
        "enable_status_check": rule["enable_status_check"] if rule else False,
        "status_check_contexts": (rule["status_check_contexts"] or []) if rule else [],
        "user_can_push": viewer is not None and rules.may_push(site, row, viewer, name, granted),
        "user_can_merge": viewer is not None and rules.may_merge(site, row, viewer, name, granted),
        "effective_branch_protection_name": rule.name if rule and granted.administers else "",
    }


def tag(site: ForgeInstance, row: Row, name: str, sha: str, *, commit: Commit, message: str) -> Json:
    """A tag; `sha` is that of the tag object, or of the commit for a light one."""
    web = f"{site.url}/{row['full_name']}/archive/{name}"
    shape = {
        "name": name,
        "message": message,
        "id": sha,
        "commit": commits.meta(site, row, commit.sha, commit.committer.when),
        "zipball_url": f"{web}.zip",
        "tarball_url": f"{web}.tar.gz",
        "archive_download_count": {"zip": 0, "tar_gz": 0},
    }
    return shaped(site.flavour, "tag", shape)


def release(site: ForgeInstance, row: Row, entry: Row) -> Json:
    """A release, or what the forge keeps for a tag made through it."""
    web, name = f"{site.url}/{row['full_name']}", entry["tag"]
    api = f"{site.api}/repos/{row['full_name']}/releases/{entry['id']}"
    shape = {
        **columns(entry, "id name body"),
        "tag_name": name,
        "target_commitish": entry["target"],
        "url": api,
        "upload_url": f"{api}/assets",
        "html_url": f"{web}/releases/tag/{name}",
        "tarball_url": f"{web}/archive/{name}.tar.gz",
        "zipball_url": f"{web}/archive/{name}.zip",
        **always(False, "hide_archive_links draft prerelease"),
        **always(when(entry["created"]), "created_at published_at"),
        "author": people.user(site, site.must("users", entry["user_id"])),
        "assets": [],
        "archive_download_count": {"zip": 0, "tar_gz": 0},
    }
    return shaped(site.flavour, "release", shape)


def protection(site: ForgeInstance, row: Row) -> Json:
    """A branch protection rule, with names where the state keeps ids."""
    rule, shape = ProtectionRule(row["name"], rules.PROTECTION | json.loads(row["settings"])), {}
    for key, value in shaped(site.flavour, "protection", dict(rule.settings)).items():
        table = "teams" if key.endswith("_teams") else "users" if "_username" in key else ""
        shape[key] = _names(site, table, value) if table else value
    plain = not set("*?[{") & set(row["name"])
    return {
        "branch_name": row["name"] if plain else "",
        "rule_name": row["name"],
        **shape,
        **times(row),
    }


def _names(site: ForgeInstance, table: str, keys: list[int]) -> list[Any]:
    found = [site.state.get(table, key) for key in keys]
    return [row["name" if table == "teams" else "login"] for row in found if row]


def hook(site: ForgeInstance, row: Row) -> Json:
    """A webhook; its secret is never shown, its authorization header is, as on a real one."""
    shape = {
        **columns(row, "id type branch_filter url content_type", flags="active"),
        "config": {"content_type": row["content_type"], "url": row["url"]},
        "events": _events(site, row),
        "authorization_header": row["authorization"],
        "metadata": None,
        **times(row),
    }
    return shaped(site.flavour, "hook", shape)


def _events(site: ForgeInstance, row: Row) -> list[str]:
    """What a hook has chosen; Gitea tells its events in an order that means nothing."""
    chosen: list[str] = json.loads(row["events"])
    if site.flavour.reviews_are_one_event:
        chosen = list(dict.fromkeys("pull_request_review" if name in REVIEWS else name for name in chosen))
    if site.flavour.events_in_order:
        return chosen
    return sorted(chosen, key=lambda name: hashlib.sha256(f"{row['id']} {name}".encode()).digest())
