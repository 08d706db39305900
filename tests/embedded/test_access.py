"""Who may do what: passwords, tokens and their scopes, teams by unit, and how a refusal is worded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.embedded.conftest import ApiEnv, Person

NEEDS = "token does not have at least one of required scope(s): [{}]"


def holding(env: ApiEnv, *scopes: str, of: str = "core", **more: Any) -> Person:
    """A person with a token of just these scopes."""
    made = env.root.post(f"/users/{of}/tokens", {"name": " ".join(scopes), "scopes": list(scopes), **more})
    return type(env.core)(env.forge, of, f"token {made['sha1']}")


@pytest.mark.parametrize(
    ("scope", "method", "path", "needs"),
    [
        ("write:issue", "GET", "~/pulls", "read:repository"),
        ("read:issue", "POST", "~/issues", "write:issue"),
        ("write:repository", "GET", "~/issues", "read:issue"),
        ("write:repository", "GET", "/user", "read:user"),
        ("write:repository", "POST", "/orgs/acme/repos", "write:organization"),
        ("write:repository", "DELETE", "~", "write:organization"),
        ("write:repository", "GET", "/notifications/new", "read:notification"),
        ("write:issue", "POST", "~/pulls/1/merge", "write:repository"),
        ("write:user", "GET", "/admin/users", "read:admin"),
    ],
)
def test_a_token_opens_its_doors_only(env: ApiEnv, scope: str, method: str, path: str, needs: str) -> None:
    """Reading needs the read scope of a category, everything else the write scope."""
    person = holding(env, scope, of="mara")
    assert person.says(method, path, {}) == (403, NEEDS.format(needs))


def test_writing_includes_reading(env: ApiEnv) -> None:
    """A write scope reads as well, `all` is everything, `public-only` sees no private repository."""
    assert holding(env, "write:issue").get("~/issues") == []
    assert holding(env, "all").get("~/pulls") == []
    public = holding(env, "public-only", "read:repository")
    assert public.get("~")["full_name"] == "acme/app"
    env.mara.patch("~", {"private": True})
    assert public.says("GET", "~")[0] == 403


def test_tokens_are_made_by_password_only(env: ApiEnv) -> None:
    """A token cannot make tokens; a site admin makes them for others; scopes are kept in order, once."""
    place = "/users/core/tokens"
    assert env.core.says("POST", place, {"name": "x", "scopes": ["all"]}) == (401, "auth method not allowed")
    made = env.root.post(place, {"name": "x", "scopes": ["write:repository", "read:user", "write:issue", "read:issue"]})
    assert made["scopes"] == ["write:issue", "write:repository", "read:user"]
    assert (len(made["sha1"]), made["sha1"][-8:]) == (40, made["token_last_eight"])
    assert [row["sha1"] for row in env.core.get(place)] == ["", ""]
    again = env.root.says("POST", place, {"name": "x", "scopes": ["all"]})
    assert again == (400, "access token name has been used already")
    assert env.root.says("POST", place, {"name": "y"}) == (400, "access token must have a scope")


def test_tokens_and_passwords_are_not_kept(env: ApiEnv) -> None:
    """The state holds neither a token nor a password in clear."""
    kept = (env.forge.site.root / "forge.db").read_bytes()
    kept += (env.forge.site.root / "forge.db-wal").read_bytes()
    assert b"a password" not in kept
    assert env.core.authorization.split()[1].encode() not in kept


def test_wrong_words_are_refused_even_where_none_are_needed(env: ApiEnv) -> None:
    """A bad token or password is 401 on public paths too, and a bad token is repeated in the answer."""
    bad = type(env.core)(env.forge, "core", f"token {'0' * 40}")
    status, message = bad.says("GET", "/version")
    assert status == 401
    assert f"access token does not exist [sha: {'0' * 40}]" in message
    assert env.nobody.says("GET", "/user") == (401, "token is required")


def test_sudo_is_for_admins(env: ApiEnv) -> None:
    """A site admin acts as another with the header; nobody else does."""
    assert env.root.call("GET", "/user", headers={"Sudo": "core"}).json()["login"] == "core"
    refused = env.mara.call("GET", "/user", headers={"Sudo": "root0"})
    assert (refused.status_code, refused.json()) == (403, {"message": "Only administrators allowed to sudo."})


def test_a_blocked_account_is_out(env: ApiEnv) -> None:
    """The token of an account that is inactive or may not log in opens nothing; a renamed one's still does."""
    env.root.post("/admin/users/core/rename", {"new_username": "kernel"})
    assert env.core.get("/user")["login"] == "kernel"
    moved = env.iris.call("GET", "/users/core")
    assert (moved.status_code, moved.headers["Location"]) == (307, "/api/v1/users/kernel")
    env.root.patch("/admin/users/kernel", {"prohibit_login": True})
    assert env.core.call("GET", "/user").status_code == 403


@pytest.mark.parametrize(
    ("who", "word"), [("mara", "owner"), ("core", "write"), ("triage", "read"), ("iris", "read"), ("eve", "read")]
)
def test_the_permission_endpoint_does_not_see_units(env: ApiEnv, who: str, word: str) -> None:
    """An admin team is owner, and a team that writes issues but not code counts as a reader."""
    assert env.root.get(f"~/collaborators/{who}/permission")["permission"] == word


def test_everybody_may_ask_for_himself(env: ApiEnv) -> None:
    """One's own permission is told, others' only to admins of the repository."""
    assert env.iris.get("~/collaborators/iris/permission")["role_name"] == "read"
    status, words = env.iris.says("GET", "~/collaborators/core/permission")
    assert (status, words[:11]) == (403, "Only admins")


def test_units_decide(env: ApiEnv) -> None:
    """Who writes issues but reads code may label and may not push, set statuses or merge."""
    env.triage.post("~/labels", {"name": "bug", "color": "112233"})
    pull = env.core.pull("topic")
    no = (403, "user should have a permission to write to a repo")
    assert env.triage.says("POST", f"~/statuses/{pull['head']['sha']}", {"state": "success"}) == no
    assert env.triage.says("POST", "~/branches", {"new_branch_name": "x"}) == no
    assert env.triage.says("POST", "~/pulls/1/merge", {"Do": "merge"}) == (405, "User not allowed to merge PR")
    assert env.iris.says("POST", "~/labels", {"name": "x", "color": "112233"}) == no
    admin = (403, "user should be an owner or a collaborator with admin write of a repository")
    assert env.core.says("GET", "~/branch_protections") == admin


def test_a_collaborator_is_let_in_and_put_out(env: ApiEnv) -> None:
    """A collaborator has what he was given, until he is none."""
    env.mara.patch("~", {"private": True})
    assert env.eve.call("GET", "~").status_code == 404
    env.mara.put("~/collaborators/eve", {"permission": "write"})
    assert env.eve.get("~")["permissions"] == {"admin": False, "push": True, "pull": True}
    assert env.core.call("GET", "~/collaborators/eve").status_code == 204
    env.mara.delete("~/collaborators/eve")
    assert env.eve.call("GET", "~").status_code == 404


def test_a_token_for_one_repository(env: ApiEnv) -> None:
    """A token bound to repositories works there, never administers, and finds other private ones only by name."""
    env.root.post("/orgs/acme/repos", {"name": "other", "private": True, "auto_init": True})
    bound = holding(env, "write:repository", "write:issue", of="mara", repositories=[{"owner": "acme", "name": "app"}])
    assert bound.post("~/issues", {"title": "here"})["number"] == 1
    assert bound.says("POST", "~/hooks", {})[0] == 403
    other = type(bound)(env.forge, bound.login, bound.authorization, "acme/other")
    assert other.call("POST", "~/issues", {"title": "there"}).status_code == 404
    assert other.get("~")["permissions"] == {"admin": False, "push": False, "pull": False}
    scopes = {"name": "wide", "scopes": ["all"], "repositories": [{"owner": "acme", "name": "app"}]}
    assert env.root.says("POST", "/users/core/tokens", scopes)[0] == 400


def test_teams(env: ApiEnv) -> None:
    """A team's level is the lowest of its units, members come and go, strangers do not see it."""
    made = env.root.post(
        "/orgs/acme/teams",
        {"name": "mixed", "permission": "write", "units_map": {"repo.code": "read", "repo.issues": "write"}},
    )
    assert (made["permission"], made["units_map"]) == ("read", {"repo.code": "read", "repo.issues": "write"})
    env.root.put(f"/teams/{made['id']}/members/eve")
    assert [one["login"] for one in env.core.get(f"/teams/{made['id']}/members")] == ["eve"]
    env.root.delete(f"/teams/{made['id']}/members/eve")
    assert env.eve.call("GET", f"/teams/{made['id']}/members").status_code == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("~/releases", 403),
        ("~/branches/main", 403),
        ("~/git/refs", 403),
        ("~/contents/README.md", 403),
        ("~/git/commits/main", 403),
        ("~/statuses/main", 403),
        ("~/pulls", 404),
        ("~/issues", 200),
        ("~/issues/1", 200),
        ("~/labels", 200),
        ("~", 200),
    ],
)
def test_each_route_has_its_unit(env: ApiEnv, path: str, status: int) -> None:
    """Who reads issues only is refused everything else, each route as the real ones refuse it (Gitea 1.23, Forgejo 10)."""
    env.mara.post("~/issues", {"title": "one"})
    env.mara.patch("~", {"private": True})
    units = {"repo.issues": "read"}
    team = {"name": "talkers", "permission": "read", "units_map": units, "includes_all_repositories": True}
    env.root.put(f"/teams/{env.root.post('/orgs/acme/teams', team)['id']}/members/eve")
    answer = env.eve.call("GET", path)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["message"].startswith("user should have specific read permission")
