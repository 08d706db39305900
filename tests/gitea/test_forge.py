"""The adapter against a real forge: the embedded one, with real git, real rules and real deliveries."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import pytest

from forge import keys
from forge.embedded import EmbeddedForge
from forge.events import CommentPosted, Event, IssueAssigned, IssueLabeled, IssueOpened, PullChanged, PullMerged
from forge.gitea.admin import GiteaAdmin
from forge.gitea.client import route
from forge.gitea.decode import decode
from forge.gitea.operator import GiteaOperator
from forge.gitea.read import GiteaReader
from forge.gitea.write import GiteaForge
from forge.protocol import Conflict, Invalid, NotFound, Refused
from forge.types import CommitStatus, Label, Protection, Ref, Repo, ReviewComment, ReviewState, State
from forge.webhook import verify

PASSWORD, SECRET = "correct horse", b"battery staple"
SCOPES = ("write:repository", "write:issue", "read:user", "read:organization")
WRITES = {"repo.code": "write", "repo.issues": "write", "repo.pulls": "write"}
MARK = "<!-- hive:1 -->"


@dataclass
class Receiver:
    """Where a hook delivers to: verifies, decodes, and keeps the events."""

    url: str = ""
    events: list[Event] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    def take(self, headers: dict[str, str], body: bytes) -> None:
        found = decode(verify("work", headers, body, [SECRET]))
        with self.came:
            self.events += found
            self.came.notify_all()

    def until(self, *kinds: type[Event], ref: Ref) -> list[Event]:
        """Wait until there is an event of each kind about `ref`, and give all that are about it."""

        def here() -> list[Event]:
            return [event for event in self.events if event.ref == ref]

        with self.came:
            assert self.came.wait_for(lambda: {type(event) for event in here()}.issuperset(kinds), timeout=30), here()
            return here()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    heard = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.take(dict(self.headers), self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        heard.url = f"http://127.0.0.1:{server.server_port}/hook/work"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield heard
        server.shutdown()
        thread.join()


@dataclass
class Town:
    """A forge that was made ready: ops is an operator, iris an agent, eve a stranger."""

    url: str
    admin: GiteaAdmin
    ops: GiteaForge
    iris: GiteaForge
    eve: GiteaForge
    operator: GiteaOperator
    tokens: dict[str, str]
    numbers: Iterator[int] = field(default_factory=count)

    def repo(self) -> Repo:
        """A repository of its own for a test, with a file on main."""
        repo = Repo("work", "acme", f"app{next(self.numbers)}")
        assert self.admin.ensure_repo(repo, private=True)
        self.iris.put_file(repo, "a.py", b"one\ntwo\nthree\n", message="begin", branch="main")
        return repo

    def change(self, repo: Repo, branch: str = "agent/iris/1") -> str:
        """A branch that changes the second line; gives its head."""
        self.admin._client.post(route("repos", *repo.path.split("/"), "branches"), new_branch_name=branch)
        self.iris.put_file(repo, "a.py", b"one\n2\nthree\n", message="change", branch=branch)
        return self.iris.branch(repo, branch).sha

    def pull(self, repo: Repo) -> Ref:
        """An open pull request of iris."""
        self.change(repo)
        return self.iris.open_pull(repo, head="agent/iris/1", base="main", title="two is 2", body="").ref


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Town]:
    with ExitStack() as stack:
        forge = stack.enter_context(EmbeddedForge(tmp_path_factory.mktemp("forge")))
        forge.create_admin("root", PASSWORD)
        admin = stack.enter_context(GiteaAdmin(name="work", url=forge.url, login="root", password=PASSWORD))
        tokens = {}
        for login in ("ops", "iris", "eve"):
            admin.ensure_user(login, password=PASSWORD, email=f"{login}@forge.example")
            tokens[login] = admin.make_token(login, "hive", SCOPES)
        admin.ensure_org("acme")
        admin.ensure_team("acme", "operators", permission="admin", units={}, members=["ops"])
        admin.ensure_team("acme", "agents", permission="write", units=WRITES, members=["iris"])
        admin.ensure_hook("acme", receiver.url, SECRET.decode(), ["issues", "pull_request"])
        ops, iris, eve = (
            stack.enter_context(GiteaForge(name="work", url=forge.url, token=tokens[login])) for login in tokens
        )
        operator = stack.enter_context(GiteaOperator(name="work", url=forge.url, token=tokens["ops"]))
        yield Town(forge.url, admin, ops, iris, eve, operator, tokens)


def test_making_ready_twice(town: Town, receiver: Receiver) -> None:
    """What is as it should be is left as it is."""
    admin, repo = town.admin, town.repo()
    rule = Protection("main", mergers=("ops",), required_statuses=("hive/eval",), block_on_outdated_branch=True)
    bug = Label("type/bug", "d73a4a", "does not work", exclusive=True)
    for made in (True, False):
        assert admin.ensure_collaborator(repo, "eve", "read") is made
        assert admin.ensure_label(repo, bug) is made
        assert admin.ensure_protection(repo, rule) is made
    assert not admin.ensure_org("acme")
    assert not admin.ensure_repo(repo, private=True)
    assert not admin.ensure_team("acme", "agents", permission="write", units=WRITES, members=["iris"])
    assert not admin.ensure_hook("acme", receiver.url, "other", ["pull_request", "issues"])
    assert town.ops.protection(repo, "main") == rule


def test_making_otherwise(town: Town) -> None:
    """What is otherwise is changed, and then as it should be."""
    admin, repo = town.admin, town.repo()
    admin.ensure_user("gus", password=PASSWORD, email="gus@forge.example")
    admin.ensure_label(repo, Label("wish"))
    admin.ensure_protection(repo, Protection("main", mergers=("ops",)))
    admin.ensure_collaborator(repo, "eve", "read")
    admin.ensure_team("acme", "guests", permission="write", units=WRITES, members=[])
    assert admin.ensure_label(repo, Label("wish", "112233", "please"))
    assert admin.ensure_protection(repo, Protection("main", push=True))
    assert admin.ensure_collaborator(repo, "eve", "write")
    assert admin.ensure_team("acme", "guests", permission="read", units={"repo.code": "read"}, members=["gus"])
    assert not admin.ensure_label(repo, Label("wish", "112233", "please"))
    assert town.ops.protection(repo, "main") == Protection("main", push=True)
    assert not admin.ensure_team("acme", "guests", permission="read", units={"repo.code": "read"}, members=["Gus"])


def test_hooks_in_their_place(town: Town) -> None:
    """A hook that hears other things is replaced by exactly one."""
    url = "http://127.0.0.1:9/elsewhere"
    town.admin.ensure_org("lonely")
    for events in (["issues"], ["pull_request"], ["issues", "push"]):
        assert town.admin.ensure_hook("lonely", url, "s", events)
        assert not town.admin.ensure_hook("lonely", f"{url}/", "s", events)
    assert len(list(town.admin._client.rows("/orgs/lonely/hooks"))) == 1
    with pytest.raises(Invalid, match="cannot hear"):
        town.admin.ensure_hook("lonely", "http://127.0.0.1:9/new", "s", ["issues", "earthquake"])
    assert len(list(town.admin._client.rows("/orgs/lonely/hooks"))) == 1


def test_a_new_token_ends_the_old_one(town: Town) -> None:
    """A token that was replaced opens nothing, and is not in the error."""
    town.admin.ensure_user("tess", password=PASSWORD, email="tess@forge.example")
    old = town.admin.make_token("tess", "hive", ["read:user"])
    new = town.admin.make_token("tess", "hive", ["read:user"])
    with GiteaReader(name="work", url=town.url, token=new) as reader:
        assert reader.user("tess").login == "tess"
    with GiteaReader(name="work", url=town.url, token=old) as reader, pytest.raises(Refused) as caught:
        reader.user("tess")
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
    town.admin.ensure_protection(repo, Protection("main", mergers=("ops",)))
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
        iris.assign(first.ref, ["ops"])
    iris.assign(first.ref, ["iris"])
    assert {user.login for user in iris.issue(first.ref).assignees} == {"ops", "iris"}
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
    town.admin.ensure_collaborator(repo, "eve", "read")
    issue = town.eve.open_issue(repo, "t", MARK, marker=MARK)
    with pytest.raises(Refused, match="may not be assigned: iris"):
        town.eve.assign(issue.ref, ["iris"])
    with pytest.raises(NotFound):
        town.ops.assign(issue.ref, ["nobody-here"])
    assert town.ops.issue(issue.ref).assignees == ()


def test_labels(town: Town) -> None:
    """Labels come and go by name, of the repository and its organisation, and nothing is written in vain."""
    repo = town.repo()
    for label in (Label("bug"), Label("state/todo", exclusive=True), Label("state/doing", exclusive=True)):
        town.admin.ensure_label(repo, label)
    town.admin._client.post("/orgs/acme/labels", name=f"urgent-{repo.name}", color="#ff0000")
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
    rule = Protection("main", mergers=("ops",), required_statuses=("hive/eval",))
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
    assert (pull.merged, pull.merged_by and pull.merged_by.login) == (True, "ops")
    [push] = town.iris.pushes(repo, "main", cursor)
    assert (push.old, push.new, push.actor_id) == (before, pull.merge_sha, town.ops.user("ops").id)
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
    town.admin._client.patch(route("repos", *repo.path.split("/")), name=f"{repo.name}-renamed")
    with pytest.raises(NotFound):
        town.ops.repository(repo)
    with pytest.raises(NotFound):
        town.ops.open_issue(repo, "t", MARK, marker=MARK)
    assert Repo("work", "acme", f"{repo.name}-renamed") in {found.repo for found in town.ops.repositories("acme")}


def test_what_is_not_there(town: Town) -> None:
    """What is not there is not found, and neither is what may not be seen."""
    repo = town.repo()
    for ask in (
        lambda: town.ops.user("nobody-here"),
        lambda: town.ops.repository(Repo("work", "acme", "nothing")),
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
    town.ops.assign(issue, ["iris"])
    town.ops.label(issue, add=["bug"])
    comment = town.ops.comment(issue, MARK, marker=MARK)
    events = receiver.until(IssueOpened, IssueAssigned, IssueLabeled, CommentPosted, ref=issue)
    assert {keys.opened(town.ops.issue(issue)), keys.commented(comment)} <= {event.key for event in events}
    assert {event.actor for event in events} == {town.ops.user("ops")}
    ref = town.pull(repo)
    opened = town.ops.pull(ref)
    town.operator.merge(ref, head_sha=opened.head_sha)
    events = receiver.until(PullChanged, PullMerged, ref=ref)
    assert {keys.changed(opened), keys.merged(opened)} <= {event.key for event in events}
