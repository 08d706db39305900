"""One contract for every forge: what the adapter asks and does, with real git, real rules and real deliveries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from forge import keys
from forge.events import CommentPosted, IssueAssigned, IssueLabeled, IssueOpened, PullChanged, PullMerged
from forge.gitea.client import route
from forge.gitea.operator import GiteaOperator
from forge.gitea.read import GiteaReader
from forge.protocol import Conflict, Invalid, NotFound, Refused
from forge.types import CommitStatus, Label, Protection, Ref, Repo, ReviewComment, ReviewState, State
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


def test_files(town: Town) -> None:
    """A file that holds its content already makes no commit; protection keeps everybody off."""
    repo = town.repo()
    town.iris.put_file(repo, "dir/b.bin", b"\x00\xff", message="add", branch="main")
    before = town.iris.branch(repo, "main").sha
    town.iris.put_file(repo, "dir/b.bin", b"\x00\xff", message="again", branch="main")
    assert town.iris.branch(repo, "main").sha == before
    town.iris.put_file(repo, "dir/b.bin", b"", message="change", branch="main")
    assert (town.iris.file(repo, "dir/b.bin", "main"), town.iris.file(repo, "dir/b.bin", before)) == (b"", b"\x00\xff")
    with pytest.raises(NotFound):
        town.iris.file(repo, "dir", "main")
    with pytest.raises(NotFound):
        town.iris.put_file(repo, "c", b"", message="m", branch="nowhere")
    town.admin.ensure_protection(repo, Protection("main", mergers=(town.login("ops"),)))
    for forge in (town.iris, town.ops):
        with pytest.raises(Refused):
            forge.put_file(repo, "c", b"", message="m", branch="main")
    assert town.iris.branch(repo, "main").protected


def test_issues(town: Town) -> None:
    """An issue is filed, answered, assigned and closed once each, however often that is asked."""
    repo, iris = town.repo(), town.iris
    first, again = (iris.open_issue(repo, "squeaks", f"oil it {MARK}", marker=MARK) for _ in range(2))
    assert first.ref == again.ref
    said, same = (iris.comment(first.ref, f"hello {MARK}", marker=MARK) for _ in range(2))
    assert said.id == same.id
    iris.edit_comment(first.ref, said.id, f"goodbye {MARK}")
    assert [comment.body for comment in iris.comments(first.ref)] == [f"goodbye {MARK}"]
    for _ in range(2):
        iris.assign(first.ref, [town.login("ops")])
    iris.assign(first.ref, [town.login("iris")])
    assert {user.login for user in iris.issue(first.ref).assignees} == {town.login("ops"), town.login("iris")}
    for _ in range(2):
        iris.close(first.ref)
    assert not iris.issue(first.ref).is_open
    kinds = [row.kind for row in iris.timeline(first.ref)]
    assert kinds == ["comment", "assignees", "assignees", "close"]
    reopened = iris.open_issue(repo, "squeaks", f"again {MARK}", marker=MARK)
    assert reopened.ref != first.ref


def test_readers_do_not_assign(town: Town) -> None:
    """Who may not assign is refused, though the forge drops the wish in silence; nobody is nobody."""
    repo = town.repo()
    town.admin.ensure_collaborator(repo, town.login("eve"), "read")
    issue = town.eve.open_issue(repo, "t", MARK, marker=MARK)
    with pytest.raises(Refused, match="may not be assigned: iris"):
        town.eve.assign(issue.ref, [town.login("iris")])
    with pytest.raises(NotFound):
        town.ops.assign(issue.ref, ["nobody-here"])
    assert town.ops.issue(issue.ref).assignees == ()


def test_labels(town: Town) -> None:
    """Labels come and go by name, of the repository and its organisation, and nothing is written in vain."""
    repo = town.repo()
    for label in (Label("bug"), Label("state/todo", exclusive=True), Label("state/doing", exclusive=True)):
        town.admin.ensure_label(repo, label)
    town.raw.post(f"/orgs/{town.org}/labels", name=f"urgent-{repo.name}", color="#ff0000")
    ref = town.ops.open_issue(repo, "t", MARK, marker=MARK).ref
    town.ops.label(ref, add=["bug", "state/todo", f"urgent-{repo.name}"])
    town.ops.label(ref, add=["state/doing"], remove=["bug"])
    assert set(town.ops.issue(ref).labels) == {"state/doing", f"urgent-{repo.name}"}
    rows = town.ops.timeline(ref)
    town.ops.label(ref, add=["state/doing"], remove=["bug"])
    assert town.ops.timeline(ref) == rows
    assert {(row.label, row.removed) for row in rows} >= {("bug", False), ("bug", True), ("state/doing", False)}
    with pytest.raises(Invalid, match=r"no label state/done$"):
        town.ops.label(ref, add=["state/done", "bug"])
    assert town.ops.timeline(ref) == rows


def test_what_changed(town: Town) -> None:
    """A sweep finds what changed, issues and pull requests alike, and nothing that did not."""
    repo = town.repo()
    issue = town.ops.open_issue(repo, "t", MARK, marker=MARK)
    pull = town.pull(repo)
    assert {found.ref for found in town.ops.changed_since(repo, issue.updated_at)} == {issue.ref, pull}
    assert [found.is_pull for found in town.ops.changed_since(repo, issue.updated_at) if found.ref == pull] == [True]
    assert town.ops.changed_since(repo, datetime.now(UTC) + timedelta(hours=1)) == []


def test_pulls(town: Town) -> None:
    """A pull request is opened once, and shows its head, its files and its diff."""
    repo = town.repo()
    head = town.change(repo)
    one, other = (
        town.iris.open_pull(repo, head="agent/iris/1", base="main", title="two is 2", body="b") for _ in range(2)
    )
    assert one == other
    assert (one.head_sha, one.head_branch, one.head_repo, one.base_branch) == (head, "agent/iris/1", repo, "main")
    assert one.base_repo_id == town.ops.repository(repo).id
    assert [(file.path, file.additions, file.deletions) for file in town.ops.files(one.ref)] == [("a.py", 1, 1)]
    assert "-two\n+2\n" in town.ops.diff(one.ref)
    with pytest.raises(NotFound):
        town.iris.open_pull(repo, head="nowhere", base="main", title="t", body="")
    town.iris.close(one.ref)
    assert not town.ops.pull(one.ref).is_open


def test_reviews(town: Town) -> None:
    """A review is said once for a head; a pending one does not swallow its remarks."""
    ref = town.pull(town.repo())
    head = town.ops.pull(ref).head_sha
    at = route("repos", *ref.repo.path.split("/"), "pulls", ref.number, "reviews")
    town.ops._client.post(at, event="PENDING", body="not yet", commit_id=head)
    remarks = [ReviewComment("a.py", 2, "two"), ReviewComment("a.py", 2, "was two", old=True)]
    said, same = (
        town.ops.review(
            ref, head_sha=head, state=ReviewState.REQUEST_CHANGES, body=f"no {MARK}", comments=remarks, marker=MARK
        )
        for _ in range(2)
    )
    assert said.id == same.id
    assert [(review.state, review.head_sha) for review in town.iris.reviews(ref)] == [
        (ReviewState.REQUEST_CHANGES, head)
    ]
    found = town.iris.review_comments(ref, said.id)
    assert [(remark.path, remark.line, remark.old, remark.body) for remark in found] == [
        ("a.py", 2, False, "two"),
        ("a.py", 2, True, "was two"),
    ]
    with pytest.raises(Invalid, match="own pull"):
        town.iris.review(ref, head_sha=head, state=ReviewState.APPROVED, body=MARK, comments=[], marker=MARK)


def test_statuses(town: Town) -> None:
    """A context says its newest word, and says it once."""
    repo = town.repo()
    sha = town.ops.branch(repo, "main").sha
    for word in (State.PENDING, State.SUCCESS, State.SUCCESS):
        town.ops.set_status(repo, sha, CommitStatus("hive/eval", word, "fine", "http://hive.example/1"))
    said = CommitStatus("hive/eval", State.SUCCESS, "fine", "http://hive.example/1")
    assert town.ops.statuses(repo, sha) == [said]
    assert len(list(town.ops._client.rows(route("repos", *repo.path.split("/"), "statuses", sha)))) == 2


def test_tags(town: Town) -> None:
    """A tag stays on its commit."""
    repo = town.repo()
    first = town.ops.branch(repo, "main").sha
    for _ in range(2):
        town.ops.tag(repo, "deployed/1", first, "the first")
    town.iris.put_file(repo, "b", b"", message="more", branch="main")
    with pytest.raises(Conflict, match="deployed/1"):
        town.ops.tag(repo, "deployed/1", town.ops.branch(repo, "main").sha, "moved")


def test_merging(town: Town) -> None:
    """Only an operator merges, only what is green, only the head that was looked at; the feed says who it was."""
    repo = town.repo()
    rule = Protection("main", mergers=(town.login("ops"),), required_statuses=("hive/eval",))
    town.admin.ensure_protection(repo, rule)
    ref = town.pull(repo)
    head, before = town.ops.pull(ref).head_sha, town.ops.branch(repo, "main").sha
    cursor = max(push.id for push in town.ops.pushes(repo, "main", 0))
    agent = GiteaOperator(name="work", url=town.url, token=town.tokens["iris"])
    with agent, pytest.raises(Refused, match="User not allowed to merge PR"):
        agent.merge(ref, head_sha=head)
    with pytest.raises(Refused, match="Not all required status checks successful"):
        town.operator.merge(ref, head_sha=head)
    town.ops.set_status(repo, head, CommitStatus("hive/eval", State.SUCCESS))
    with pytest.raises(Conflict, match="head out of date"):
        town.operator.merge(ref, head_sha=before)
    for _ in range(2):
        town.operator.merge(ref, head_sha=head)
    pull = town.iris.pull(ref)
    assert (pull.merged, pull.merged_by and pull.merged_by.login) == (True, town.login("ops"))
    [push] = town.iris.pushes(repo, "main", cursor)
    assert (push.old, push.new, push.actor_id) == (before, pull.merge_sha, town.ops.user(town.login("ops")).id)
    assert town.iris.pull_of(repo, push.new) == pull
    assert town.iris.pull_of(repo, before) is None
    assert "merge_pull" in {row.kind for row in town.iris.timeline(ref)}


def test_conflicts(town: Town) -> None:
    """A pull request that cannot be merged is a conflict, not a refusal."""
    repo = town.repo()
    ref = town.pull(repo)
    town.iris.put_file(repo, "a.py", b"one\nzwei\nthree\n", message="other", branch="main")
    with pytest.raises(Conflict, match="Please try again later"):
        town.operator.merge(ref, head_sha=town.ops.pull(ref).head_sha)


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
    assert {keys.opened(town.ops.issue(issue)), keys.commented(comment)} <= {event.key for event in events}
    assert {event.actor for event in events} == {town.ops.user(town.login("ops"))}
    ref = town.pull(repo)
    opened = town.ops.pull(ref)
    town.operator.merge(ref, head_sha=opened.head_sha)
    events = receiver.until(PullChanged, PullMerged, ref=ref)
    assert {keys.changed(opened), keys.merged(opened)} <= {event.key for event in events}
