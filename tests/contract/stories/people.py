"""The first chapter and the last: people, tokens, teams, repositories, hooks; and what becomes of them."""

from __future__ import annotations

from tests.contract.story import BEARER, PASSWORD, Story, basic

TOKENS = {
    "operator": ["write:repository", "write:issue", "read:user", "read:organization", "write:notification"],
    "core": ["write:repository", "write:issue", "read:user", "read:organization", "write:notification"],
    "triage": ["write:issue", "read:repository", "read:user", "read:organization"],
    "agent": ["write:repository", "write:issue", "read:user"],
    "stranger": ["write:repository", "write:issue", "write:user"],
}
EXTRA = {"core.issue": ["write:issue"], "core.read": ["read:repository", "read:issue"], "core.all": ["all"]}
PUBLIC = ["public-only", "read:repository", "read:issue"]
WRITE = {"repo.code": "write", "repo.issues": "write", "repo.pulls": "write"}
ALL = ["code", "issues", "pulls", "releases", "actions", "wiki", "projects", "packages"]
TEAMS = {
    "operators": ("admin", {}),
    "core": ("write", WRITE | {"repo.releases": "write"}),
    "triage": ("write", WRITE | {"repo.code": "read"}),
    "agents": ("read", dict.fromkeys(WRITE, "read")),
}
MEMBERS = {"operators": "operator", "agents": "agent"}
HEARD = ["push", "create", "delete", "repository", "issues", "pull_request", "fork", "release"]


def begin(s: Story) -> None:
    """Everybody comes; the organisation, its teams, its hook and its repositories are made."""
    s.get("misc.version", "/version", by="none")
    for role in TOKENS:
        name = s.user(role)
        body = {"username": name, "email": f"{name}@forge.example", "password": PASSWORD, "must_change_password": False}
        s.post(f"admin.user_create_{role}", "/admin/users", body, by="admin")
        s.auth[f"{role}.basic"] = basic(name, PASSWORD)
    s.post("admin.user_create_again", "/admin/users", body, by="admin")
    bad = body | {"username": "a b", "email": "x@forge.example"}
    s.post("admin.user_create_bad_name", "/admin/users", bad, by="admin")
    s.post("admin.user_create_by_user", "/admin/users", body | {"username": "nobody"}, by="core.basic")
    tokens(s)
    who(s)
    s.post("orgs.create", "/orgs", {"username": s.org, "visibility": "public"}, by="admin")
    s.post("orgs.create_again", "/orgs", {"username": s.org}, by="admin")
    teams(s)
    hook(s)
    repositories(s)


def tokens(s: Story) -> None:
    """Tokens are given to those who show a password, and not to all of them."""
    mine = f"/users/{s.user('core')}/tokens"
    names = {"agent": "tokens.create_by_admin_for_other", "core": "tokens.create_by_basic"}
    for role, scopes in TOKENS.items():
        by = "admin" if role == "agent" else f"{role}.basic"
        got = s.post(names.get(role, ""), f"/users/{s.user(role)}/tokens", {"name": "t1", "scopes": scopes}, by=by)
        s.auth[role] = f"token {got['sha1']}"
    for extra, scopes in EXTRA.items():
        s.auth[extra] = f"token {s.post('', mine, {'name': extra, 'scopes': scopes}, by='core.basic')['sha1']}"
    s.post("tokens.create_core_public", mine, {"name": "core.public", "scopes": PUBLIC}, by="core.basic")
    at = f"/users/{s.admin}/tokens"
    s.auth["admin.token"] = f"token {s.post('', at, {'name': s.tag, 'scopes': ['all']}, by='admin')['sha1']}"
    sudo = {"name": f"{s.tag}s", "scopes": ["write:issue", "read:user", "sudo"]}
    s.post("tokens.create_admin_sudo", at, sudo, by="admin")
    one = {"scopes": ["read:issue"]}
    s.post("tokens.create_same_name", mine, one | {"name": "t1"}, by="core.basic")
    s.post("tokens.create_no_scopes", mine, {"name": "t2"}, by="core.basic")
    s.post("tokens.create_unknown_scope", mine, {"name": "t3", "scopes": ["write:everything"]}, by="core.basic")
    s.post("tokens.create_by_token", mine, one | {"name": "t4"}, by="core.all")
    theirs = f"/users/{s.user('agent')}/tokens"
    s.post("tokens.create_for_other_by_user", theirs, one | {"name": "t5"}, by="core.basic")
    s.get("tokens.list", mine, by="core.basic")
    s.get("tokens.list_by_token", mine, by="core.all")
    s.delete("tokens.delete_by_name", f"{mine}/t2", by="core.basic")
    s.delete("tokens.delete_unknown", f"{mine}/nope", by="core.basic")
    if s.forgejo:
        none = {"name": "repo-only", "scopes": WIDE, "repositories": [{"owner": s.user("core"), "name": "none"}]}
        s.post("tokens.create_repo_specific_unknown_repo", mine, none, by="core.basic")


WIDE = ["write:repository", "write:issue"]


def who(s: Story) -> None:
    """Who somebody is, and who may ask."""
    s.get("users.self", "/user")
    s.get("users.self_basic", "/user", by="core.basic")
    s.get("users.self_admin", "/user", by="admin")
    s.get("users.other", f"/users/{s.user('operator')}")
    s.get("users.other_as_admin", f"/users/{s.user('operator')}", by="admin")
    s.get("users.unknown", "/users/no-such-user")
    s.get("users.self_without_scope", "/user", by="core.issue")
    s.get("users.sudo_by_admin_token", "/user", by="admin.token", headers={"Sudo": s.user("core")})
    s.get("users.sudo_by_user", "/user", headers={"Sudo": s.user("operator")})
    s.auth["bad"], s.auth["wrong"] = f"token {'0' * 40}", basic(s.user("core"), "wrong")
    s.get("errors.bad_token", "/user", by="bad")
    s.get("errors.bad_token_public_path", "/version", by="bad")
    s.get("errors.bad_password", "/user", by="wrong")
    s.get("errors.anonymous_user", "/user", by="none")


def teams(s: Story) -> None:
    """Four teams: who decides, who writes, who sorts, who reads."""
    for team, (level, units) in TEAMS.items():
        body = {"name": team, "permission": level, "units_map": units, "includes_all_repositories": True}
        body |= {"can_create_org_repo": False} | ({"units": [f"repo.{unit}" for unit in ALL]} if not units else {})
        made = s.kept[f"team {team}"] = s.post(f"teams.create_{team}", "/orgs/{org}/teams", body, by="admin")["id"]
        login = s.user(MEMBERS.get(team, team))
        s.put("teams.member_add_core" if team == "core" else "", f"/teams/{made}/members/{login}", by="admin")


def hook(s: Story) -> None:
    """A hook of the organisation, and one that tells when all others have spoken."""
    kind = "forgejo" if s.forgejo else "gitea"

    def to(path: str) -> dict[str, object]:
        config = {"url": f"{s.ear.url}/{path}", "content_type": "json", "secret": SECRET}
        return {"type": kind, "active": True, "events": ["push"], "config": config}

    s.post("", "/user/repos", {"name": f"{s.tag}-marker", "auto_init": True}, by="admin")
    at = f"/repos/{s.admin}/{s.tag}-marker/hooks"
    s.marker = f"{s.url}/api/v1{at}/{s.post('', at, to('marker'), by='admin')['id']}/tests"
    more = [f"action_run_{how}" for how in ("failure", "recover", "success")]
    events = HEARD + (more if s.forgejo else ["status", "workflow_run", "workflow_job"])
    if s.flavour == "forgejo-10":
        events = HEARD + more
    wish = to("org") | {"events": events, "branch_filter": "*", "authorization_header": BEARER}
    s.kept["hook wish"] = wish
    s.kept["hook"] = s.post("hooks.org_create", "/orgs/{org}/hooks", wish, by="admin")["id"]


SECRET = "of-a-hook"


def repositories(s: Story) -> None:
    """Three repositories, and who sees them."""
    at = "/orgs/{org}/repos"
    for repo in ("app", "config"):
        body = {"name": repo, "private": repo == "config", "auto_init": True, "default_branch": "main"}
        s.post(f"repos.create_{repo}", at, body | {"readme": "Default"}, by="admin")
    s.post("repos.create_again", at, {"name": "app"}, by="admin")
    s.post("repos.create_by_member", at, {"name": "mine"})
    s.post("repos.create_empty", at, {"name": "empty"}, by="admin")
    s.get("repos.get", "~")
    s.get("repos.get_as_agent", "~", by="agent")
    s.get("repos.get_anonymous", "~", by="none")
    s.get("repos.get_private_as_stranger", "/repos/{org}/config", by="stranger")


def end(s: Story) -> None:
    """Hooks are looked at, rights asked for, a repository is renamed, somebody leaves."""
    hooks(s)
    rights(s)
    narrow(s)
    renamed(s)
    leaving(s)


def hooks(s: Story) -> None:
    """What a hook says of itself, and what it forgets."""
    at = "/orgs/{org}/hooks"
    s.get("hooks.org_list", at, by="admin")
    s.get("hooks.org_list_by_member", at)
    url = s.kept["hook wish"]["config"]["url"]
    s.patch("hooks.org_patch_url_only", f"{at}/{s.kept['hook']}", {"config": {"url": url}}, by="admin")
    s.delete("hooks.org_delete", f"{at}/{s.kept['hook']}", by="admin")
    s.post("hooks.org_create_again", at, s.kept["hook wish"], by="admin")
    operator = s.user("operator")
    s.post("", f"/admin/users/{operator}/repos", {"name": "lab", "auto_init": True}, by="admin")
    for name in (
        "two_hooks_one_url",
        "after_patch_secret",
        "fire_no_secret",
        "fire_form",
        "fire_get",
        "replay_original",
    ):
        s.post(f"hooks.{name}", f"/repos/{operator}/lab/issues", {"title": name}, by="operator")


def rights(s: Story) -> None:
    """Teams, members, collaborators and the rights that each has."""
    core = s.kept["team core"]
    s.get("teams.list", "/orgs/{org}/teams")
    s.get("teams.members", f"/teams/{core}/members")
    units = {"name": "core", "units_map": WRITE | {"repo.wiki": "read"}}
    s.patch("teams.patch_units", f"/teams/{core}", units, by="admin")
    s.get("orgs.get", "/orgs/{org}")
    at = "~/collaborators"
    for role in ("admin", "operator", "core", "triage", "agent", "stranger"):
        s.get(f"collaborators.permission_of_core_as_{role}", f"{at}/{s.user('core')}/permission", by=role)
    for role in ("operator", "triage", "agent", "stranger"):
        s.get(f"collaborators.permission_of_{role}_as_admin", f"{at}/{s.user(role)}/permission", by="admin")
    s.get("collaborators.permission_of_self_as_agent", f"{at}/{s.user('agent')}/permission", by="agent")
    s.get("collaborators.permission_of_unknown", f"{at}/nobody-here/permission", by="admin")
    eve = f"{at}/{s.user('stranger')}"
    s.put("collaborators.add", eve, {"permission": "read"}, by="operator")
    s.get("collaborators.check_yes", eve)
    s.get("collaborators.check_team_member", f"{at}/{s.user('core')}")
    s.get("collaborators.list", at)
    s.get("repos.permissions_as_triage", "~", by="triage")
    s.delete("collaborators.remove", eve, by="operator")
    s.get("activities.feed", "~/activities/feeds", limit=2)


def narrow(s: Story) -> None:
    """A token for one repository, where the forge has such."""
    mine = {"name": "one-repo", "scopes": WIDE, "repositories": [{"owner": s.org, "name": "app"}]}
    made = s.post("tokens.create_repo_specific", f"/users/{s.user('core')}/tokens", mine, by="core.basic")
    s.auth["core.one"] = f"token {made['sha1']}"
    s.post("tokens.repo_specific_issue", "~/issues", {"title": "by a repo token"}, by="core.one")
    s.post("tokens.repo_specific_other_repo", "/repos/{org}/config/issues", {"title": "elsewhere"}, by="core.one")
    s.get("tokens.repo_specific_other_repo_get", "/repos/{org}/config", by="core.one")
    s.get("tokens.repo_specific_self", "/user", by="core.one")


def renamed(s: Story) -> None:
    """A repository that is renamed, shut and gone."""
    s.post("", "/orgs/{org}/repos", {"name": "before", "auto_init": True}, by="admin")
    before, after = "/repos/{org}/before", "/repos/{org}/after"
    s.patch("repos.rename", before, {"name": "after"}, by="operator")
    s.get("repos.get_old_name", before)
    s.post("repos.post_old_name", f"{before}/issues", {"title": "x"})
    s.patch("repos.archive", after, {"archived": True}, by="operator")
    s.post("repos.issue_on_archived", f"{after}/issues", {"title": "x"})
    s.patch("repos.unarchive", after, {"archived": False}, by="operator")
    s.delete("repos.delete_by_core", after)


def leaving(s: Story) -> None:
    """Somebody gets another name, may not come in any more, and is gone; what he wrote stays."""
    old, new = s.user("triage"), f"{s.tag}-renamed"
    at = f"/admin/users/{old}"
    s.post("admin.user_rename", f"{at}/rename", {"new_username": new}, by="admin")
    s.get("users.get_old_login", f"/users/{old}")
    s.get("users.get_new_login", f"/users/{new}")
    s.get("users.token_still_works", "/user", by="triage")
    s.post("", f"/admin/users/{new}/rename", {"new_username": old}, by="admin")
    said = {"login_name": old, "source_id": 0}
    s.patch("admin.user_patch", at, said | {"restricted": True}, by="admin")
    s.patch("admin.user_deactivate", at, said | {"active": False}, by="admin")
    s.get("users.self_deactivated", "/user", by="triage")
    s.patch("admin.user_prohibit_login", at, said | {"active": True, "prohibit_login": True}, by="admin")
    s.get("users.self_prohibited", "/user", by="triage")
    s.delete("admin.user_delete", at, by="admin", purge="false")
    s.get("users.self_deleted", "/user", by="triage")
    s.get("issues.get_after_author_deleted", "~/issues/4")


def clear(s: Story) -> None:
    """Take away all that was made, whatever became of it."""
    for owner in (s.org, s.user("operator"), s.user("stranger")):
        for row in s.get("x", f"/users/{owner}/repos", by="admin", limit=50) or []:
            s.delete("x", f"/repos/{row['full_name']}" if isinstance(row, dict) else "/x", by="admin")
    s.delete("x", f"/repos/{s.admin}/{s.tag}-marker", by="admin")
    s.delete("x", "/orgs/{org}", by="admin")
    for role in (*TOKENS, "renamed"):
        s.delete("x", f"/admin/users/{s.user(role)}", by="admin")
    for name in (s.tag, f"{s.tag}s"):
        s.delete("x", f"/users/{s.admin}/tokens/{name}", by="admin")
