"""Repositories: finding, making, forking, changing them, and who works on them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from typing import Any

from forge.embedded import events, rules
from forge.embedded.git import EMPTY_TREE, ZERO, Signature, valid_branch
from forge.embedded.instance import NOT_FOUND, ForgeInstance, Missing, Refusal, Renamed
from forge.embedded.rules import Access, Mode
from forge.embedded.services import feed, people
from forge.embedded.shapes.repos import SETTINGS
from forge.embedded.state import Row

_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
_RESERVED = re.compile(r".*\.(git|wiki|rss|atom)$", re.IGNORECASE)


def find(site: ForgeInstance, owner: str, name: str) -> Row | None:
    """The repository of that name."""
    return site.state.row("SELECT * FROM repositories WHERE owner = ? COLLATE NOCASE AND name = ?", owner, name)


def get(site: ForgeInstance, owner: str, name: str) -> Row:
    """The same; a former name raises Renamed, an unknown one Missing."""
    if repo := find(site, owner, name):
        return repo
    sql = """SELECT repositories.* FROM former_names JOIN repositories ON repositories.id = repo_id
             JOIN users ON users.id = former_names.owner_id WHERE login = ? AND former_names.name = ?"""
    if moved := site.state.row(sql, owner, name):
        raise Renamed(f"/{owner}/{name}", f"/{moved['full_name']}", site.flavour.repo_moved_status)
    raise Missing


def visible(site: ForgeInstance, user: Row | None, repos: list[Row]) -> list[tuple[Row, Access]]:
    """The repositories that a user may see, each with the user's access."""
    pairs = [(repo, rules.access(site, user, repo)) for repo in repos]
    return [(repo, granted) for repo, granted in pairs if granted.reads()]


def of_owner(site: ForgeInstance, owner: Row) -> list[Row]:
    """All repositories of a user or organisation."""
    return site.state.rows("SELECT * FROM repositories WHERE owner_id = ? ORDER BY name", owner["id"])


def search(site: ForgeInstance, words: str) -> list[Row]:
    """The repositories whose name contains some words."""
    return site.state.rows("SELECT * FROM repositories WHERE name LIKE '%' || ? || '%' ORDER BY name, id", words)


def signature(site: ForgeInstance, user: Row, when: int | None = None) -> Signature:
    """The signature of commits that the forge makes for a user."""
    return Signature(user["full_name"] or user["login"], user["email"], site.now() if when is None else when)


def tip(site: ForgeInstance, repo: Row, branch: str) -> str:
    """What a branch points to; empty without such a branch."""
    return str((ref(site, repo, f"refs/heads/{branch}") or {"sha": ""})["sha"])


def ref(site: ForgeInstance, repo: Row, name: str) -> Row | None:
    """What is known of a branch or tag, by its full name."""
    return site.state.row("SELECT * FROM refs WHERE repo_id = ? AND name = ?", repo["id"], name)


def no_ref(site: ForgeInstance, repo: Row, name: str, side: str) -> Missing:
    """The refusal of a comparison whose `head` or `base` is not there."""
    words = f"could not find '{name}' to be a commit, branch or tag in the {side} repository {repo['full_name']}"
    return Missing(words, message=site.flavour.base_missing if side == "base" else NOT_FOUND)


def create(site: ForgeInstance, actor: Row, owner: Row, name: str, *, auto_init: bool = False, **more: Any) -> Row:
    """Make a repository, with a first commit if `auto_init`; its default branch is `main` unless told."""
    if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
        raise Refusal(422, "[Name]: invalid repository name")
    columns = {"default_branch": "main"} | {key: value for key, value in more.items() if value not in {None, ""}}
    if not valid_branch(columns["default_branch"]):
        raise Refusal(422, "[DefaultBranch]: invalid branch name")
    with site.state.writing():
        if find(site, owner["login"], name):
            raise Refusal(409, "The repository with the same name already exists.")
        repo = _insert(site, owner, name, columns)
        if auto_init:
            _first_commit(site, actor, repo)
        feed.record(site, actor, repo, "create_repo")
        events.about_repo(site, actor, repo, "created")
    return repo


def _insert(site: ForgeInstance, owner: Row, name: str, columns: Row) -> Row:
    now = site.now()
    site.state.run("DELETE FROM former_names WHERE owner_id = ? AND name = ?", owner["id"], name)
    key = site.state.insert("repos", owner_id=owner["id"], name=name, created=now, updated=now, **columns)
    git = site.git(key)
    shutil.rmtree(git.path, ignore_errors=True)
    git.init(columns["default_branch"])
    for hook in site.state.rows("SELECT * FROM hooks WHERE repo_id IS NULL AND owner_id IS NULL AND NOT is_system"):
        site.state.insert(
            "hooks", **{column: value for column, value in hook.items() if column != "id"} | {"repo_id": key}
        )
    return site.must("repositories", key)


def _first_commit(site: ForgeInstance, actor: Row, repo: Row) -> None:
    git, who, ref = site.git(repo), signature(site, actor), f"refs/heads/{repo['default_branch']}"
    text = f"# {repo['name']}\n" + (f"\n{repo['description']}\n" if repo["description"] else "")
    tree = git.write_tree(EMPTY_TREE, {"README.md": git.store(text.encode())})
    sha = git.write_commit(tree, [], "Initial commit", who, who)
    git.move([(ref, ZERO, sha)])
    site.state.insert("refs", repo_id=repo["id"], name=ref, sha=sha, actor_id=actor["id"])


def fork(site: ForgeInstance, actor: Row, origin: Row, owner: Row, name: str) -> Row:
    """Copy a repository's branches and tags into a new one that remembers where it is from."""
    if other := site.state.row(
        "SELECT * FROM repositories WHERE owner_id = ? AND fork_of = ?", owner["id"], origin["id"]
    ):
        where = f"uname: {owner['login']}, repo path: {origin['full_name']}, fork path: {other['full_name']}"
        raise Refusal(409, f"repository is already forked by user [{where}]")
    if find(site, owner["login"], name):
        raise Refusal(409, "The repository with the same name already exists.")
    units = ("has_issues", "has_wiki", "has_projects", "has_releases", "has_packages", "has_actions")
    columns = {
        "default_branch": origin["default_branch"],
        "private": origin["private"],
        "description": origin["description"],
        "fork_of": origin["id"],
        "settings": json.dumps(dict.fromkeys(units, False)),
    }
    with site.state.writing():
        repo = _insert(site, owner, name, columns)
        git, source = site.git(repo), str(site.git(origin).path)
        git.text(
            "fetch", "-q", "--no-write-fetch-head", source, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"
        )
        for ref, sha in git.refs().items():
            site.state.insert("refs", repo_id=repo["id"], name=ref, sha=sha, actor_id=actor["id"])
    return repo


def edit(site: ForgeInstance, actor: Row, repo: Row, changes: Row) -> Row:
    """Change a repository: its name, its columns, its settings, whether it is archived."""
    given = {key: value for key, value in changes.items() if value is not None}
    columns: Row = {key: given[key] for key in ("description", "website", "private", "template") if key in given}
    fixed = set() if site.flavour.manual_merge_by_patch else {"allow_manual_merge"}
    settings = json.loads(repo["settings"]) | {key: given[key] for key in SETTINGS if key in given and key not in fixed}
    with site.state.writing():
        if given.get("name") and given["name"] != repo["name"]:
            _rename(site, actor, repo, given["name"])
        if given.get("default_branch"):
            _switch_default(site, repo, given["default_branch"])
        if "archived" in given:
            columns["archived"] = site.now() if given["archived"] else 0
        site.state.update("repos", repo["id"], settings=json.dumps(settings), updated=site.now(), **columns)
    return site.must("repositories", repo["id"])


def _rename(site: ForgeInstance, actor: Row, repo: Row, name: str) -> None:
    if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
        raise Refusal(422, "[Name]: invalid repository name")
    other = find(site, repo["owner"], name)
    if other and other["id"] != repo["id"]:
        raise Refusal(422, f"repo name is already taken [name: {name}]")
    site.state.run("DELETE FROM former_names WHERE owner_id = ? AND name = ?", repo["owner_id"], name)
    site.state.update("repos", repo["id"], name=name)
    site.state.run("INSERT OR REPLACE INTO former_names VALUES (?, ?, ?)", repo["owner_id"], repo["name"], repo["id"])
    feed.record(site, actor, site.must("repositories", repo["id"]), "rename_repo", content=repo["full_name"])


def _switch_default(site: ForgeInstance, repo: Row, branch: str) -> None:
    if not tip(site, repo, branch) and site.state.row("SELECT 1 FROM refs WHERE repo_id = ?", repo["id"]):
        raise Missing(f"branch does not exist [name: {branch}]")
    site.git(repo).text("symbolic-ref", "HEAD", f"refs/heads/{branch}")
    site.state.update("repos", repo["id"], default_branch=branch)


def collaborators(site: ForgeInstance, repo: Row) -> list[Row]:
    """The collaborators of a repository."""
    sql = "SELECT users.* FROM users JOIN collaborators ON user_id = id WHERE repo_id = ? ORDER BY login"
    return site.state.rows(sql, repo["id"])


def add_collaborator(site: ForgeInstance, repo: Row, user: Row, permission: str) -> None:
    """Add a collaborator with `read`, `write` or `admin`."""
    level = rules.mode(permission or "write")
    if level not in {Mode.READ, Mode.WRITE, Mode.ADMIN}:
        raise Refusal(422, f"invalid permission: {permission}")
    site.state.run("INSERT OR REPLACE INTO collaborators VALUES (?, ?, ?)", repo["id"], user["id"], level)


def remove_collaborator(site: ForgeInstance, repo: Row, user: Row) -> None:
    """Remove a collaborator."""
    site.state.run("DELETE FROM collaborators WHERE repo_id = ? AND user_id = ?", repo["id"], user["id"])


def insiders(site: ForgeInstance, repo: Row) -> list[Row]:
    """Who can be asked to work on a repository: its owner, its collaborators and the members of its teams."""
    sql = """SELECT * FROM users WHERE NOT is_org AND (id = ?1 OR id IN (SELECT user_id FROM collaborators WHERE repo_id = ?2)
             OR id IN (SELECT user_id FROM team_members JOIN teams ON team_id = teams.id WHERE org_id = ?1
             AND all_repos)) ORDER BY login"""
    return site.state.rows(sql, repo["owner_id"], repo["id"])


def protection(site: ForgeInstance, repo: Row, name: str) -> Row | None:
    """The branch protection rule of that name."""
    return site.state.row("SELECT * FROM protections WHERE repo_id = ? AND name = ?", repo["id"], name)


def protect(site: ForgeInstance, repo: Row, name: str, wanted: Mapping[str, Any]) -> Row:
    """Make a branch protection rule, or change the keys of one that are given; logins and team names become ids."""
    old = protection(site, repo, name)
    hidden = site.flavour.hidden["protection"]
    settings = json.loads(old["settings"]) if old else {}
    if not old and "priority" not in hidden:
        sql = "SELECT max(settings ->> 'priority') FROM protections WHERE repo_id = ?"
        settings["priority"] = 1 + (site.state.value(sql, repo["id"]) or 0)
    for key, value in wanted.items():
        if key in rules.PROTECTION and key not in hidden and value is not None:
            settings[key] = _ids(site, repo, key, value)
    with site.state.writing():
        if old:
            site.state.update("protections", old["id"], settings=json.dumps(settings), updated=site.now())
            return site.must("protections", old["id"])
        now = site.now()
        row = {"repo_id": repo["id"], "name": name, "settings": json.dumps(settings), "created": now, "updated": now}
        return site.must("protections", site.state.insert("protections", **row))


def _ids(site: ForgeInstance, repo: Row, key: str, value: Any) -> Any:
    if key.endswith("_teams"):
        teams = {
            row["name"].lower(): row["id"]
            for row in site.state.rows("SELECT * FROM teams WHERE org_id = ?", repo["owner_id"])
        }
        unknown = [name for name in value if name.lower() not in teams]
        if unknown:
            raise Refusal(422, f"team does not exist [org_id: {repo['owner_id']}, team_id: 0, name: {unknown[0]}]")
        return [teams[name.lower()] for name in value]
    if "_username" in key:
        return [people.named(site, login)["id"] for login in value]
    return value
