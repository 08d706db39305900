"""The one comment of triage on a forge: posted once, edited in place, and never again where a person has deleted it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bots.issue_terms import IssueTerms, TriageNote
from bots.triage_intents import IndexIssue, ShowTriage
from forge.gitea.client import route
from forge.models import Ref
from hive.app.work import worker_deps
from hive.ledger.triage_notes import MOST_CHANGES
from hive.outbox.enqueue import enqueue
from hive.worker.worker import Worker
from tests.hive.conftest import APP, HiveEnv


class Thread:
    """An issue, and what triage says on it."""

    def __init__(self, env: HiveEnv) -> None:
        self.env = env
        self.ledger = env.instance.ledger
        self.worker = Worker(worker_deps(env.instance))
        self.ref: Ref = env.mara.open_issue(APP, "A page is wrong", "It is.", marker="It is.").ref
        self.now: datetime = env.mara.issue(self.ref).updated_at
        self.keys = 0

    def show(self, body: str, *, later: int = 0) -> str:
        """Triage says something of the issue as it was some seconds later; returns what came of it."""
        self.keys += 1
        action = ShowTriage(
            self.ref, TriageNote("head", ("Version",), body), self.now + timedelta(seconds=later), f"k{self.keys}"
        )
        return self.do(action)

    def do(self, action: ShowTriage | IndexIssue) -> str:
        """Do what triage wants."""
        effect = enqueue(self.ledger, "acme", "triage", action, by="triage")
        self.worker.apply(effect)
        (state,) = self.ledger.effects.states([f"triage:{action.key}"])
        return str(state)

    @property
    def said(self) -> list[str]:
        """The comments, without their markers."""
        return [each.body.partition("\n\n<!--")[0] for each in self.env.mara.comments(self.ref)]


@pytest.fixture
def thread(hive_env: HiveEnv) -> Thread:
    """Nothing was said."""
    return Thread(hive_env)


def test_one_comment_is_edited(thread: Thread) -> None:
    """What is said later takes its place, and the ledger knows what it says."""
    assert [thread.show("one"), thread.show("two", later=1)] == ["done", "done"]
    assert thread.said == ["two"]
    assert thread.ledger.triage_notes.of(str(thread.ref)) == TriageNote("head", ("Version",), "two")


def test_what_is_older_is_not_shown(thread: Thread) -> None:
    """Of two edits that are handled at once the newer one stays."""
    thread.show("new", later=5)
    assert thread.show("old") == "superseded"
    assert thread.said == ["new"]


def test_a_comment_that_died_with_its_worker_is_found(thread: Thread) -> None:
    """It was posted, and nobody noted it: there is one all the same."""
    thread.show("one")
    with thread.ledger.transaction() as db:
        db.execute("DELETE FROM triage_notes")
    thread.show("two", later=1)
    assert thread.said == ["two"]


def test_a_deleted_comment_stays_deleted(thread: Thread) -> None:
    """Whoever deletes it has read it."""
    thread.show("one")
    (comment,) = thread.env.mara.comments(thread.ref)
    thread.env.mara._client.delete(route("repos", *APP.path.split("/"), "issues", "comments", comment.id))
    assert thread.show("two", later=1) == "done"
    assert thread.show("three", later=2) == "superseded"
    assert thread.said == []
    note = thread.ledger.triage_notes.of(str(thread.ref))
    assert note is not None
    assert note.settled


def test_a_closed_issue_is_left(thread: Thread) -> None:
    """Nothing is said on what was closed meanwhile."""
    thread.env.mara.close(thread.ref)
    assert thread.show("one") == "superseded"
    assert thread.said == []


def test_edits_are_bounded(thread: Thread) -> None:
    """Who edits an issue again and again makes the hive write no more."""
    for number in range(MOST_CHANGES + 1):
        thread.ledger.triage_notes.said(str(thread.ref), 1, TriageNote(body=str(number)), float(number))
    note = thread.ledger.triage_notes.of(str(thread.ref))
    assert note is not None
    assert note.settled


def test_terms_are_indexed(thread: Thread) -> None:
    """What was indexed is found from another issue."""
    terms = IssueTerms(("page", "wrong"), ("header",))
    assert thread.do(IndexIssue(thread.ref, terms, key="i")) == "done"
    found = thread.ledger.issue_index.similar(str(APP), thread.ref.number + 1, terms.title, terms.body)
    assert [each.number for each in found] == [thread.ref.number]
