"""The contract of every forge: it can do at least what its version is known for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forge.gitea.client import route
from forge.types import Label, Ref, ReviewComment, ReviewState
from tests.contract.conftest import MARK, Town


def compare_by_sha(town: Town, ref: Ref) -> None:
    """Two commits are compared."""
    pull = town.iris.pull(ref)
    place = route("repos", *ref.repo.path.split("/"), "compare", f"{pull.base_sha}...{pull.head_sha}")
    assert town.iris._client.get(place)["total_commits"].number() == 1


def label_removal_by_name(town: Town, ref: Ref) -> None:
    """A label goes by its name."""
    town.admin.ensure_label(ref.repo, Label("bug"))
    town.ops.label(ref, add=["bug"])
    town.ops._client.delete(route("repos", *ref.repo.path.split("/"), "issues", ref.number, "labels", "bug"))
    assert town.ops.issue(ref).labels == ()


def own_permission(town: Town, ref: Ref) -> None:
    """Somebody may ask for their own right; Gitea 1.26 says `none` to what a team gives by units."""
    place = route("repos", *ref.repo.path.split("/"), "collaborators", town.login("iris"), "permission")
    assert town.iris._client.get(place)["permission"].text() in {"none", "read", "write"}


def reviewers_on_create(town: Town, ref: Ref) -> None:
    """A new pull request asks for its reviewers."""
    town.change(ref.repo, "agent/iris/2")
    said = {"head": "agent/iris/2", "base": "main", "title": "t", "reviewers": [town.login("ops")]}
    made = town.iris._client.post(route("repos", *ref.repo.path.split("/"), "pulls"), **said)
    found = town.iris.pull(Ref(ref.repo, made["number"].number()))
    assert [user.login for user in found.reviewers] == [town.login("ops")]


def resolve_conversation(town: Town, ref: Ref) -> None:
    """A remark is settled."""
    said = town.ops.review(
        ref,
        head_sha=town.ops.pull(ref).head_sha,
        state=ReviewState.COMMENT,
        body=MARK,
        comments=[ReviewComment("a.py", 2, "why?")],
        marker=MARK,
    )
    [remark] = town.iris.review_comments(ref, said.id)
    at = route("repos", *ref.repo.path.split("/"), "pulls")
    town.ops._client.post(f"{at}/comments/{remark.id}/resolve")
    [row] = town.iris._client.get(f"{at}/{ref.number}/reviews/{said.id}/comments").each()
    assert row["resolver"]["login"].text() == town.login("ops")


def hears(town: Town, ref: Ref, event: str) -> None:
    """A hook that is asked for an event hears it."""
    config = {"content_type": "json", "url": "http://127.0.0.1:9/", "secret": "s"}
    at = route("repos", *ref.repo.path.split("/"), "hooks")
    made = town.raw.post(at, type=town.ops.capabilities().kind, events=[event], config=config)
    assert [name.text() for name in made["events"].each()] == [event]


def status_webhook(town: Town, ref: Ref) -> None:
    """A hook hears of statuses."""
    hears(town, ref, "status")


def action_events(town: Town, ref: Ref) -> None:
    """A hook hears of workflows, which have other names on either."""
    hears(town, ref, "action_run_success" if town.ops.capabilities().kind == "forgejo" else "workflow_run")


POWERS = (
    compare_by_sha,
    label_removal_by_name,
    own_permission,
    reviewers_on_create,
    resolve_conversation,
    status_webhook,
    action_events,
)


@pytest.mark.parametrize("power", POWERS, ids=lambda power: str(power.__name__))
def test_powers(town: Town, power: Callable[[Town, Ref], None]) -> None:
    """What a forge is said to be able to do it does; what it is not said to do nobody relies on."""
    if getattr(town.ops.capabilities(), power.__name__):
        power(town, town.pull(town.repo()))


def test_tokens_for_one_repository(town: Town) -> None:
    """A token for one repository is one exactly where that is known: elsewhere the wish is dropped in silence."""
    repo = town.repo()
    wish = {"name": repo.name, "repositories": [{"owner": repo.owner, "name": repo.name}]}
    made = town.raw.post(route("users", town.login("iris"), "tokens"), scopes=["write:issue"], **wish)
    listed = [row["name"].text() for row in made["repositories"].each()]
    assert listed == ([repo.name] if town.ops.capabilities().repo_tokens else [])


def test_kinds(town: Town) -> None:
    """A forge is of the kind whose hooks it takes, and knows the word for admins of its kind."""
    can = town.ops.capabilities()
    assert (can.kind, can.admins_key) in {
        ("forgejo", "apply_to_admins"),
        ("gitea", "block_admin_merge_override"),
    }
    repo = town.repo()
    at = route("repos", *repo.path.split("/"), "branch_protections")
    made = town.raw.post(at, rule_name="main", **{can.admins_key: True})
    assert made[can.admins_key].flag()
