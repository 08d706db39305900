"""One contract for every forge: what the adapter asks and does, with real git, real rules and real deliveries."""

from __future__ import annotations

import pytest

from forge import keys
from forge.events import CommentPosted, IssueAssigned, IssueLabeled, IssueOpened, PullChanged, PullMerged
from forge.gitea.client import route
from forge.gitea.read import GiteaReader
from forge.protocol import Invalid, NotFound, Refused
from forge.types import Label, Protection, Ref, Repo
from tests.contract.conftest import MARK, WRITES, Receiver, Town


def test_making_ready_twice(town: Town, receiver: Receiver) -> None:
    """What is as it should be is left as it is."""
    admin, repo = town.admin, town.repo()
    rule = Protection(
        "main", mergers=(town.login("ops"),), required_statuses=("hive/eval",), block_on_outdated_branch=True
    )
    bug = Label("type/bug", "d73a4a", "does not work", exclusive=True)
    for made in (True, False):
        assert admin.ensure_collaborator(repo, town.login("eve"), "read") is made
        assert admin.ensure_label(repo, bug) is made
        assert admin.ensure_protection(repo, rule) is made
    assert not admin.ensure_org(town.org)
    assert not admin.ensure_repo(repo, private=True)
    assert not admin.ensure_team(town.org, "agents", permission="write", units=WRITES, members=[town.login("iris")])
    assert not admin.ensure_hook(town.org, receiver.url, "other", ["pull_request", "issues"])
    assert town.ops.protection(repo, "main") == rule


def test_making_otherwise(town: Town) -> None:
    """What is otherwise is changed, and then as it should be."""
    admin, repo = town.admin, town.repo()
    gus = town.user_named("gus")
    admin.ensure_label(repo, Label("wish"))
    admin.ensure_protection(repo, Protection("main", mergers=(town.login("ops"),)))
    admin.ensure_collaborator(repo, town.login("eve"), "read")
    admin.ensure_team(town.org, "guests", permission="write", units=WRITES, members=[])
    assert admin.ensure_label(repo, Label("wish", "112233", "please"))
    assert admin.ensure_protection(repo, Protection("main", push=True))
    assert admin.ensure_collaborator(repo, town.login("eve"), "write")
    assert admin.ensure_team(town.org, "guests", permission="read", units={"repo.code": "read"}, members=[gus])
    assert not admin.ensure_label(repo, Label("wish", "112233", "please"))
    assert town.ops.protection(repo, "main") == Protection("main", push=True)
    assert not admin.ensure_team(
        town.org, "guests", permission="read", units={"repo.code": "read"}, members=[gus.title()]
    )


def test_hooks_in_their_place(town: Town) -> None:
    """A hook that hears other things is replaced by exactly one."""
    url = "http://127.0.0.1:9/elsewhere"
    lonely = town.org_named("lonely")
    for events in (["issues"], ["pull_request"], ["issues", "push"]):
        assert town.admin.ensure_hook(lonely, url, "s", events)
        assert not town.admin.ensure_hook(lonely, f"{url}/", "s", events)
    assert len(list(town.raw.rows(f"/orgs/{lonely}/hooks"))) == 1
    with pytest.raises(Invalid, match="cannot hear"):
        town.admin.ensure_hook(lonely, "http://127.0.0.1:9/new", "s", ["issues", "earthquake"])
    assert len(list(town.raw.rows(f"/orgs/{lonely}/hooks"))) == 1


def test_a_new_token_ends_the_old_one(town: Town) -> None:
    """A token that was replaced opens nothing, and is not in the error."""
    tess = town.user_named("tess")
    old = town.admin.make_token(tess, "hive", ["read:user"])
    new = town.admin.make_token(tess, "hive", ["read:user"])
    with GiteaReader(name="work", url=town.url, token=new) as reader:
        assert reader.user(tess).login == tess
    with GiteaReader(name="work", url=town.url, token=old) as reader, pytest.raises(Refused) as caught:
        reader.user(tess)
    assert old not in str(caught.value)


def test_protections_of_nobody(town: Town) -> None:
    """A rule that names somebody who is nobody is refused."""
    with pytest.raises(Invalid, match="nobody-here"):
        town.admin.ensure_protection(town.repo(), Protection("main", mergers=("nobody-here",)))


def test_a_renamed_repository(town: Town) -> None:
    """A repository that was renamed is not found under its old name, neither to read nor to write."""
    repo = town.repo()
    town.raw.patch(route("repos", *repo.path.split("/")), name=f"{repo.name}-renamed")
    with pytest.raises(NotFound):
        town.ops.repository(repo)
    with pytest.raises(NotFound):
        town.ops.open_issue(repo, "t", MARK, marker=MARK)
    assert Repo("work", town.org, f"{repo.name}-renamed") in {found.repo for found in town.ops.repositories(town.org)}


def test_what_is_not_there(town: Town) -> None:
    """What is not there is not found, and neither is what may not be seen."""
    repo = town.repo()
    for ask in (
        lambda: town.ops.user("nobody-here"),
        lambda: town.ops.repository(Repo("work", town.org, "nothing")),
        lambda: town.eve.repository(repo),
        lambda: town.ops.branch(repo, "nowhere"),
        lambda: town.ops.issue(Ref(repo, 999)),
        lambda: town.ops.pull(Ref(repo, 999)),
        lambda: town.ops.comment(Ref(repo, 999), MARK, marker=MARK),
    ):
        with pytest.raises(NotFound):
            ask()
    assert town.ops.protection(repo, "main") is None


def test_deliveries(town: Town, receiver: Receiver) -> None:
    """What is done on the forge arrives as events, with the keys that a sweep makes of the same."""
    repo = town.repo()
    town.admin.ensure_label(repo, Label("bug"))
    issue = town.ops.open_issue(repo, "t", MARK, marker=MARK).ref
    town.ops.assign(issue, [town.login("iris")])
    town.ops.label(issue, add=["bug"])
    comment = town.ops.comment(issue, MARK, marker=MARK)
    events = receiver.until(IssueOpened, IssueAssigned, IssueLabeled, CommentPosted, ref=issue)
    repo_id = town.ops.repository(repo).id
    opening = keys.opened("work", repo_id, issue.number)
    assert {event.key for event in events} == {opening, keys.commented("work", comment.id), keys.UNKNOWN}
    assert {event.actor for event in events} == {town.ops.user(town.login("ops"))}
    ref = town.pull(repo)
    town.merge(ref)
    events = receiver.until(PullChanged, PullMerged, ref=ref)
    told = {keys.opened("work", repo_id, ref.number), keys.merged("work", repo_id, ref.number)}
    assert told <= {event.key for event in events}
