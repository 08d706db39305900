"""What keeps a forge ready: accounts, tokens, guests and hooks that are not as they should be."""

from __future__ import annotations

import secrets

import pytest

from forge.gitea.client import route
from forge.gitea.permission_probe import PermissionProbe
from forge.gitea.reader import GiteaReader
from forge.protocol import NotFound, Refused
from tests.contract.conftest import ContractForge
from tests.contract.proof import Proof


def test_accounts_that_cannot_act(contract_forge: ContractForge) -> None:
    """An account with too much or too little is made an ordinary one; one that is, is left alone."""
    assert contract_forge.admin.is_admin()
    una = contract_forge.user_named("una")
    assert not contract_forge.admin.ensure_usable(una)
    contract_forge.raw.patch(route("admin", "users", una), login_name=una, source_id=0, admin=True)
    assert contract_forge.admin.ensure_usable(una)
    assert not contract_forge.admin.ensure_usable(una)
    assert contract_forge.admin.ensure_usable(una, stuck=True)
    assert not contract_forge.admin.ensure_usable(f"nobody-{secrets.token_hex(4)}")


def test_activity_is_shown(contract_forge: ContractForge) -> None:
    """Who hides his activity is known: merges are verified by it."""
    vic = contract_forge.user_named("vic")
    assert not contract_forge.admin.hides_activity(vic)
    contract_forge.raw.patch("/user/settings?sudo=" + vic, hide_activity=True)
    assert contract_forge.admin.hides_activity(vic)


def test_tokens_are_seen_and_dropped(contract_forge: ContractForge) -> None:
    """A token is known by its name, its end and its scopes; dropped it opens nothing."""
    wes = contract_forge.user_named("wes")
    token = contract_forge.admin.make_token(wes, "hive", ["read:user"])
    (held,) = contract_forge.admin.tokens(wes)
    assert (held.name, token.endswith(held.tail), held.scopes) == ("hive", True, frozenset({"read:user"}))
    for _ in range(2):
        contract_forge.admin.drop_token(wes, held.id)
    assert contract_forge.admin.tokens(wes) == []
    with GiteaReader(name="work", url=contract_forge.url, token=token) as reader, pytest.raises(Refused):
        reader.user(wes)


def test_guests_leave(contract_forge: ContractForge) -> None:
    """Who is a collaborator and should be none is none; who is in a wrong team leaves it."""
    repo = contract_forge.repo_for("eve")
    assert contract_forge.admin.ensure_strangers(repo, [contract_forge.login("eve")])
    assert not contract_forge.admin.ensure_strangers(repo, [contract_forge.login("eve")])
    org, xia = contract_forge.org_named("rooms"), contract_forge.user_named("xia")
    for team in ("one", "two"):
        contract_forge.admin.ensure_team(org, team, permission="read", units={"repo.code": "read"}, members=[xia])
    assert contract_forge.admin.ensure_places(org, {xia: ["one"]})
    assert not contract_forge.admin.ensure_places(org, {xia: ["one"]})


def test_hooks_are_renewed(contract_forge: ContractForge) -> None:
    """A new hook takes the place of the old one; a repository's own hook to the same place goes."""
    url, org = "http://127.0.0.1:9/renewed", contract_forge.org_named("bells")
    contract_forge.admin.ensure_hook(org, url, "old", ["issues"])
    (old,) = list(contract_forge.raw.rows(route("orgs", org, "hooks")))
    contract_forge.admin.renew_hook(org, url, "new", ["issues"])
    (new,) = list(contract_forge.raw.rows(route("orgs", org, "hooks")))
    assert old["id"].number() != new["id"].number()
    repo = contract_forge.repo()
    at = route("repos", *repo.path.split("/"), "hooks")
    kind = contract_forge.ops.capabilities().kind
    contract_forge.raw.post(at, type=kind, active=True, events=["push"], config={"url": url, "content_type": "json"})
    assert contract_forge.admin.ensure_no_hook(repo, url)
    assert not contract_forge.admin.ensure_no_hook(repo, url)


def test_trials_leave_nothing(contract_forge: ContractForge, flavour: str, proof: Proof) -> None:
    """A draft that nobody can merge is made to try, and taken away with its branch."""
    repo = contract_forge.repo()
    with PermissionProbe(name="work", url=contract_forge.url, token=contract_forge.tokens["iris"]) as hands:
        trial = proof.watched(flavour, hands)
        ref = trial.open_draft(repo, "trial/1", "main")
        assert contract_forge.ops.pull(ref).draft
        contract_forge.admin.delete_issue(ref)
        for _ in range(2):
            trial.drop_branch(repo, "trial/1")
    with pytest.raises(NotFound):
        contract_forge.ops.pull(ref)
    with pytest.raises(NotFound):
        contract_forge.ops.branch(repo, "trial/1")
