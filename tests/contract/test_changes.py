"""What a sweep asks: one contract for what the forge remembers of what happened."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from forge.gitea.poll_reader import GiteaPollReader
from forge.models import CommitStatus, ReviewComment, ReviewState, State
from forge.poll_changes import ChangeKind
from tests.contract.conftest import MARK, ContractForge, some
from tests.contract.proof import Proof


@pytest.fixture(scope="session")
def watcher(contract_forge: ContractForge, flavour: str, proof: Proof) -> Iterator[GiteaPollReader]:
    """Ops, asking what changed."""
    with GiteaPollReader(name="work", url=contract_forge.url, token=contract_forge.tokens["ops"]) as eyes:
        yield proof.watched(flavour, eyes)


def test_places(contract_forge: ContractForge, watcher: GiteaPollReader) -> None:
    """A repository is listed with its id, found by it, and shows its branches and tags in one question."""
    repo = contract_forge.repo()
    head = contract_forge.ops.branch(repo, "main").sha
    contract_forge.iris.tag(repo, "v1", head, "one")
    (place,) = [one for one in watcher.list_repositories(contract_forge.org) if one.repository.repo == repo]
    assert watcher.repository_by_id(place.repository.id) == place.repository
    assert watcher.repository_by_id(2**40) is None
    refs = watcher.refs(repo)
    assert refs["refs/heads/main"] == head
    assert set(refs) == {"refs/heads/main", "refs/tags/v1"}
    assert watcher.releases(repo) == []
    assert watcher.requests > 0


def test_what_was_touched(contract_forge: ContractForge, watcher: GiteaPollReader) -> None:
    """By the forge's own clock: issues that changed since, all of a repository, and one by its number."""
    repo, now = contract_forge.repo(), watcher.now()
    ref = contract_forge.iris.open_issue(repo, "a bug", f"it breaks {MARK}", marker=MARK).ref
    since = now - timedelta(seconds=5)
    assert ref in {subject.issue.ref for subject in watcher.changed_subjects(contract_forge.org, since)}
    assert ref not in {
        subject.issue.ref
        for subject in watcher.changed_subjects(contract_forge.org, watcher.now() + timedelta(hours=1))
    }
    assert [subject.issue.ref for subject in watcher.subjects(repo, 1)] == [ref]
    assert watcher.subject(ref).issue.title == "a bug"


def test_what_happened(contract_forge: ContractForge, watcher: GiteaPollReader) -> None:
    """A timeline tells each step with who took it; comments are told as they stand."""
    repo, since = contract_forge.repo(), watcher.now() - timedelta(seconds=5)
    ref = contract_forge.iris.open_issue(repo, "a bug", f"it breaks {MARK}", marker=MARK).ref
    contract_forge.iris.assign(ref, [contract_forge.login("ops")])
    comment = contract_forge.ops.comment(ref, f"seen {MARK}", marker=MARK)
    contract_forge.ops.close(ref)
    changes, said = watcher.changes_of(watcher.subject(ref))
    assert [(change.kind, change.actor.login) for change in changes if change.kind is not ChangeKind.OPENED] == [
        (ChangeKind.ASSIGNED, contract_forge.login("iris")),
        (ChangeKind.CLOSED, contract_forge.login("ops")),
    ]
    assert len({change.key for change in changes}) == len(changes)
    assert [one.id for one in said] == [comment.id]
    assert comment.id in {one.id for one in watcher.comments_since(repo, since)}


def test_what_was_judged(contract_forge: ContractForge, watcher: GiteaPollReader) -> None:
    """Reviews with their remarks, and every status that was ever set on a commit."""
    ref = contract_forge.pull(contract_forge.repo())
    head = contract_forge.ops.pull(ref).head_sha
    review = contract_forge.ops.review(
        ref,
        head_sha=head,
        state=ReviewState.REQUEST_CHANGES,
        body=f"no {MARK}",
        comments=[ReviewComment("a.py", 2, "why")],
        marker=MARK,
    )
    for state in (State.PENDING, State.SUCCESS):
        contract_forge.ops.set_status(ref.repo, head, CommitStatus("hive/review", state, state.value))
    assert [one.id for one in watcher.submitted_reviews(ref)] == [review.id]
    assert len(watcher.remarks(ref, review.id)) == 1
    assert [one.kind for one in watcher.status_changes(ref.repo, 1, head)] == [ChangeKind.STATUS_SET] * 2
    assert watcher.status_changes(ref.repo, 1, "0" * 40) == []


def test_what_moved(contract_forge: ContractForge, watcher: GiteaPollReader) -> None:
    """The feed of an organisation says who moved what, and goes on from any row."""
    newest = max((row.id for row in watcher.activity(contract_forge.org, None)), default=0)
    repo = contract_forge.repo()
    contract_forge.change(repo)
    rows = contract_forge.until(lambda: some(watcher.activity(contract_forge.org, newest)))
    assert all(row.id > newest for row in rows)
    assert [row.id for row in rows] == sorted((row.id for row in rows), reverse=True)
