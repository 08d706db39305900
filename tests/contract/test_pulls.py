"""The contract of every forge: pull requests, reviews and merging, with real git and real rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forge.gitea.client import route
from forge.gitea.operator import GiteaOperator
from forge.models import CommitStatus, Protection, Ref, ReviewComment, ReviewState, State
from forge.protocol import Conflict, ForgeError, Invalid, NotFound, Refused
from tests.contract.conftest import MARK, ContractForge, some


def test_pulls(contract_forge: ContractForge) -> None:
    """A pull request is opened once, and shows its head, its files and its diff."""
    repo = contract_forge.repo()
    head = contract_forge.change(repo)
    one, other = (
        contract_forge.iris.open_pull(repo, head="agent/iris/1", base="main", title="two is 2", body="b")
        for _ in range(2)
    )
    assert replace(one, mergeable=other.mergeable) == other  # it may have been checked meanwhile
    assert (one.head_sha, one.head_branch, one.head_repo, one.base_branch) == (head, "agent/iris/1", repo, "main")
    assert one.base_repo_id == contract_forge.ops.repository(repo).id
    assert [(file.path, file.additions, file.deletions) for file in contract_forge.ops.files(one.ref)] == [
        ("a.py", 1, 1)
    ]
    assert "-two\n+2\n" in contract_forge.ops.diff(one.ref)
    with pytest.raises(NotFound):
        contract_forge.iris.open_pull(repo, head="nowhere", base="main", title="t", body="")
    contract_forge.iris.close(one.ref)
    assert not contract_forge.ops.pull(one.ref).is_open


def test_reviews(contract_forge: ContractForge) -> None:
    """A review is said once for a head; a pending one does not swallow its remarks."""
    ref = contract_forge.pull(contract_forge.repo())
    head = contract_forge.ops.pull(ref).head_sha
    at = route("repos", *ref.repo.path.split("/"), "pulls", ref.number, "reviews")
    contract_forge.ops._client.post(at, event="PENDING", body="not yet", commit_id=head)
    remarks = [ReviewComment("a.py", 2, "two"), ReviewComment("a.py", 2, "was two", old=True)]
    said, same = (
        contract_forge.ops.review(
            ref, head_sha=head, state=ReviewState.REQUEST_CHANGES, body=f"no {MARK}", comments=remarks, marker=MARK
        )
        for _ in range(2)
    )
    assert said.id == same.id
    assert [(review.state, review.head_sha) for review in contract_forge.iris.reviews(ref)] == [
        (ReviewState.REQUEST_CHANGES, head)
    ]
    found = contract_forge.iris.review_comments(ref, said.id)
    assert [(remark.path, remark.line, remark.old, remark.body) for remark in found] == [
        ("a.py", 2, False, "two"),
        ("a.py", 2, True, "was two"),
    ]
    for state in (ReviewState.APPROVED, ReviewState.REQUEST_CHANGES):
        with pytest.raises(Invalid, match="own pull"):
            contract_forge.iris.review(ref, head_sha=head, state=state, body=MARK, comments=[], marker=MARK)
    mine = contract_forge.iris.review(
        ref, head_sha=head, state=ReviewState.COMMENT, body=MARK, comments=[], marker=MARK
    )
    assert (mine.state, mine.author.login) == (ReviewState.COMMENT, contract_forge.login("iris"))


def test_merging(contract_forge: ContractForge) -> None:
    """Only an operator merges, only what is green, only the head that was looked at; the feed says who it was."""
    repo = contract_forge.repo()
    rule = Protection("main", mergers=(contract_forge.login("ops"),), required_statuses=("hive/eval",))
    contract_forge.admin.ensure_protection(repo, rule)
    ref = contract_forge.pull(repo)
    head, before = contract_forge.ops.pull(ref).head_sha, contract_forge.ops.branch(repo, "main").sha
    cursor = max(push.id for push in contract_forge.ops.pushes(repo, "main", 0))

    def fails(error: type[ForgeError], words: str, operator: GiteaOperator, sha: str) -> None:
        with pytest.raises(error, match=words):
            operator.merge(ref, head_sha=sha)

    with GiteaOperator(name="work", url=contract_forge.url, token=contract_forge.tokens["iris"]) as agent:
        contract_forge.until(lambda: fails(Refused, "User not allowed to merge PR", agent, head))
    contract_forge.until(
        lambda: fails(Refused, "Not all required status checks successful", contract_forge.operator, head)
    )
    contract_forge.ops.set_status(repo, head, CommitStatus("hive/eval", State.SUCCESS))
    contract_forge.until(lambda: fails(Conflict, "head out of date", contract_forge.operator, before))
    for _ in range(2):
        contract_forge.until(lambda: contract_forge.operator.merge(ref, head_sha=head))
    pull = contract_forge.iris.pull(ref)
    assert (pull.merged, pull.merged_by and pull.merged_by.login) == (True, contract_forge.login("ops"))
    [push] = contract_forge.until(lambda: some(contract_forge.iris.pushes(repo, "main", cursor)))
    assert (push.old, push.new, push.actor_id) == (
        before,
        pull.merge_sha,
        contract_forge.ops.user(contract_forge.login("ops")).id,
    )
    found = contract_forge.iris.pull_of(repo, push.new)
    assert found
    assert found.ref == ref
    assert contract_forge.iris.pull_of(repo, before) is None
    assert "merge_pull" in {row.kind for row in contract_forge.iris.timeline(ref)}


def test_conflicts(contract_forge: ContractForge) -> None:
    """A pull request that cannot be merged is a conflict, not a refusal, whether or not the forge has seen it yet."""
    repo = contract_forge.repo()
    ref = contract_forge.pull(repo)
    contract_forge.iris.put_file(repo, "a.py", b"one\nzwei\nthree\n", message="other", branch="main")
    for _ in range(3):
        with pytest.raises(Conflict):
            contract_forge.operator.merge(ref, head_sha=contract_forge.ops.pull(ref).head_sha)
    assert not contract_forge.ops.pull(ref).merged


def test_merging_what_waits(contract_forge: ContractForge) -> None:
    """A pull request that waits for an open issue is a conflict that names it, not a forge that is out of order."""
    repo = contract_forge.repo()
    ref = contract_forge.pull(repo)
    first = contract_forge.ops.open_issue(repo, "first", MARK, marker=MARK).ref
    at = route("repos", *repo.path.split("/"), "issues", ref.number, "dependencies")
    contract_forge.raw.post(at, index=first.number, owner=repo.owner, repo=repo.name)

    def waits() -> None:
        with pytest.raises(Conflict, match=f"waits for {first}"):
            contract_forge.operator.merge(ref, head_sha=contract_forge.ops.pull(ref).head_sha)

    contract_forge.until(waits)
    contract_forge.ops.close(first)
    contract_forge.merge(ref)
    assert contract_forge.ops.pull(ref).merged


def test_heads_and_bases(contract_forge: ContractForge) -> None:
    """Open pull requests are found by head and base, closed ones are not."""
    repo, iris = contract_forge.repo(), contract_forge.iris
    one = contract_forge.pull(repo)
    contract_forge.change(repo, "agent/iris/2")
    contract_forge.raw.post(route("repos", *repo.path.split("/"), "branches"), new_branch_name="dev")
    two, three = (
        iris.open_pull(repo, head="agent/iris/2", base=base, title="t", body="").ref for base in ("main", "dev")
    )

    def found(**by: str) -> set[Ref]:
        return {pull.ref for pull in iris.open_pulls(repo, **by)}

    assert found() == {one, two, three}
    assert found(base="main") == {one, two}
    assert found(head="agent/iris/2") == {two, three}
    assert found(head=f"{contract_forge.org}:agent/iris/2", base="dev") == {three}
    assert found(head="eve:agent/iris/2") == found(head="agent/iris") == set()
    iris.close(two)
    assert found(head="agent/iris/2") == {three}


def test_asking_for_reviews(contract_forge: ContractForge) -> None:
    """A review is asked for once; nobody is asked about their own."""
    ref = contract_forge.pull(contract_forge.repo())
    for _ in range(2):
        contract_forge.ops.request_reviews(ref, [contract_forge.login("ops").upper()])
    assert [user.login for user in contract_forge.iris.pull(ref).reviewers] == [contract_forge.login("ops")]
    assert [row.kind for row in contract_forge.iris.timeline(ref)].count("review_request") == 1
    with pytest.raises(Invalid, match="can't be reviewer"):
        contract_forge.ops.request_reviews(ref, [contract_forge.login("iris")])
    with pytest.raises(NotFound, match="nobody-here"):
        contract_forge.ops.request_reviews(ref, ["nobody-here"])
