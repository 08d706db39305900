"""What keeps a forge ready: accounts, tokens, guests and hooks that are not as they should be."""

from __future__ import annotations

import secrets

import pytest

from forge.gitea.client import route
from forge.gitea.read import GiteaReader
from forge.gitea.trial import GiteaTrial
from forge.protocol import NotFound, Refused
from tests.contract.conftest import Town
from tests.contract.proof import Proof


def test_accounts_that_cannot_act(town: Town) -> None:
    """An account with too much or too little is made an ordinary one; one that is, is left alone."""
    assert town.admin.is_admin()
    una = town.user_named("una")
    assert not town.admin.ensure_usable(una)
    town.raw.patch(route("admin", "users", una), login_name=una, source_id=0, admin=True)
    assert town.admin.ensure_usable(una)
    assert not town.admin.ensure_usable(una)
    assert town.admin.ensure_usable(una, stuck=True)
    assert not town.admin.ensure_usable(f"nobody-{secrets.token_hex(4)}")


def test_activity_is_shown(town: Town) -> None:
    """Who hides his activity is known: merges are verified by it."""
    vic = town.user_named("vic")
    assert not town.admin.hides_activity(vic)
    town.raw.patch("/user/settings?sudo=" + vic, hide_activity=True)
    assert town.admin.hides_activity(vic)


def test_tokens_are_seen_and_dropped(town: Town) -> None:
    """A token is known by its name, its end and its scopes; dropped it opens nothing."""
    wes = town.user_named("wes")
    token = town.admin.make_token(wes, "hive", ["read:user"])
    (held,) = town.admin.tokens(wes)
    assert (held.name, token.endswith(held.tail), held.scopes) == ("hive", True, frozenset({"read:user"}))
    for _ in range(2):
        town.admin.drop_token(wes, held.id)
    assert town.admin.tokens(wes) == []
    with GiteaReader(name="work", url=town.url, token=token) as reader, pytest.raises(Refused):
        reader.user(wes)


def test_guests_leave(town: Town) -> None:
    """Who is a collaborator and should be none is none; who is in a wrong team leaves it."""
    repo = town.repo_for("eve")
    assert town.admin.ensure_strangers(repo, [town.login("eve")])
    assert not town.admin.ensure_strangers(repo, [town.login("eve")])
    org, xia = town.org_named("rooms"), town.user_named("xia")
    for team in ("one", "two"):
        town.admin.ensure_team(org, team, permission="read", units={"repo.code": "read"}, members=[xia])
    assert town.admin.ensure_places(org, {xia: ["one"]})
    assert not town.admin.ensure_places(org, {xia: ["one"]})


def test_hooks_are_renewed(town: Town) -> None:
    """A new hook takes the place of the old one; a repository's own hook to the same place goes."""
    url, org = "http://127.0.0.1:9/renewed", town.org_named("bells")
    town.admin.ensure_hook(org, url, "old", ["issues"])
    (old,) = list(town.raw.rows(route("orgs", org, "hooks")))
    town.admin.renew_hook(org, url, "new", ["issues"])
    (new,) = list(town.raw.rows(route("orgs", org, "hooks")))
    assert old["id"].number() != new["id"].number()
    repo = town.repo()
    at = route("repos", *repo.path.split("/"), "hooks")
    kind = town.ops.capabilities().kind
    town.raw.post(at, type=kind, active=True, events=["push"], config={"url": url, "content_type": "json"})
    assert town.admin.ensure_no_hook(repo, url)
    assert not town.admin.ensure_no_hook(repo, url)


def test_trials_leave_nothing(town: Town, flavour: str, proof: Proof) -> None:
    """A draft that nobody can merge is made to try, and taken away with its branch."""
    repo = town.repo()
    with GiteaTrial(name="work", url=town.url, token=town.tokens["iris"]) as hands:
        trial = proof.watched(flavour, hands)
        ref = trial.open_draft(repo, "trial/1", "main")
        assert town.ops.pull(ref).draft
        town.admin.delete_issue(ref)
        for _ in range(2):
            trial.drop_branch(repo, "trial/1")
    with pytest.raises(NotFound):
        town.ops.pull(ref)
    with pytest.raises(NotFound):
        town.ops.branch(repo, "trial/1")
