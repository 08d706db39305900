"""Making a forge ready: each call makes it so, says whether it had to, and believes no forge that drops a wish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from forge.gitea import hooks, protection
from forge.gitea.admin import GiteaAdmin
from forge.gitea.json_value import JsonValue
from forge.models import Label, Protection, Repo
from forge.protocol import Admin, Conflict, Invalid

if TYPE_CHECKING:
    from tests.gitea.conftest import Wire

APP = Repo.parse("work:acme/app")
GONE = {"message": "The target couldn't be found."}
FORGEJO, GITEA = {"version": "17.0.0+gitea-1.22.0"}, {"version": "1.26.0"}


def test_the_face(admin: GiteaAdmin) -> None:
    """The adapter is an Admin."""
    face: Admin = admin
    assert face


def test_users(wire: Wire, admin: GiteaAdmin) -> None:
    """An account is made once, with a password that need not be changed and a name that others can see."""
    wire.say(GONE, 404).say({"id": 7, "login": "iris"}, 201).say({"id": 7, "login": "iris"})
    for _ in range(2):
        assert admin.ensure_user("iris", password="pw", email="iris@forge.example").id == 7
    made = {"username": "iris", "password": "pw", "email": "iris@forge.example", "visibility": "public"}
    assert wire.bodies("POST /admin/users") == [{**made, "must_change_password": False}]


def token(number: int, name: str, *scopes: str, sha1: str = "") -> dict[str, Any]:
    return {"id": number, "name": name, "sha1": sha1, "scopes": scopes}


def test_tokens(wire: Wire, admin: GiteaAdmin) -> None:
    """A token takes the place of those of its name, wherever in the list they are."""
    wire.say([token(1, "laptop"), token(2, "hive")]).say([token(3, "hive")]).say([]).say(b"", 204).say(b"", 204)
    wire.say(token(4, "hive", "read:user", "write:issue", sha1="s3cret"), 201)
    assert admin.make_token("iris", "hive", ["write:issue", "read:user"]) == "s3cret"
    assert wire.heard()[3:] == [
        "DELETE /users/iris/tokens/2",
        "DELETE /users/iris/tokens/3",
        "POST /users/iris/tokens",
    ]
    assert wire.asked[-1].body == {"name": "hive", "scopes": ["write:issue", "read:user"]}


def test_tokens_that_may_too_much(wire: Wire, admin: GiteaAdmin) -> None:
    """A token that may do more than asked is taken back."""
    wire.say([]).say(token(4, "hive", "all", sha1="s3cret"), 201).say(b"", 204)
    with pytest.raises(Conflict, match="more than asked") as caught:
        admin.make_token("iris", "hive", ["write:issue"])
    assert wire.heard()[-1] == "DELETE /users/iris/tokens/4"
    assert "s3cret" not in str(caught.value)


def test_orgs(wire: Wire, admin: GiteaAdmin) -> None:
    """An organisation is made once."""
    wire.say(GONE, 404).say({"id": 2}, 201).say({"id": 2})
    assert [admin.ensure_org("acme") for _ in range(2)] == [True, False]
    assert wire.bodies("POST /orgs") == [{"username": "acme"}]


READS = {"repo.code": "read", "repo.issues": "write"}


def team(units: dict[str, str], permission: str = "none", **more: Any) -> dict[str, Any]:
    said = {"id": 5, "name": "Agents", "permission": permission, "includes_all_repositories": True}
    return {**said, "units_map": units, **more}


def ensure_team(admin: GiteaAdmin, permission: str = "write", units: dict[str, str] | None = None) -> bool:
    wanted = READS if units is None else units
    return admin.ensure_team("acme", "agents", permission=permission, units=wanted, members=["iris", "Eve"])


def test_teams(wire: Wire, admin: GiteaAdmin) -> None:
    """A team is made with its rights and members, and then left alone."""
    wire.say([]).say(team(READS), 201).say([{"login": "eve"}]).say([]).say(b"", 204)
    assert ensure_team(admin)
    assert wire.heard()[-1] == "PUT /teams/5/members/iris"
    assert wire.bodies("POST /orgs/acme/teams") == [
        {
            "name": "agents",
            "permission": "write",
            "units_map": READS,
            "includes_all_repositories": True,
            "can_create_org_repo": False,
        }
    ]
    wire.anew().say([team({**READS, "repo.wiki": "none"})]).say([{"login": "eve"}, {"login": "iris"}]).say([])
    assert not ensure_team(admin)
    assert {asked.method for asked in wire.asked} == {"GET"}


@pytest.mark.parametrize(
    "held",
    [
        team({"repo.code": "write", "repo.issues": "write"}),
        team({**READS, "repo.wiki": "write"}),
        team({}),
        team(READS, includes_all_repositories=False),
        team({"repo.code": "admin", "repo.issues": "admin"}, "admin"),
    ],
)
def test_teams_with_other_rights(wire: Wire, admin: GiteaAdmin, held: dict[str, Any]) -> None:
    """A team that has more rights, or fewer, gets the right ones; one that keeps its own is an error."""
    wire.say([held]).say(team(READS)).say([{"login": "eve"}, {"login": "iris"}]).say([])
    assert ensure_team(admin)
    assert wire.heard()[1] == "PATCH /teams/5"
    wire.anew().say([held]).say(held)
    with pytest.raises(Conflict, match="acme/agents has other rights"):
        ensure_team(admin)


def test_teams_of_admins(wire: Wire, admin: GiteaAdmin) -> None:
    """A team of admins has every unit, whatever is asked."""
    wire.say([team({"repo.code": "admin", "repo.wiki": "admin"}, "admin")])
    wire.say([{"login": "eve"}, {"login": "iris"}]).say([])
    assert not ensure_team(admin, "admin", {})


def test_teams_that_are_made_wrong(wire: Wire, admin: GiteaAdmin) -> None:
    """A forge that makes another team than it was asked for is not believed."""
    wire.say([]).say(team({}), 201)
    with pytest.raises(Conflict, match="other rights"):
        ensure_team(admin)


OFF = {"has_pull_requests": True, "allow_manual_merge": False, "autodetect_manual_merge": False}


def test_repositories(wire: Wire, admin: GiteaAdmin) -> None:
    """A repository is made empty, and manual merges are off whether it was there or not."""
    wire.say(GONE, 404).say({"id": 3}, 201).say({"id": 3, "private": True})
    assert admin.ensure_repo(APP, private=True)
    assert not admin.ensure_repo(APP, private=True)
    made = {"name": "app", "private": True, "default_branch": "main", "auto_init": False}
    assert wire.bodies("POST /orgs/acme/repos") == [made]
    assert wire.bodies("PATCH /repos/acme/app") == [{**OFF, "private": True}] * 2


def test_private_repositories(wire: Wire, admin: GiteaAdmin) -> None:
    """A private repository is never opened to the world."""
    wire.say({"id": 3, "private": True})
    assert not admin.ensure_repo(APP, private=False)
    assert wire.bodies("PATCH /repos/acme/app") == [OFF]


def test_collaborators(wire: Wire, admin: GiteaAdmin) -> None:
    """A collaborator is added, or given another permission, and then left alone."""
    wire.say(GONE, 404).say(b"", 204)
    assert admin.ensure_collaborator(APP, "iris", "write")
    wire.say(b"", 204).say({"permission": "read"}).say(b"", 204)
    assert admin.ensure_collaborator(APP, "iris", "write")
    wire.say(b"", 204).say({"permission": "write"})
    assert not admin.ensure_collaborator(APP, "iris", "write")
    assert wire.bodies("PUT /repos/acme/app/collaborators/iris") == [{"permission": "write"}] * 2


def test_labels(wire: Wire, admin: GiteaAdmin) -> None:
    """A label is made, or changed if it is another, and then left alone."""
    bug = Label("type/bug", "d73a4a", "does not work", exclusive=True)
    said = {"name": "type/bug", "color": "#d73a4a", "description": "does not work", "exclusive": True}
    wire.say([]).say({**said, "id": 4}, 201)
    assert admin.ensure_label(APP, bug)
    wire.say([{**said, "id": 4, "color": "00aabb"}]).say({**said, "id": 4})
    assert admin.ensure_label(APP, bug)
    wire.say([{**said, "id": 4, "color": "D73A4A"}])
    assert not admin.ensure_label(APP, bug)
    assert wire.bodies("POST /repos/acme/app/labels") == [said]
    assert wire.bodies("PATCH /repos/acme/app/labels/4") == [said]


URL, EVENTS = "http://hive.example/hook/work", ["issues", "pull_request"]


def hook(number: int, url: str = URL, kind: str = "forgejo", **more: Any) -> dict[str, Any]:
    config = {"url": url, "content_type": "json"}
    heard = sorted(hooks.asked(EVENTS) - {"pull_request_review"})
    reviews = (
        ["pull_request_review"] if kind == "gitea" else [f"pull_request_review_{w}ed" for w in ("approv", "reject")]
    )
    return {"id": number, "type": kind, "active": True, "config": config, "events": heard + reviews, **more}


def ensure_hook(admin: GiteaAdmin) -> bool:
    return admin.ensure_hook("acme", URL, "s3cret", EVENTS)


@pytest.mark.parametrize(("version", "kind"), [(FORGEJO, "forgejo"), (GITEA, "gitea")])
def test_hooks(wire: Wire, admin: GiteaAdmin, version: dict[str, str], kind: str) -> None:
    """A hook is made once, of the forge's own type; hooks to other addresses are left alone."""
    other = hook(1, "http://elsewhere.example/")
    wire.say(version).say([other]).say([]).say(hook(2, kind=kind), 201)
    assert ensure_hook(admin)
    config = {"url": URL, "content_type": "json", "secret": "s3cret"}
    assert wire.asked[-1].body == {"type": kind, "active": True, "events": EVENTS, "config": config}
    wire.say([other]).say([hook(2, f"{URL}/", kind)]).say([])
    assert not ensure_hook(admin)
    assert {asked.method for asked in wire.asked[4:]} == {"GET"}


@pytest.mark.parametrize(
    "more",
    [
        {"active": False},
        {"events": ["push"]},
        {"events": None},
        {"branch_filter": "main"},
        {"config": {"url": URL, "content_type": "form"}},
        {"type": "slack"},
    ],
)
def test_hooks_that_are_wrong(wire: Wire, admin: GiteaAdmin, more: dict[str, Any]) -> None:
    """A hook that is silent, or speaks of other things, is made anew before the old one goes."""
    wire.say(FORGEJO).say([hook(2, **more)]).say([]).say(hook(3), 201).say(b"", 204)
    assert ensure_hook(admin)
    assert wire.heard()[-2:] == ["POST /orgs/acme/hooks", "DELETE /orgs/acme/hooks/2"]


MARKED = f"{URL}?hive=1a2b"


@pytest.mark.parametrize(
    ("held", "gone"),
    [
        ("http://10.0.0.1:99/hook/work?hive=1a2b", True),
        (URL, True),
        (f"{URL}?hive=other", False),
        ("http://other.example/hook/work", False),
        ("http://[broken?hive=1a2b", False),
    ],
)
def test_hooks_to_an_older_address(wire: Wire, admin: GiteaAdmin, held: str, gone: bool) -> None:
    """A hook that bears the hive's mark is its own wherever it delivers to; another hive's is never touched."""
    wire.say(FORGEJO).say([hook(2, held)]).say([]).say(hook(3, MARKED), 201).say(b"", 204)
    assert admin.ensure_hook("acme", MARKED, "s3cret", EVENTS)
    assert ("DELETE /orgs/acme/hooks/2" in wire.heard()) is gone
    assert "POST /orgs/acme/hooks" in wire.heard()


def test_hooks_that_are_many(wire: Wire, admin: GiteaAdmin) -> None:
    """Of several hooks to one address the newest stays: each would deliver everything once more."""
    wire.say(FORGEJO).say([hook(2), hook(4)]).say([hook(3)]).say([]).say(b"", 204)
    assert ensure_hook(admin)
    assert wire.heard()[-2:] == ["DELETE /orgs/acme/hooks/2", "DELETE /orgs/acme/hooks/3"]


def test_hooks_that_do_not_hear(wire: Wire, admin: GiteaAdmin) -> None:
    """A forge that makes a hook which does not hear what was asked has made none."""
    wire.say(FORGEJO).say([]).say({**hook(2), "events": ["issues"]}, 201).say(b"", 204)
    with pytest.raises(Invalid, match="cannot hear issue_assign, "):
        ensure_hook(admin)
    assert wire.heard()[-1] == "DELETE /orgs/acme/hooks/2"


RULE = Protection("release/**", mergers=("ops",), required_statuses=("hive/eval",))


SAME = {"name": "main", "commit": {"id": "a" * 40}, "effective_branch_protection_name": RULE.branch}
OTHER = {**SAME, "effective_branch_protection_name": "*"}


@pytest.mark.parametrize("version", [FORGEJO, GITEA])
def test_protections(wire: Wire, admin: GiteaAdmin, version: dict[str, str]) -> None:
    """A rule is made, or changed if it is another, in the words of the forge, and then left alone."""
    key = "apply_to_admins" if version is FORGEJO else "block_admin_merge_override"
    right = {**protection.settings(RULE, key), "rule_name": RULE.branch}
    wire.say([]).say(version).say(GONE, 404).say(right, 201)
    assert admin.ensure_protection(APP, RULE)
    wire.say([{**right, "enable_push": True}]).say(SAME).say(right)
    assert admin.ensure_protection(APP, RULE)
    wire.say([{**right, "merge_whitelist_usernames": ["Ops"]}]).say(SAME)
    assert not admin.ensure_protection(APP, RULE)
    assert wire.bodies("POST /repos/acme/app/branch_protections") == [right]
    changed = [asked for asked in wire.asked if asked.method == "PATCH"]
    assert [asked.path for asked in changed] == ["/api/v1/repos/acme/app/branch_protections/release%2F%2A%2A"]
    assert changed[0].body[key] is True


def test_protections_that_are_dropped(wire: Wire, admin: GiteaAdmin) -> None:
    """A forge that accepts a rule and drops the merger in silence is not believed."""
    right = protection.settings(RULE, "apply_to_admins")
    wire.say([]).say(FORGEJO).say(GONE, 404).say({**right, "merge_whitelist_usernames": []}, 201)
    wire.say({**right, "merge_whitelist_usernames": []})
    with pytest.raises(Conflict, match="not as asked in merge_whitelist_usernames"):
        admin.ensure_protection(APP, RULE)


def test_protections_that_come_second(wire: Wire, admin: GiteaAdmin) -> None:
    """Another rule that counts for the branch gets its place behind; one that stays before it is an error."""
    right = {**protection.settings(RULE, "block_admin_merge_override"), "rule_name": RULE.branch, "priority": 2}
    rules = [{"rule_name": "*", "priority": 1}, right, {"rule_name": "x", "priority": 5}]
    wire.say(rules).say(GITEA).say(OTHER).say({**right, "priority": 0}).say(SAME)
    assert admin.ensure_protection(APP, RULE)
    (changed,) = [asked for asked in wire.asked if asked.method == "PATCH"]
    assert changed.body["priority"] == 0
    wire.say(rules).say(OTHER).say({**right, "priority": 0}).say(OTHER)
    with pytest.raises(Conflict, match="the rule \\* counts for release/\\*\\* all the same: take it away"):
        admin.ensure_protection(APP, RULE)


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"enable_bypass_allowlist": True, "bypass_allowlist_usernames": ["bot"]}, ("enable_bypass_allowlist",)),
        ({"enable_moon_allowlist": True}, ("enable_moon_allowlist",)),
        ({"moon_whitelist_teams": ["x"]}, ("moon_whitelist_teams",)),
        ({"admins_exempt": True}, ("admins_exempt",)),
        ({"bypass_allowlist_usernames": ["bot"], "enable_approvals_whitelist": True, "moon": True}, ()),
        ({"block_admin_merge_override": True, "enable_status_check": True, "enable_push_whitelist": True}, ()),
    ],
)
def test_what_lets_somebody_past(more: dict[str, object], found: tuple[str, ...]) -> None:
    """A setting that is on and opens a rule is told, also one that no forge has yet; a list without its switch is not."""
    assert protection.rule(JsonValue({"rule_name": "main", **more}, "rule")).exceptions == found
