"""The contract of every forge: it can do at least what its version is known for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forge.gitea.client import route
from forge.models import Label, Ref, ReviewComment, ReviewState
from tests.contract.conftest import MARK, ContractForge


def label_removal_by_name(contract_forge: ContractForge, ref: Ref) -> None:
    """A label goes by its name."""
    contract_forge.admin.ensure_label(ref.repo, Label("bug"))
    contract_forge.ops.label(ref, add=["bug"])
    contract_forge.ops._client.delete(route("repos", *ref.repo.path.split("/"), "issues", ref.number, "labels", "bug"))
    assert contract_forge.ops.issue(ref).labels == ()


def own_permission(contract_forge: ContractForge, ref: Ref) -> None:
    """Somebody may ask for their own right; Gitea 1.26 says `none` to what a team gives by units."""
    place = route("repos", *ref.repo.path.split("/"), "collaborators", contract_forge.login("iris"), "permission")
    assert contract_forge.iris._client.get(place)["permission"].text() in {"none", "read", "write"}


def reviewers_on_create(contract_forge: ContractForge, ref: Ref) -> None:
    """A new pull request asks for its reviewers."""
    contract_forge.change(ref.repo, "agent/iris/2")
    said = {"head": "agent/iris/2", "base": "main", "title": "t", "reviewers": [contract_forge.login("ops")]}
    made = contract_forge.iris._client.post(route("repos", *ref.repo.path.split("/"), "pulls"), **said)
    found = contract_forge.iris.pull(Ref(ref.repo, made["number"].number()))
    assert [user.login for user in found.reviewers] == [contract_forge.login("ops")]


def resolve_conversation(contract_forge: ContractForge, ref: Ref) -> None:
    """A remark is settled."""
    said = contract_forge.ops.review(
        ref,
        head_sha=contract_forge.ops.pull(ref).head_sha,
        state=ReviewState.COMMENT,
        body=MARK,
        comments=[ReviewComment("a.py", 2, "why?")],
        marker=MARK,
    )
    [remark] = contract_forge.iris.review_comments(ref, said.id)
    at = route("repos", *ref.repo.path.split("/"), "pulls")
    contract_forge.ops._client.post(f"{at}/comments/{remark.id}/resolve")
    [row] = contract_forge.iris._client.get(f"{at}/{ref.number}/reviews/{said.id}/comments").each()
    assert row["resolver"]["login"].text() == contract_forge.login("ops")


def listens_to_bots(contract_forge: ContractForge, ref: Ref, event: str) -> None:
    """A hook that is asked for an event hears it."""
    config = {"content_type": "json", "url": "http://127.0.0.1:9/", "secret": "s"}
    at = route("repos", *ref.repo.path.split("/"), "hooks")
    made = contract_forge.raw.post(at, type=contract_forge.ops.capabilities().kind, events=[event], config=config)
    assert [name.text() for name in made["events"].each()] == [event]


def status_webhook(contract_forge: ContractForge, ref: Ref) -> None:
    """A hook hears of statuses."""
    listens_to_bots(contract_forge, ref, "status")


def action_events(contract_forge: ContractForge, ref: Ref) -> None:
    """A hook hears of workflows, which have other names on either."""
    listens_to_bots(
        contract_forge,
        ref,
        "action_run_success" if contract_forge.ops.capabilities().kind == "forgejo" else "workflow_run",
    )


POWERS = (
    label_removal_by_name,
    own_permission,
    reviewers_on_create,
    resolve_conversation,
    status_webhook,
    action_events,
)


@pytest.mark.parametrize("power", POWERS, ids=lambda power: str(power.__name__))
def test_powers(contract_forge: ContractForge, power: Callable[[ContractForge, Ref], None]) -> None:
    """What a forge is said to be able to do it does; what it is not said to do nobody relies on."""
    if getattr(contract_forge.ops.capabilities(), power.__name__):
        power(contract_forge, contract_forge.pull(contract_forge.repo()))


def test_tokens_for_one_repository(contract_forge: ContractForge) -> None:
    """A token for one repository is one exactly where that is known: elsewhere the wish is dropped in silence."""
    repo = contract_forge.repo()
    wish = {"name": repo.name, "repositories": [{"owner": repo.owner, "name": repo.name}]}
    made = contract_forge.raw.post(
        route("users", contract_forge.login("iris"), "tokens"), scopes=["write:issue"], **wish
    )
    listed = [row["name"].text() for row in made["repositories"].each()]
    assert listed == ([repo.name] if contract_forge.ops.capabilities().repo_tokens else [])


def test_kinds(contract_forge: ContractForge) -> None:
    """A forge is of the kind whose hooks it takes, and knows the word for admins of its kind."""
    can = contract_forge.ops.capabilities()
    assert (can.kind, can.admins_key) in {
        ("forgejo", "apply_to_admins"),
        ("gitea", "block_admin_merge_override"),
    }
    repo = contract_forge.repo()
    at = route("repos", *repo.path.split("/"), "branch_protections")
    made = contract_forge.raw.post(at, rule_name="main", **{can.admins_key: True})
    assert made[can.admins_key].flag()
