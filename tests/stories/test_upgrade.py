"""A hive upgrades itself: an operator merges a change of its own source, and work in flight goes on."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bots.models import HIVE
from forge.gitea.admin import GiteaAdmin
from forge.gitea.operator import GiteaOperator
from forge.models import FileEdit, PullRequest, Ref, Repo
from forge.protocol import Unavailable
from hive.agent.git_env import settings
from hive.app.set_up import ADMIN
from hive.app.up import own_forge
from hive.config import load
from hive.demo.model import ModelConversation, ModelReply, ModelServer
from hive.demo.scripted_replies import HONEY, SORT, script
from hive.demo.setup import FORGE, OPERATOR, TEAM, copy_project, sample, write_config
from hive.instance.instance import Instance
from hive.supervisor.generations import DIRECTORY, GENERATION, Generations
from hive.supervisor.processes import Supervisor
from tests.backends import everyday
from tests.nightly import NIGHTLY
from tests.person import Person
from tests.stories.conftest import SCOPES, SECONDS, Hive, free_port
from tests.wheels import locked_names, make_wheels

pytestmark = pytest.mark.timeout(3000)
ROOT = Path(__file__).parent.parent.parent
OWN = Repo(FORGE, TEAM, "forgehive")
PARTS = ("hive", "bots", "forge", "config", "pyproject.toml", "README.md")
WHO = ("-c", "user.name=mara", "-c", "user.email=mara@forge.invalid")
VERSION = 'version = "0.1.0"'
BUILD_SECONDS = 1200.0
"""A build takes a minute on an idle machine."""

MISSING = "nowhere-to-be-had==1.0 --hash=sha256:" + "0" * 64
BEGINS = '    """Run everything until stopped; what this process started has ended when it returns."""\n'


@dataclass
class Gate:
    """A model that thinks for as long as it is held."""

    asked: threading.Event = field(default_factory=threading.Event)
    open: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._script = script()
        self.open.set()

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The next reply."""
        self.asked.set()
        self.open.wait(SECONDS)
        return self._script.reply(conversation)


@dataclass
class Upgraded:
    """A hive that was started by `hive up`, its model, and its own source on its forge."""

    hive: Hive
    gate: Gate
    config: Path
    generations: Generations
    process: subprocess.Popen[bytes]

    def start(self) -> None:
        """Start it, as an operator does."""
        self.process = started(self.config)

    def propose(self, *changes: tuple[str, str, str]) -> Ref:
        """Mara proposes a change: (path, old text, new text) for each file."""
        edits = []
        for path, old, new in changes:
            text = self.hive.mara.file(OWN, path, "main").decode()
            assert text.count(old) == 1, path
            edits.append(FileEdit(path, text.replace(old, new).encode()))
        branch = f"change-{time.time_ns()}"
        self.hive.mara.commit(OWN, edits, message="Change it", branch=branch, start="main")
        return self.hive.mara.open_pull(OWN, head=branch, base="main", title="Change it", body="").ref

    def merge(self, pull: Ref) -> str:
        """Mara merges what was reviewed; returns the new head."""
        self.hive.until(lambda: self.hive.status(pull, "hive/review") == "success", "a green review")
        self.hive.merge(pull)
        return self.hive.mara.branch(OWN, "main").sha

    def said(self, pull: Ref, sign: str) -> str:
        """What the hive says of it in the end."""
        end = time.monotonic() + BUILD_SECONDS
        while time.monotonic() < end:
            with suppress(Unavailable):  # its forge is restarted with it
                bodies = [comment.body for comment in self.hive.mara.comments(pull)]
                if found := next((body for body in bodies if sign in body), None):
                    return found
            time.sleep(0.5)
        raise AssertionError(
            f"no report of {pull}: {self.hive.last_words()}\n{(self.config.parent / 'up.log').read_text()}"
        )

    def versions(self) -> set[str]:
        """The versions of which processes of this hive run now."""
        found = set()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (process / "cmdline").read_bytes().split(b"\0")
                env = (process / "environ").read_bytes().split(b"\0")
                if str(self.config).encode() in words and words[-3:-2] != [b"up"]:
                    found |= {each.partition(b"=")[2].decode() for each in env if each.startswith(GENERATION.encode())}
        return found

    def end(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(SECONDS)


def started(config: Path) -> subprocess.Popen[bytes]:
    """`hive up`, with what is installed beside this interpreter on PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (config.parent / "up.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "hive", "up", str(config)],
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def own_source(place: Path, lock: str) -> Path:
    """A repository with a copy of this project, whose lock names the wheels that were made here."""
    target = place / "own"
    target.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / part)
    (target / "requirements.lock").write_text(lock)
    for words in (("init", "--quiet", "--initial-branch=main"), ("add", "--all")):
        subprocess.run(["git", "-C", str(target), *words], check=True)
    subprocess.run(["git", "-C", str(target), *WHO, "commit", "--quiet", "--message=Begin"], check=True)
    return target


def push(instance: Instance, source: Path) -> None:
    """Let the forge have it."""
    password = instance.secret_store.password(FORGE, ADMIN)
    with GiteaAdmin(name=FORGE, url=instance.url(FORGE), login=ADMIN, password=password) as admin:
        admin.ensure_org(TEAM)
        admin.ensure_repo(OWN, private=False)
    login = base64.b64encode(f"{ADMIN}:{password}".encode()).decode()
    env = {**os.environ, **settings([("http.extraHeader", f"Authorization: Basic {login}")])}
    url = f"{instance.url(FORGE)}/{OWN.path}.git"
    subprocess.run(["git", "-C", str(source), "push", "--quiet", url, "main:refs/heads/main"], check=True, env=env)


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgraded]:
    """One hive for all stories of this file."""
    place = tmp_path_factory.mktemp("up")
    with ExitStack() as stack:
        gate = Gate()
        stack.callback(gate.open.set)
        model = stack.enter_context(ModelServer(gate))
        (wheels := place / "wheels").mkdir()
        lock = make_wheels(locked_names(ROOT / "requirements.lock"), wheels)
        config = write_config(
            place, forge_port=free_port(), web_port=free_port(), model_url=model.url, sandbox=everyday()
        )
        text = config.read_text().replace("repos: [app]", "repos: [app, forgehive]")
        text = text.replace("sweep_seconds: 5", "sweep_seconds: 2\nlimits: {crashes: 1000000}")
        config.write_text(f"{text}upgrade: {{repository: {TEAM}/forgehive, wheels: {wheels}, minutes: 3}}\n")
        instance = Instance(load(config))
        stack.callback(instance.close)
        with own_forge(instance, FORGE, lambda _: None):
            copy_project(instance, sample(place))
            push(instance, own_source(place, lock))
            password = instance.secret_store.password(FORGE, ADMIN)
            with GiteaAdmin(name=FORGE, url=instance.url(FORGE), login=ADMIN, password=password) as admin:
                token = admin.make_token(OPERATOR, "stories", SCOPES)
        mara = stack.enter_context(Person(name=FORGE, url=instance.url(FORGE), token=token))
        operator = stack.enter_context(GiteaOperator(name=FORGE, url=instance.url(FORGE), token=token))
        tree = Supervisor(place / "unused", lambda *_: None)
        hive = Hive(instance, tree, mara, operator)
        process = started(config)
        made = Upgraded(hive, gate, config, Generations(place / DIRECTORY), process)
        stack.callback(made.end)
        hive.until(lambda: instance.ledger.deployments.baseline(HIVE), "the baseline of the hive")
        hive.until(lambda: instance.ledger.deployments.is_healthy("iris"), "iris")
        yield made


def test_a_merge_upgrades_the_hive_with_a_run_in_flight(upgraded: Upgraded) -> None:
    """The model is thinking while the version changes: the new one goes on with the same run, and finishes it."""
    hive, gate = upgraded.hive, upgraded.gate
    gate.asked.clear()
    gate.open.clear()
    issue = hive.file(HONEY)
    hive.until(gate.asked.is_set, "the first question to the model")
    run = hive.instance.ledger.runs.find(str(issue))
    assert run is not None
    pull = upgraded.propose(("pyproject.toml", VERSION, 'version = "0.1.1"'))
    sha = upgraded.merge(pull)
    report = upgraded.said(pull, "**hive runs")
    assert f"deployed/{pull.number}" in report
    assert upgraded.generations.current() == sha
    assert upgraded.versions() == {sha}
    said = subprocess.run(
        [upgraded.generations.place(sha) / "bin" / "hive", "--version"], capture_output=True, text=True
    )
    assert "0.1.1" in said.stdout, said.stderr
    gate.open.set()
    assert hive.until(lambda: hive.pull_of(issue), "the pull request of the run in flight")
    after = hive.instance.ledger.runs.find(str(issue))
    assert after is not None
    assert after.id == run.id


@NIGHTLY
def test_a_version_that_does_not_build(upgraded: Upgraded) -> None:
    """What no wheel is there for is said on the pull request; what runs is not touched."""
    before = upgraded.generations.current(), upgraded.versions()
    lock = upgraded.hive.mara.file(OWN, "requirements.lock", "main").decode().splitlines()[0]
    pull = upgraded.propose(("requirements.lock", lock, f"{lock}\n{MISSING}"))
    sha = upgraded.merge(pull)
    report = upgraded.said(pull, "does not run**")
    assert "nowhere-to-be-had" in report
    assert not upgraded.generations.is_built(sha)
    assert (upgraded.generations.current(), upgraded.versions()) == before
    assert way_back(upgraded, sha)


@NIGHTLY
def test_a_version_that_does_not_start(upgraded: Upgraded) -> None:
    """It is checked and built, and ends at its start: the old one comes back, says why, proposes the way back, and works."""
    before = upgraded.generations.current()
    broken = f'{BEGINS}    raise StartupError("this version has lost its way")\n'
    pull = upgraded.propose(("hive/app/up.py", BEGINS, broken), ("requirements.lock", f"{MISSING}\n", ""))
    sha = upgraded.merge(pull)
    report = upgraded.said(pull, "does not run**")
    assert "this version has lost its way" in report
    assert upgraded.generations.is_built(sha)
    assert upgraded.generations.current() == before
    assert upgraded.versions() == {before}
    assert way_back(upgraded, sha)
    issue = upgraded.hive.file(SORT)
    assert upgraded.hive.until(lambda: upgraded.hive.pull_of(issue), "the work of the old version")


def way_back(upgraded: Upgraded, sha: str) -> PullRequest:
    """The hive's own proposal to undo what does not run."""
    branch = f"hive/revert-{sha[:12]}"
    return upgraded.hive.until(
        lambda: next((each for each in upgraded.hive.pulls(OWN) if each.head_branch == branch), None), "the way back"
    )
