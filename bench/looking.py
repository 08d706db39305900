"""What looking costs a forge: requests for each event, and the adapter beside bare `requests`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

from bench import before
from bench.row import Gap, Row, Unmeasured, at_most
from forge.embedded import EmbeddedForge
from forge.events import (
    CommentPosted,
    Event,
    IssueAssigned,
    IssueClosed,
    IssueOpened,
    PullChanged,
    PullMerged,
    PullReviewed,
)
from forge.gitea.admin import GiteaAdmin
from forge.gitea.operator import GiteaOperator
from forge.gitea.writer import GiteaForge
from forge.models import Issue, Ref, Repo, ReviewState, User
from hive.app.set_up import ADMIN
from hive.app.work import worker_deps
from hive.config import load
from hive.demo.setup import FORGE, OPERATOR, TEAM, copy_project, sample, write_config
from hive.instance.instance import Instance
from hive.provision import Provisioner
from hive.worker.worker import Worker

APP = Repo(FORGE, TEAM, "app")
SCOPES = ("write:repository", "write:issue", "read:user")
ROUNDS = 200
HARMLESS = b'"""Bees."""\n\n\ndef bees(hives: int) -> int:\n    """How many there are."""\n    return hives * 40_000\n'
HARMFUL = b"import os\n\n\ndef read(name):\n    return open('/srv/' + name).read()\n"


@dataclass
class Counter:
    """A WSGI application that counts what it is asked."""

    app: Callable[[dict[str, Any], Any], Iterable[bytes]]
    asked: list[str] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: object) -> Iterable[bytes]:
        """Count, and pass on."""
        self.asked.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        return self.app(environ, start_response)


@dataclass
class Town:
    """A forge that counts, a house that was made ready on it, and mara."""

    counter: Counter
    instance: Instance
    mara: GiteaForge
    operator: GiteaOperator
    worker: Worker

    def issue(self, title: str) -> Issue:
        """Mara files an issue."""
        return self.mara.open_issue(APP, title, f"It shows 0: {title}.", marker=title)

    def cost(self, bot: str, event: Event) -> tuple[int, int]:
        """Requests and, of these, writes, from a bot's look to the last deed that comes of it; git's own count as reads."""
        asked, ledger = len(self.counter.asked), self.instance.ledger
        ledger.jobs.enqueue(TEAM, [(bot, event)])
        while due := ledger.jobs.due():
            for job in due:
                self.worker.run_job(job)
        made = self.counter.asked[asked:]
        return len(made), sum("/api/v1/" in asked and not asked.startswith("GET ") for asked in made)

    def writes(self, event: Event) -> int:
        """Writes of all bots that hear of an event."""
        return sum(self.cost(bot, event)[1] for bot in self.instance.listeners(TEAM, event))

    def account(self, login: str) -> User:
        """Who a login is."""
        user = self.instance.ledger.identity(FORGE, login)
        assert user is not None
        return user


@contextmanager
def town() -> Iterator[Town]:
    """All of it in one process; no webhook is listened to."""
    with TemporaryDirectory(prefix="hive-bench-") as directory, ExitStack() as stack:
        state = Path(directory)
        forge = EmbeddedForge(state / "forge")
        counter = forge.wsgi = Counter(forge.wsgi)
        stack.enter_context(forge)
        config = write_config(state, forge_port=int(forge.url.rpartition(":")[2]), web_port=1, model_url="http://[::1]")
        config.write_text(f"{config.read_text()}limits: {{open_runs: 0}}\n")  # each issue is given out at once
        instance = Instance(load(config))
        stack.callback(instance.close)
        password = instance.secret_store.password(FORGE, ADMIN)
        forge.create_admin(ADMIN, password)
        with GiteaAdmin(name=FORGE, url=forge.url, login=ADMIN, password=password) as admin:
            admin.ensure_user(
                OPERATOR, password=instance.secret_store.password(FORGE, OPERATOR), email="mara@forge.invalid"
            )
            token = admin.make_token(OPERATOR, "bench", SCOPES)
        copy_project(instance, sample(state))
        Provisioner.run(instance, FORGE, ADMIN, password, lambda _: None)
        mara = stack.enter_context(GiteaForge(name=FORGE, url=forge.url, token=token))
        operator = stack.enter_context(GiteaOperator(name=FORGE, url=forge.url, token=token))
        yield Town(counter, instance, mara, operator, Worker(worker_deps(instance)))


def looking() -> Iterator[Row | Gap]:
    """Requests for each event, beside the writes among them, and what a request costs in the adapter."""
    with town() as here:
        yield story(here)
        issue = here.issue("A page is wrong")
        asked, writes = here.cost("triage", IssueOpened(issue.ref, issue.author, "k1"))
        yield from _rows("triage: an issue is filed", asked, writes, most=6)
        first, writes = here.cost("lane", IssueAssigned(issue.ref, issue.author, "k2"))
        again, _ = here.cost("lane", IssueAssigned(issue.ref, issue.author, "k3"))
        yield from _rows("lane: it is assigned", first, writes)
        yield Row("requests, lane: the same again", again, "", "the first time", first)
        pull = change(here, "agent/iris/again", HARMFUL)
        event = PullChanged(pull, here.mara.pull(pull).author, "k4")
        yield from _rows("review: a pull request is opened", *here.cost("review", event), most=7)
        yield from overhead(here, issue.ref)


def story(here: Town) -> Row:
    """An issue from its filing to the merge that closes it: every event that a bot hears, and all that comes of it."""
    mara, iris = here.account(OPERATOR), here.account("iris")
    issue = here.issue("A page of the story is wrong").ref
    made = [here.writes(IssueOpened(issue, mara, "s1"))]
    made.append(here.writes(IssueAssigned(issue, here.account("triage"), "s2")))
    run = here.instance.ledger.runs.find(str(issue))
    if run is None:
        raise Unmeasured("nobody works on the issue of the story")
    pull = change(here, f"agent/iris/{issue.number}", HARMLESS)
    here.instance.ledger.runs.set_pull(run.id, str(pull))
    made.append(here.writes(PullChanged(pull, iris, "s3")))
    said = here.mara.comment(pull, "Please name the function what it does.", marker="Please")
    made.append(here.writes(CommentPosted(pull, mara, "s4", said.id)))
    head = here.mara.pull(pull).head_sha
    here.mara.review(pull, head_sha=head, state=ReviewState.APPROVED, body="Good.", comments=[], marker="Good")
    made.append(here.writes(PullReviewed(pull, mara, "s5")))
    here.operator.merge(pull, head_sha=head)
    made.append(here.writes(PullMerged(pull, mara, "s6")))
    here.mara.close(issue)
    made.append(here.writes(IssueClosed(issue, mara, "s7")))
    told = "+".join(map(str, made))
    name = f"forge writes for each event, over the {len(made)} of an issue's story ({told})"
    return Row(name, sum(made) / len(made), "", goal=at_most(1.2))


def change(here: Town, branch: str, code: bytes) -> Ref:
    """A pull request with a new file."""
    token = here.instance.secret_store.token(FORGE, "iris")
    with GiteaForge(name=FORGE, url=here.instance.url(FORGE), token=token) as iris:
        url = f"{here.instance.url(FORGE)}/api/v1/repos/{APP.path}/branches"
        made = requests.post(
            url, json={"new_branch_name": branch}, headers={"Authorization": f"token {token}"}, timeout=20
        )
        made.raise_for_status()
        iris.put_file(APP, f"apiary/{branch.rpartition('/')[2]}.py", code, message="Read", branch=branch)
        return iris.open_pull(APP, head=branch, base="main", title="Read files", body="").ref


def overhead(here: Town, ref: Ref) -> Iterator[Row]:
    """Asking for an issue by the adapter, beside asking for its bytes on one kept connection."""
    url = f"{here.instance.url(FORGE)}/api/v1/repos/{APP.path}/issues/{ref.number}"
    with requests.Session() as session:
        session.headers["Authorization"] = f"token {here.instance.secret_store.token(FORGE, 'core')}"
        ours, bare = [], []
        for _ in range(ROUNDS):
            ours.append(_took(lambda: here.mara.issue(ref)))
            bare.append(_took(lambda: session.get(url, timeout=20).json()))
    yield Row("adapter: one question, median", statistics.median(ours), "ms", "bare requests", statistics.median(bare))


def _rows(name: str, asked: int, writes: int, *, most: int | None = None) -> Iterator[Row | Gap]:
    goal = None if most is None else at_most(most)
    yield Row(f"requests, {name}", asked, "", "of them writes", writes, goal)
    try:
        yield Row(f"requests, {name}", asked, "", before.NAME, before.requests(name.partition(":")[0]))
    except Unmeasured as error:
        yield Gap(f"requests beside {before.NAME}", str(error))


def _took(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return (time.perf_counter() - begun) * 1000
