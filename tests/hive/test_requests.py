"""What a job asks of its forge: nothing twice that may be old, and again whatever may not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from bots.intents import Assign, PostComment, SetLabels
from forge.events import IssueOpened
from forge.models import Issue
from hive.app.work import worker_deps
from hive.demo.setup import TEAM
from hive.outbox.enqueue import enqueue
from tests.hive.conftest import APP, WSGI, HiveEnv, make_env

if TYPE_CHECKING:
    from pathlib import Path

    from bots.intents import Intent
    from hive.worker.worker import Worker


@dataclass
class Requests:
    """Counts what a forge is asked."""

    made: list[str] = field(default_factory=list)

    def through(self, app: WSGI) -> WSGI:
        def count(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            self.made.append(
                f"{environ['REQUEST_METHOD']} {environ['PATH_INFO'].removeprefix('/api/v1/repos/acme/app')}"
            )
            return app(environ, start_response)

        return count


@dataclass
class Counted:
    """A house, and what its forge is asked."""

    env: HiveEnv
    requests: Requests
    worker: Worker

    def file(self, title: str) -> Issue:
        return self.env.mara.open_issue(APP, title, f"It shows 0: {title}.", marker=title)

    def triage(self, issue: Issue) -> list[str]:
        """What a triage asks, but where the repository is, which is asked once a second."""
        self.requests.made.clear()
        [job] = self.env.instance.ledger.jobs.enqueue(
            TEAM, [("triage", IssueOpened(issue.ref, issue.author, str(issue.ref)))]
        )
        self.worker.run_job(job)
        return [made for made in self.requests.made if "/repositories/" not in made]

    def do(self, *wanted: Intent, seen: Issue) -> list[str]:
        """What became of actions that came of a job which has read an issue a moment ago."""
        ledger, executor, known = self.env.instance.ledger, worker_deps(self.env.instance).executor, {seen.ref: seen}
        [job] = ledger.jobs.enqueue(TEAM, [("triage", IssueOpened(seen.ref, seen.author, str(seen.ref)))])
        made = [enqueue(ledger, TEAM, "triage", intent, by="triage", job=job) for intent in wanted]
        for effect in made:
            executor.apply(effect, known)
        return [ledger.effects.get(effect).state for effect in made]


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    requests = Requests()
    with make_env(tmp_path, through=requests.through) as env:
        yield Counted(env, requests, env.worker())


def test_a_triage(counted: Counted) -> None:
    """A triage reads an issue once, and again before it speaks and before it gives it to somebody; the rest are its writes."""
    counted.triage(counted.file("one"))
    issue = counted.file("two")
    at = f"/issues/{issue.ref.number}"
    assert counted.triage(issue) == [
        *(f"GET {at}", f"POST {at}/labels"),
        *(f"GET {at}", f"POST {at}/comments"),
        *(f"GET {at}", f"PATCH {at}"),
    ]


def test_closed_meanwhile(counted: Counted) -> None:
    """Nobody speaks on an issue that was closed since the job has read it, and nobody is given it."""
    issue = counted.file("closed")
    counted.env.mara.close(issue.ref)
    wanted = (PostComment(issue.ref, "hello", key="c"), Assign(issue.ref, ("iris",), key="a"))
    assert counted.do(*wanted, seen=issue) == ["superseded", "superseded"]
    assert counted.env.mara.comments(issue.ref) == []


def test_assigned_meanwhile(counted: Counted) -> None:
    """Whoever was assigned since the job has read an issue stays so."""
    issue = counted.file("assigned")
    counted.env.mara.assign(issue.ref, ["mara"])
    assert counted.do(Assign(issue.ref, ("iris",), key="a"), seen=issue) == ["done"]
    assert {user.login for user in counted.env.mara.issue(issue.ref).assignees} == {"mara", "iris"}


def test_what_an_action_changed(counted: Counted) -> None:
    """What a job has read serves the first of its actions on a subject, not one that comes after it."""
    issue = counted.file("labelled")
    add = SetLabels(issue.ref, add=("needs-operator",), key="add")
    take = SetLabels(issue.ref, add=(), remove=("needs-operator",), key="take")
    assert counted.do(add, take, seen=issue) == ["done", "done"]
    assert counted.env.mara.issue(issue.ref).labels == ()


def test_labelled_meanwhile(counted: Counted) -> None:
    """A label that is there since the job has read the issue is no error, and stays."""
    issue = counted.file("labelled")
    counted.env.mara.label(issue.ref, add=["needs-operator"])
    assert counted.do(SetLabels(issue.ref, add=("needs-operator",), key="add"), seen=issue) == ["done"]
    assert counted.env.mara.issue(issue.ref).labels == ("needs-operator",)
