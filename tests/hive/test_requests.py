"""What a job asks of its forge: nothing twice that may be old, and again whatever may not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from bots.intents import Assign, PostComment, SetLabels, SetVerdict
from forge.events import IssueOpened, PullChanged
from forge.models import CommitStatus, FileEdit, Issue, PullRequest, State
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
    broken: str = ""
    """Requests that begin so are answered with 502, and change nothing."""

    def through(self, app: WSGI) -> WSGI:
        def count(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            self.made.append(
                f"{environ['REQUEST_METHOD']} {environ['PATH_INFO'].removeprefix('/api/v1/repos/acme/app')}"
            )
            if self.broken and self.made[-1].startswith(self.broken):
                start_response("502 Bad Gateway", [("Content-Length", "0")])
                return []
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
        return self.asked()

    def asked(self) -> list[str]:
        """What was asked, but where the repository is."""
        return [made for made in self.requests.made if "/repositories/" not in made]

    def propose(self) -> PullRequest:
        """A pull request of one commit."""
        edits = [FileEdit("notes", b"Well.\n")]
        self.env.mara.commit(APP, edits, message="Note it", branch="side", start="main")
        return self.env.mara.open_pull(APP, head="side", base="main", title="Notes", body="")

    def review(self, pull: PullRequest) -> list[str]:
        """What a review asks, after its bot was told of the pull request and has requested it."""
        jobs = self.env.instance.ledger.jobs
        [told] = jobs.enqueue(TEAM, [("review", PullChanged(pull.ref, pull.author, "changed"))])
        self.worker.run_job(told)
        [asked] = jobs.due()
        self.requests.made.clear()
        self.worker.run_job(asked)
        return self.asked()

    def show(self, pull: PullRequest, state: State) -> list[str]:
        """What a verdict asks of the status of its head."""
        self.requests.made.clear()
        status = CommitStatus("hive/review", state, state.value, pull.html_url)
        key = f"{state.value}:{self.requests.broken}"
        action = SetVerdict(pull.ref, pull.head_sha, pull.base_branch, pull.base_sha, status, key=key)
        core = self.env.instance.settings.account("core")
        self.worker.apply(enqueue(self.env.instance.ledger, TEAM, core, action, by="review"))
        return [made.split("/")[0].strip() for made in self.requests.made if "/statuses/" in made]

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
    """A triage reads an issue once, and again before it speaks and before it gives it to somebody, if nothing blocks it; the rest are its writes."""
    counted.triage(counted.file("one"))
    issue = counted.file("two")
    at = f"/issues/{issue.ref.number}"
    assert counted.triage(issue) == [
        *(f"GET {at}", f"POST {at}/labels"),
        *(f"GET {at}", f"POST {at}/comments"),
        *(f"GET {at}", f"GET {at}/dependencies", f"PATCH {at}"),
    ]


def test_a_review(counted: Counted) -> None:
    """A review fetches head and base at once; what is shown on its head already is not looked up to change it.

    Its pull request is read again before anything is posted: the comment that shows how it stands, and the review. As it may not
    approve, it looks whether it has to take back a rejection of its own.
    """
    pull = counted.propose()
    at = f"/pulls/{pull.ref.number}"
    made = counted.review(pull)
    git = [each for each in made if ".git/" in each]
    assert git == ["GET /acme/app.git/info/refs", *["POST /acme/app.git/git-upload-pack"] * 2]
    assert [each for each in made if each not in git] == [
        *(f"GET {at}", f"GET {at}.diff"),
        *(f"GET {at}", f"GET /issues/{pull.ref.number}/comments", f"POST /issues/{pull.ref.number}/comments"),
        *(f"GET {at}", f"GET {at}/reviews", f"GET {at}/reviews", f"POST {at}/reviews"),
        *("GET /pulls", f"POST /statuses/{pull.head_sha}"),
    ]


def test_a_status_that_may_be_there(counted: Counted) -> None:
    """A status is looked up if the same was set last, if setting the last one failed, and by a new process."""
    pull = counted.propose()
    assert counted.show(pull, State.PENDING) == ["GET", "POST"]
    assert counted.show(pull, State.SUCCESS) == ["POST"]
    counted.requests.broken = f"POST /statuses/{pull.head_sha}"
    assert counted.show(pull, State.SUCCESS) == ["GET"]
    assert counted.show(pull, State.FAILURE) == ["POST", "GET"]
    counted.requests.broken = ""
    assert counted.show(pull, State.WARNING) == ["GET", "POST"]
    counted.worker = counted.env.worker()
    assert counted.show(pull, State.ERROR) == ["GET", "POST"]
    shown = counted.env.mara.statuses(APP, pull.head_sha)
    assert next(status.state for status in shown if status.context == "hive/review") is State.ERROR


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
