"""What a sweep asks: one contract for what the forge remembers of what happened."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from forge.changes import Kind
from forge.gitea.changes import GiteaWatcher
from forge.types import CommitStatus, ReviewComment, ReviewState, State
from tests.contract.conftest import MARK, Town, some
from tests.contract.proof import Proof


@pytest.fixture(scope="session")
def watcher(town: Town, flavour: str, proof: Proof) -> Iterator[GiteaWatcher]:
    """Ops, asking what changed."""
    with GiteaWatcher(name="work", url=town.url, token=town.tokens["ops"]) as eyes:
        yield proof.watched(flavour, eyes)


def test_places(town: Town, watcher: GiteaWatcher) -> None:
    """A repository is listed with its id, found by it, and shows its branches and tags in one question."""
    repo = town.repo()
    head = town.ops.branch(repo, "main").sha
    town.iris.tag(repo, "v1", head, "one")
    (place,) = [one for one in watcher.listed(town.org) if one.repository.repo == repo]
    assert watcher.repository_by_id(place.repository.id) == place.repository
    assert watcher.repository_by_id(2**40) is None
    refs = watcher.refs(repo)
    assert refs["refs/heads/main"] == head
    assert set(refs) == {"refs/heads/main", "refs/tags/v1"}
    assert watcher.releases(repo) == []
    assert watcher.requests > 0


def test_what_was_touched(town: Town, watcher: GiteaWatcher) -> None:
    """By the forge's own clock: issues that changed since, all of a repository, and one by its number."""
    repo, now = town.repo(), watcher.now()
    ref = town.iris.open_issue(repo, "a bug", f"it breaks {MARK}", marker=MARK).ref
    since = now - timedelta(seconds=5)
    assert ref in {subject.issue.ref for subject in watcher.touched(town.org, since)}
    assert ref not in {subject.issue.ref for subject in watcher.touched(town.org, watcher.now() + timedelta(hours=1))}
    assert [subject.issue.ref for subject in watcher.subjects(repo, 1)] == [ref]
    assert watcher.subject(ref).issue.title == "a bug"


def test_what_happened(town: Town, watcher: GiteaWatcher) -> None:
    """A timeline tells each step with who took it; comments are told as they stand."""
    repo, since = town.repo(), watcher.now() - timedelta(seconds=5)
    ref = town.iris.open_issue(repo, "a bug", f"it breaks {MARK}", marker=MARK).ref
    town.iris.assign(ref, [town.login("ops")])
    comment = town.ops.comment(ref, f"seen {MARK}", marker=MARK)
    town.ops.close(ref)
    changes, said = watcher.happened(watcher.subject(ref))
    assert [(change.kind, change.actor.login) for change in changes if change.kind is not Kind.OPENED] == [
        (Kind.ASSIGNED, town.login("iris")),
        (Kind.CLOSED, town.login("ops")),
    ]
    assert len({change.key for change in changes}) == len(changes)
    assert [one.id for one in said] == [comment.id]
    assert comment.id in {one.id for one in watcher.said(repo, since)}


def test_what_was_judged(town: Town, watcher: GiteaWatcher) -> None:
    """Reviews with their remarks, and every status that was ever set on a commit."""
    ref = town.pull(town.repo())
    head = town.ops.pull(ref).head_sha
    review = town.ops.review(
        ref,
        head_sha=head,
        state=ReviewState.REQUEST_CHANGES,
        body=f"no {MARK}",
        comments=[ReviewComment("a.py", 2, "why")],
        marker=MARK,
    )
    for state in (State.PENDING, State.SUCCESS):
        town.ops.set_status(ref.repo, head, CommitStatus("hive/review", state, state.value))
    assert [one.id for one in watcher.judged(ref)] == [review.id]
    assert len(watcher.remarks(ref, review.id)) == 1
    assert [one.kind for one in watcher.stated(ref.repo, 1, head)] == [Kind.STATUS_SET] * 2
    assert watcher.stated(ref.repo, 1, "0" * 40) == []


def test_what_moved(town: Town, watcher: GiteaWatcher) -> None:
    """The feed of an organisation says who moved what, and goes on from any row."""
    newest = max((row.id for row in watcher.activity(town.org, None)), default=0)
    repo = town.repo()
    town.change(repo)
    rows = town.until(lambda: some(watcher.activity(town.org, newest)))
    assert all(row.id > newest for row in rows)
    assert [row.id for row in rows] == sorted((row.id for row in rows), reverse=True)
