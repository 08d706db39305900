"""One contract for every forge: what the adapter asks and does, with real git, real rules and real deliveries."""

from __future__ import annotations

import pytest

from forge import event_keys
from forge.events import CommentPosted, IssueAssigned, IssueLabeled, IssueOpened, PullChanged, PullMerged
from forge.gitea.client import route
from forge.gitea.reader import GiteaReader
from forge.models import Label, Protection, Ref, Repo
from forge.protocol import Invalid, NotFound, Refused
from tests.contract.conftest import MARK, WRITES, ContractForge, Receiver


def test_making_ready_twice(contract_forge: ContractForge, receiver: Receiver) -> None:
    """What is as it should be is left as it is."""
    admin, repo = contract_forge.admin, contract_forge.repo()
    rule = Protection(
        "main", mergers=(contract_forge.login("ops"),), required_statuses=("hive/eval",), block_on_outdated_branch=True
    )
    bug = Label("type/bug", "d73a4a", "does not work", exclusive=True)
    for made in (True, False):
        assert admin.ensure_collaborator(repo, contract_forge.login("eve"), "read") is made
        assert admin.ensure_label(repo, bug) is made
        assert admin.ensure_protection(repo, rule) is made
    assert not admin.ensure_org(contract_forge.org)
    assert not admin.ensure_repo(repo, private=True)
    assert not admin.ensure_team(
        contract_forge.org, "agents", permission="write", units=WRITES, members=[contract_forge.login("iris")]
    )
    assert not admin.ensure_hook(contract_forge.org, receiver.url, "other", ["pull_request", "issues"])
    assert contract_forge.ops.protection(repo, "main") == rule
    assert contract_forge.ops.protection_of(repo, contract_forge.ops.branch(repo, "main")) == rule


def test_making_otherwise(contract_forge: ContractForge) -> None:
    """What is otherwise is changed, and then as it should be."""
    admin, repo = contract_forge.admin, contract_forge.repo()
    gus = contract_forge.user_named("gus")
    admin.ensure_label(repo, Label("wish"))
    admin.ensure_protection(repo, Protection("main", mergers=(contract_forge.login("ops"),)))
    admin.ensure_collaborator(repo, contract_forge.login("eve"), "read")
    admin.ensure_team(contract_forge.org, "guests", permission="write", units=WRITES, members=[])
    assert admin.ensure_label(repo, Label("wish", "112233", "please"))
    assert admin.ensure_protection(repo, Protection("main", push=True))
    assert admin.ensure_collaborator(repo, contract_forge.login("eve"), "write")
    assert admin.ensure_team(
        contract_forge.org, "guests", permission="read", units={"repo.code": "read"}, members=[gus]
    )
    assert not admin.ensure_label(repo, Label("wish", "112233", "please"))
    assert contract_forge.ops.protection(repo, "main") == Protection("main", push=True)
    assert not admin.ensure_team(
        contract_forge.org, "guests", permission="read", units={"repo.code": "read"}, members=[gus.title()]
    )


def test_hooks_in_their_place(contract_forge: ContractForge) -> None:
    """A hook that hears other things is replaced by exactly one."""
    url = "http://127.0.0.1:9/elsewhere"
    lonely = contract_forge.org_named("lonely")
    for events in (["issues"], ["pull_request"], ["issues", "push"]):
        assert contract_forge.admin.ensure_hook(lonely, url, "s", events)
        assert not contract_forge.admin.ensure_hook(lonely, f"{url}/", "s", events)
    assert len(list(contract_forge.raw.rows(f"/orgs/{lonely}/hooks"))) == 1
    with pytest.raises(Invalid, match="cannot hear"):
        contract_forge.admin.ensure_hook(lonely, "http://127.0.0.1:9/new", "s", ["issues", "earthquake"])
    assert len(list(contract_forge.raw.rows(f"/orgs/{lonely}/hooks"))) == 1


def test_a_new_token_ends_the_old_one(contract_forge: ContractForge) -> None:
    """A token that was replaced opens nothing, and is not in the error."""
    tess = contract_forge.user_named("tess")
    old = contract_forge.admin.make_token(tess, "hive", ["read:user"])
    new = contract_forge.admin.make_token(tess, "hive", ["read:user"])
    with GiteaReader(name="work", url=contract_forge.url, token=new) as reader:
        assert reader.user(tess).login == tess
    with GiteaReader(name="work", url=contract_forge.url, token=old) as reader, pytest.raises(Refused) as caught:
        reader.user(tess)
    assert old not in str(caught.value)


def test_protections_of_nobody(contract_forge: ContractForge) -> None:
    """A rule that names somebody who is nobody is refused."""
    with pytest.raises(Invalid, match="nobody-here"):
        contract_forge.admin.ensure_protection(contract_forge.repo(), Protection("main", mergers=("nobody-here",)))


def test_a_renamed_repository(contract_forge: ContractForge) -> None:
    """A repository that was renamed is not found under its old name, neither to read nor to write."""
    repo = contract_forge.repo()
    contract_forge.raw.patch(route("repos", *repo.path.split("/")), name=f"{repo.name}-renamed")
    with pytest.raises(NotFound):
        contract_forge.ops.repository(repo)
    with pytest.raises(NotFound):
        contract_forge.ops.open_issue(repo, "t", MARK, marker=MARK)
    assert Repo("work", contract_forge.org, f"{repo.name}-renamed") in {
        found.repo for found in contract_forge.ops.repositories(contract_forge.org)
    }


def test_what_is_not_there(contract_forge: ContractForge) -> None:
    """What is not there is not found, and neither is what may not be seen."""
    repo = contract_forge.repo()
    for ask in (
        lambda: contract_forge.ops.user("nobody-here"),
        lambda: contract_forge.ops.repository(Repo("work", contract_forge.org, "nothing")),
        lambda: contract_forge.eve.repository(repo),
        lambda: contract_forge.ops.branch(repo, "nowhere"),
        lambda: contract_forge.ops.issue(Ref(repo, 999)),
        lambda: contract_forge.ops.pull(Ref(repo, 999)),
        lambda: contract_forge.ops.comment(Ref(repo, 999), MARK, marker=MARK),
    ):
        with pytest.raises(NotFound):
            ask()
    assert contract_forge.ops.protection(repo, "main") is None


def test_deliveries(contract_forge: ContractForge, receiver: Receiver) -> None:
    """What is done on the forge arrives as events, with the keys that a sweep makes of the same."""
    repo = contract_forge.repo()
    contract_forge.admin.ensure_label(repo, Label("bug"))
    issue = contract_forge.ops.open_issue(repo, "t", MARK, marker=MARK).ref
    contract_forge.ops.assign(issue, [contract_forge.login("iris")])
    contract_forge.ops.label(issue, add=["bug"])
    comment = contract_forge.ops.comment(issue, MARK, marker=MARK)
    events = receiver.until(IssueOpened, IssueAssigned, IssueLabeled, CommentPosted, ref=issue)
    repo_id = contract_forge.ops.repository(repo).id
    opening = event_keys.opened("work", repo_id, issue.number)
    assert {event.key for event in events} == {opening, event_keys.commented("work", comment.id), event_keys.UNKNOWN}
    assert {event.actor for event in events} == {contract_forge.ops.user(contract_forge.login("ops"))}
    ref = contract_forge.pull(repo)
    contract_forge.merge(ref)
    events = receiver.until(PullChanged, PullMerged, ref=ref)
    told = {event_keys.opened("work", repo_id, ref.number), event_keys.merged("work", repo_id, ref.number)}
    assert told <= {event.key for event in events}
