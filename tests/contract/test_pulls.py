"""The contract of every forge: pull requests, reviews and merging, with real git and real rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from forge.gitea.client import route
from forge.gitea.operator import GiteaOperator
from forge.protocol import Conflict, ForgeError, Invalid, NotFound, Refused
from forge.types import CommitStatus, Protection, PullRequest, Ref, ReviewComment, ReviewState, State
from tests.contract.conftest import MARK, Town, some


def test_pulls(town: Town) -> None:
    """A pull request is opened once, and shows its head, its files and its diff."""
    repo = town.repo()
    head = town.change(repo)
    one, other = (
        town.iris.open_pull(repo, head="agent/iris/1", base="main", title="two is 2", body="b") for _ in range(2)
    )
    assert replace(one, mergeable=other.mergeable) == other  # it may have been checked meanwhile
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
    for state in (ReviewState.APPROVED, ReviewState.REQUEST_CHANGES):
        with pytest.raises(Invalid, match="own pull"):
            town.iris.review(ref, head_sha=head, state=state, body=MARK, comments=[], marker=MARK)
    mine = town.iris.review(ref, head_sha=head, state=ReviewState.COMMENT, body=MARK, comments=[], marker=MARK)
    assert (mine.state, mine.author.login) == (ReviewState.COMMENT, town.login("iris"))


def test_merging(town: Town) -> None:
    """Only an operator merges, only what is green, only the head that was looked at; the feed says who it was."""
    repo = town.repo()
    rule = Protection("main", mergers=(town.login("ops"),), required_statuses=("hive/eval",))
    town.admin.ensure_protection(repo, rule)
    ref = town.pull(repo)
    head, before = town.ops.pull(ref).head_sha, town.ops.branch(repo, "main").sha
    cursor = max(push.id for push in town.ops.pushes(repo, "main", 0))

    def fails(error: type[ForgeError], words: str, operator: GiteaOperator, sha: str) -> None:
        with pytest.raises(error, match=words):
            operator.merge(ref, head_sha=sha)

    with GiteaOperator(name="work", url=town.url, token=town.tokens["iris"]) as agent:
        town.until(lambda: fails(Refused, "User not allowed to merge PR", agent, head))
    town.until(lambda: fails(Refused, "Not all required status checks successful", town.operator, head))
    town.ops.set_status(repo, head, CommitStatus("hive/eval", State.SUCCESS))
    town.until(lambda: fails(Conflict, "head out of date", town.operator, before))
    for _ in range(2):
        town.until(lambda: town.operator.merge(ref, head_sha=head))
    pull = town.iris.pull(ref)
    assert (pull.merged, pull.merged_by and pull.merged_by.login) == (True, town.login("ops"))
    [push] = town.until(lambda: some(town.iris.pushes(repo, "main", cursor)))
    assert (push.old, push.new, push.actor_id) == (before, pull.merge_sha, town.ops.user(town.login("ops")).id)
    found = town.iris.pull_of(repo, push.new)
    assert found
    assert found.ref == ref
    assert town.iris.pull_of(repo, before) is None
    assert "merge_pull" in {row.kind for row in town.iris.timeline(ref)}


def test_conflicts(town: Town) -> None:
    """A pull request that cannot be merged is a conflict, not a refusal, whether or not the forge has seen it yet."""
    repo = town.repo()
    ref = town.pull(repo)
    town.iris.put_file(repo, "a.py", b"one\nzwei\nthree\n", message="other", branch="main")
    for _ in range(3):
        with pytest.raises(Conflict):
            town.operator.merge(ref, head_sha=town.ops.pull(ref).head_sha)
    with pytest.raises(Conflict, match="because of conflict"):
        town.iris.update_pull(ref)
    assert not town.ops.pull(ref).merged


def test_merging_what_waits(town: Town) -> None:
    """A pull request that waits for an open issue is a conflict that names it, not a forge that is out of order."""
    repo = town.repo()
    ref = town.pull(repo)
    first = town.ops.open_issue(repo, "first", MARK, marker=MARK).ref
    town.ops.depend(ref, first)

    def waits() -> None:
        with pytest.raises(Conflict, match=f"waits for {first}"):
            town.operator.merge(ref, head_sha=town.ops.pull(ref).head_sha)

    town.until(waits)
    town.ops.close(first)
    town.merge(ref)
    assert town.ops.pull(ref).merged


def test_heads_and_bases(town: Town) -> None:
    """Open pull requests are found by head and base, closed ones are not."""
    repo, iris = town.repo(), town.iris
    one = town.pull(repo)
    town.change(repo, "agent/iris/2")
    town.raw.post(route("repos", *repo.path.split("/"), "branches"), new_branch_name="dev")
    two, three = (
        iris.open_pull(repo, head="agent/iris/2", base=base, title="t", body="").ref for base in ("main", "dev")
    )

    def found(**by: str) -> set[Ref]:
        return {pull.ref for pull in iris.open_pulls(repo, **by)}

    assert found() == {one, two, three}
    assert found(base="main") == {one, two}
    assert found(head="agent/iris/2") == {two, three}
    assert found(head=f"{town.org}:agent/iris/2", base="dev") == {three}
    assert found(head="eve:agent/iris/2") == found(head="agent/iris") == set()
    iris.close(two)
    assert found(head="agent/iris/2") == {three}


def test_bringing_up_to_date(town: Town) -> None:
    """A head that lacks commits of its base gets them, once; one that has them is left alone."""
    repo = town.repo()
    ref = town.pull(repo)
    before = town.ops.pull(ref).head_sha
    town.iris.update_pull(ref)
    assert town.ops.branch(repo, "agent/iris/1").sha == before
    town.iris.put_file(repo, "b", b"", message="more", branch="main")
    for _ in range(2):
        town.iris.update_pull(ref)
    assert town.iris.file(repo, "b", "agent/iris/1") == b""
    head = town.ops.branch(repo, "agent/iris/1").sha
    assert head != before
    town.until(lambda: some(town.ops.pull(ref).head_sha == head))
    town.iris.close(ref)
    with pytest.raises(Conflict, match="closed"):
        town.iris.update_pull(ref)


def test_asking_for_reviews(town: Town) -> None:
    """A review is asked for once; nobody is asked about their own."""
    ref = town.pull(town.repo())
    for _ in range(2):
        town.ops.request_reviews(ref, [town.login("ops").upper()])
    assert [user.login for user in town.iris.pull(ref).reviewers] == [town.login("ops")]
    assert [row.kind for row in town.iris.timeline(ref)].count("review_request") == 1
    with pytest.raises(Invalid, match="can't be reviewer"):
        town.ops.request_reviews(ref, [town.login("iris")])
    with pytest.raises(NotFound, match="nobody-here"):
        town.ops.request_reviews(ref, ["nobody-here"])


def test_overruling_a_review(town: Town) -> None:
    """An operator lets a review count no more, an agent does not."""
    ref = town.pull(town.repo())
    head = town.ops.pull(ref).head_sha
    said = town.ops.review(ref, head_sha=head, state=ReviewState.REQUEST_CHANGES, body=MARK, comments=[], marker=MARK)
    with GiteaOperator(name="work", url=town.url, token=town.tokens["iris"]) as agent, pytest.raises(Refused):
        agent.dismiss(ref, said.id, message="no")
    for _ in range(2):
        town.operator.dismiss(ref, said.id, message="overruled")
    [review] = town.iris.reviews(ref)
    assert (review.id, review.dismissed) == (said.id, True)
    with pytest.raises(NotFound):
        town.operator.dismiss(ref, said.id + 1000, message="overruled")


def test_pulls_by_push(town: Town, tmp_path: Path) -> None:
    """Who may only read proposes by a push to refs/for; it is found by topic, also when the topic is used again."""
    repo = town.repo()
    town.admin.ensure_collaborator(repo, town.login("eve"), "read")
    eve = town.login("eve")
    town.git("eve", tmp_path, "clone", "--quiet", f"{town.url}/{repo.path}.git", "app")

    def push(topic: str, text: str) -> str:
        (tmp_path / "app" / "a.py").write_text(text)
        town.git("eve", tmp_path / "app", "commit", "--quiet", "-am", text)
        options = ("-o", f"topic={topic}", "-o", f"title={topic}", "-o", "force-push=true")
        town.git("eve", tmp_path / "app", "push", "--quiet", "origin", "HEAD:refs/for/main", *options)
        return town.git("eve", tmp_path / "app", "rev-parse", "HEAD").strip()

    def found(topic: str, sha: str = "") -> PullRequest | None:
        return town.iris.pushed_pull(repo, base="main", author=eve, topic=topic, head_sha=sha)

    heads = {topic: push(topic, topic) for topic in ("one", "two")}
    for topic, head in heads.items():
        pull = found(topic)
        assert pull
        assert (pull.title, pull.head_sha, pull.by_push, pull.author.login) == (topic, head, True, eve)
        assert pull.topic in {topic, ""}
        assert found(topic, head) == pull
        with pytest.raises(Conflict, match="with a push to refs/for/main"):
            town.ops.update_pull(pull.ref)
    assert found("three") is None
    assert town.iris.pushed_pull(repo, base="main", author=town.login("iris"), topic="one") is None
    first = found("one")
    assert first
    town.ops.close(first.ref)
    assert found("one") is None
    again = found("one", push("one", "three"))
    assert again
    assert again.ref not in {first.ref, None}
    town.merge(again.ref)
    assert town.ops.pull(again.ref).merged
