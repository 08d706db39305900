"""A whole hive: forge, receiver, worker, host and containers as real processes, and an operator."""

from __future__ import annotations

import base64
import json
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from forge.gitea.admin import GiteaAdmin
from forge.gitea.operator import GiteaOperator
from forge.models import Issue, PullRequest, Ref, Repo, Review
from forge.protocol import Conflict, NotFound, Refused, Unavailable
from forge.webhook import sign
from hive.app.set_up import ADMIN, AgentSetUp
from hive.app.up import PRELOADED, begin
from hive.config import load
from hive.demo.model import ModelServer, Responder
from hive.demo.scripted_replies import Task, script
from hive.demo.setup import AGENT, FORGE, OPERATOR, TEAM, copy_project, sample, write_config
from hive.instance.instance import Instance
from hive.ledger import decompress
from hive.supervisor.processes import Supervisor
from tests.backends import everyday, wanted
from tests.nightly import by_night
from tests.person import Person

T = TypeVar("T")
APP = Repo(FORGE, TEAM, "app")
CONFIG = Repo(FORGE, "agent-configs", AGENT)
META = Repo(FORGE, "hive", "meta")
SECONDS = 180.0
OPEN = """
    SELECT (SELECT count(*) FROM jobs WHERE state IN ('pending', 'running'))
         + (SELECT count(*) FROM effects WHERE state IN ('pending', 'running'))
         + (SELECT count(*) FROM turns WHERE state != 'done')
"""
SCOPES = ("write:repository", "write:issue", "write:organization", "read:user")


@dataclass
class Hive:
    """A hive that is up, and what people can do with it."""

    instance: Instance
    tree: Supervisor
    mara: Person
    operator: GiteaOperator
    deaths: list[tuple[str, int]] = field(default_factory=list)
    set_up: AgentSetUp = field(init=False)

    def __post_init__(self) -> None:
        self.set_up = AgentSetUp(self.instance)

    def file(self, task: Task) -> Ref:
        """Mara files an issue."""
        return self.mara.open_issue(APP, task.title, task.body, marker=task.body[:20]).ref

    def until(self, look: Callable[[], T | None], what: str) -> T:
        """Wait for something that has to come: what is not there yet, or between two lives, is asked for again.

        The longer it takes the more seldom it is asked: questions to the forge take the time of those who work.
        """
        began = time.monotonic()
        while (past := time.monotonic() - began) < SECONDS:
            self.set_up.look()
            try:
                found = look()
            except (NotFound, Unavailable):
                found = None
            if found:
                return found
            time.sleep(min(max(0.05, past / 5), 0.3))
        raise AssertionError(f"{what} did not come; {self.last_words()}")

    def pull_of(self, issue: Ref) -> Ref | None:
        """The pull request of an issue's run."""
        run = self.instance.ledger.runs.find(str(issue))
        return Ref.parse(run.pull) if run is not None and run.pull else None

    def proposal(self) -> Ref | None:
        """The newest open pull request on iris' configuration."""
        found = [pull for pull in self.pulls(CONFIG) if pull.is_open]
        return found[-1].ref if found else None

    def pulls(self, repo: Repo) -> list[PullRequest]:
        """All pull requests of a repository."""
        return [self.mara.pull(issue.ref) for issue in self.subjects(repo) if issue.is_pull]

    def subjects(self, repo: Repo) -> list[Issue]:
        """All issues and pull requests of a repository, oldest first."""
        found = self.mara.changed_since(repo, datetime.now(UTC) - timedelta(hours=1))
        return sorted(found, key=lambda issue: issue.ref.number)

    def verdict(self, pull: Ref, state: str) -> Review | None:
        """The review of a pull request's head, if it is this one."""
        head = self.mara.pull(pull).head_sha
        return next((r for r in self.mara.reviews(pull) if r.head_sha == head and r.state == state), None)

    def merge(self, pull: Ref) -> None:
        """Mara merges, as soon as the forge lets her."""
        head = self.until(lambda: self.mara.pull(pull).head_sha, f"the head of {pull}")

        def press() -> bool:
            try:
                self.operator.merge(pull, head_sha=head)
            except (Conflict, Refused):
                return False
            return True

        self.until(press, f"the merge of {pull}")

    def status(self, pull: Ref, context: str) -> str:
        """A status of a pull request's head."""
        statuses = self.mara.statuses(pull.repo, self.mara.pull(pull).head_sha)
        return next((status.state.value for status in statuses if status.context == context), "")

    def settle(self) -> None:
        """Wait until nothing is owed and nobody is at it."""
        ledger = self.instance.ledger

        def quiet() -> bool:
            with ledger.transaction() as db:
                return bool(db.execute(OPEN).fetchone()[0] == 0)

        self.until(quiet, "quiet")

    def as_admin(self, method: str, path: str, body: object = None) -> Any:
        """A call of the site admin, who can do everything that a forge allows."""
        secret = base64.b64encode(f"{ADMIN}:{self.instance.secret_store.password(FORGE, ADMIN)}".encode()).decode()
        return self.call(method, path, body, f"Basic {secret}")

    def call(self, method: str, path: str, body: object, authorization: str) -> Any:
        """A call to the forge's API; raises HTTPError as it comes."""
        headers = {"Authorization": authorization, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.instance.url(FORGE) + "/api/v1" + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def harness(self) -> set[int]:
        """The processes of iris' harness, as this machine sees them; bubblewrap's own are none."""
        state, found = str(self.instance.agents / AGENT / "state"), set()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words, known = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
                name = (process / "comm").read_text().strip()
            except OSError:
                continue
            here = f"HIVE_STATE={state}\0".encode() in known or self._contains(process, state)
            if name != "bwrap" and words.endswith(b"\0-m\0hive.agent\0") and here:
                found.add(int(process.name))
        return found

    def _contains(self, process: Path, state: str) -> bool:
        """Whether a process is in a container that was made with a directory."""
        try:
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            return state.encode() in Path(f"/proc/{parent}/cmdline").read_bytes()
        except OSError:
            return False

    def deliveries(self) -> list[tuple[str, bytes]]:
        """All deliveries that came, as (kind, body)."""
        with self.instance.ledger.transaction() as db:
            rows = db.execute("SELECT kind, body FROM deliveries ORDER BY id").fetchall()
        return [(row["kind"], decompress(row["body"])) for row in rows]

    def deliver(self, kind: str, body: bytes, uuid: str) -> int:
        """Send a delivery as the forge would."""
        web = self.instance.settings.web
        signature = sign(self.instance.secret_store.hook_secret(FORGE), body)
        headers = {"X-Forgejo-Event-Type": kind, "X-Forgejo-Delivery": uuid, "X-Forgejo-Signature": signature}
        request = urllib.request.Request(f"http://{web.host}:{web.port}/hook/{FORGE}", body, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)

    def census(self) -> dict[str, int]:
        """How many of everything there is on the forge that the hive could have made twice."""
        counts = {"branches": 0, "comments": 0, "reviews": 0, "issues": 0, "pulls": 0, "assignees": 0}
        for repo in (APP, CONFIG):
            for subject in self.subjects(repo):
                counts["pulls" if subject.is_pull else "issues"] += 1
                counts["comments"] += len(self.mara.comments(subject.ref))
                counts["assignees"] += len(subject.assignees)
                if subject.is_pull:
                    counts["reviews"] += len(self.mara.reviews(subject.ref))
        return counts

    def last_words(self) -> str:
        """The end of the audit log and of what processes wrote."""
        rows = [
            f"{row.actor} {row.action} {row.ref} {dict(row.detail)}" for row in self.instance.ledger.audit.after(0)
        ][-12:]
        logs = [log.read_text(errors="replace")[-800:] for log in (self.instance.settings.state / "logs").glob("*.log")]
        return "\n".join([*rows, *logs])


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def responder(sandbox: str) -> Responder:
    """What plays the model; a file of stories may have another one; a new one for each kind of container."""
    return script()


@pytest.fixture(scope="module", params=["", *by_night("nspawn", "podman")])
def sandbox(request: pytest.FixtureRequest) -> str:
    """The kind of container that agents have; by night stories are played in each kind that this machine has."""
    name = str(request.param)
    if not name:
        return everyday()
    wanted(name)
    return name


@pytest.fixture(scope="module")
def hive(tmp_path_factory: pytest.TempPathFactory, responder: Responder, sandbox: str) -> Iterator[Hive]:
    """One hive for all stories of a file, since to start one costs as much as a story: each leaves it able to work."""
    with raised(tmp_path_factory.mktemp("hive"), responder, sandbox=sandbox) as made:
        yield made


@contextmanager
def raised(
    tmp_path: Path,
    responder: Responder,
    *,
    longest_delay: float = 10.0,
    limits: str = "crashes: 1000000, open_runs: 0",
    model_url: str = "",
    model_key: str = "",
    sandbox: str = "",
    more: str = "",
    others: str = "",
    lanes: str = "",
) -> Iterator[Hive]:
    """A hive that is up, below a directory.

    Containers are killed often in stories, so none of them stays down for it, and runs of earlier stories stay open, so that
    they keep nobody from work. `others` are the agents beside iris, such as `, atlas`, and `lanes` the lines of their lanes.
    """
    with ExitStack() as stack:
        model = stack.enter_context(ModelServer(responder, key=model_key))
        ports = {"forge_port": free_port(), "web_port": free_port()}
        config = write_config(tmp_path, **ports, model_url=model_url or model.url, sandbox=sandbox or everyday())
        text = config.read_text().replace("sweep_seconds: 5", f"sweep_seconds: 2\nlimits: {{{limits}}}\n{more}")
        text = text.replace(f"agents: [{AGENT}]", f"agents: [{AGENT}{others}]")
        config.write_text(text.replace("    kinds:\n", f"{lanes}    kinds:\n"))
        instance = Instance(load(config))
        stack.callback(instance.close)
        deaths: list[tuple[str, int]] = []
        tree = Supervisor(
            tmp_path / "logs", lambda name, status: deaths.append((name, status)), longest_delay, PRELOADED
        )
        stack.callback(tree.stop)
        begin(config, instance, tree, lambda _: None, seed=lambda: copy_project(instance, sample(tmp_path)))
        url, password = instance.url(FORGE), instance.secret_store.password(FORGE, ADMIN)
        with GiteaAdmin(name=FORGE, url=url, login=ADMIN, password=password) as admin:
            token = admin.make_token(OPERATOR, "stories", SCOPES)
        mara = stack.enter_context(Person(name=FORGE, url=url, token=token))
        operator = stack.enter_context(GiteaOperator(name=FORGE, url=url, token=token))
        yield Hive(instance, tree, mara, operator, deaths)
