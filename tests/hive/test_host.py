"""The host keeps each agent by itself: what one agent does to its own directories or turns is that agent's alone."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from forge.embedded import EmbeddedForge
from forge.gitea.admin import GiteaAdmin
from hive.app import agents
from hive.app.host import Host
from hive.app.set_up import ADMIN
from hive.config import load
from hive.demo.model import ModelConversation, ModelReply, ModelServer, Responder, ToolCall
from hive.demo.setup import FORGE, OPERATOR, copy_project, sample, write_config
from hive.instance.file_modes import OTHERS
from hive.instance.instance import Instance
from hive.ledger import Effect, Scope, SuspensionReason
from hive.ledger.runs import MAX_ATTEMPTS
from hive.outbox.state_labels import labels_of
from hive.provision import Provisioner
from hive.reconcile.container_record import ContainerRecord
from tests.backends import CONTAINED, everyday, wanted

pytestmark = pytest.mark.contained
SECONDS = 120.0


class Puppet:
    """A model that says what the test makes it say."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """End each turn at once."""
        self.say: Callable[[ModelConversation], ModelReply] = lambda _: ModelReply("Done.")

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The next reply."""
        return self.say(conversation)


@dataclass
class Kept:
    """A host with two agents, in this process."""

    instance: Instance
    host: Host
    thread: threading.Thread
    responder: Puppet

    def until(self, is_so: Callable[[], object], what: str) -> None:
        """Wait for something that has to come, while the host lives."""
        began = time.monotonic()
        while not is_so():
            assert self.thread.is_alive(), "the host ended"
            past = time.monotonic() - began
            assert past < SECONDS, f"{what} did not come; {self.logs()}"
            time.sleep(min(max(0.02, past / 10), 0.2))

    def is_up(self, agent: str) -> bool:
        """Whether an agent's container gave a sign of life."""
        return bool(self.host.containers.running(agent) and self.host.containers.answered(agent))

    def pending(self, kind: str) -> list[Effect]:
        """The effects of a kind."""
        with self.instance.ledger.transaction() as db:
            ids = [row["id"] for row in db.execute("SELECT id FROM effects WHERE kind = ? ORDER BY id", (kind,))]
        return [self.instance.ledger.effects.get(effect) for effect in ids]

    def assign(self, number: int, message: str = "do it") -> int:
        """Begin a run of iris."""
        return self.instance.ledger.runs.start("acme", "iris", f"{FORGE}:acme/app#{number}", f"k{number}", message)

    def is_over(self, run: int) -> bool:
        """Whether no turn of a run waits or is held."""
        with self.instance.ledger.transaction() as db:
            held = db.execute("SELECT count(*) FROM turns WHERE run = ? AND state != 'done'", (run,))
            return bool(held.fetchone()[0] == 0)

    def logs(self) -> str:
        """What the containers wrote."""
        return "\n".join(self.host.containers.log(agent) for agent in ("iris", "atlas"))


@contextmanager
def instance_with_two_agents(place: Path, responder: Responder) -> Iterator[Instance]:
    """A forge made ready for iris and atlas, with a project in it."""
    with ExitStack() as stack:
        model = stack.enter_context(ModelServer(responder))
        forge = stack.enter_context(EmbeddedForge(place / "forge"))
        port = int(forge.url.rpartition(":")[2])
        config = write_config(place, forge_port=port, web_port=1, model_url=model.url, sandbox=everyday())
        config.write_text(config.read_text().replace("agents: [iris]", "agents: [iris, atlas]"))
        config.write_text(config.read_text() + "limits: {crashes: 50}\n")
        instance = Instance(load(config))
        stack.callback(instance.close)
        password = instance.secret_store.password(FORGE, ADMIN)
        forge.create_admin(ADMIN, password)
        with GiteaAdmin(name=FORGE, url=forge.url, login=ADMIN, password=password) as admin:
            admin.ensure_user(
                OPERATOR, password=instance.secret_store.password(FORGE, OPERATOR), email="mara@forge.invalid"
            )
        copy_project(instance, sample(place))
        Provisioner.run(instance, FORGE, ADMIN, password, lambda _: None)
        yield instance


@pytest.fixture(autouse=True)
def private() -> Iterator[None]:
    """The umask of a host."""
    before = os.umask(OTHERS)
    yield
    os.umask(before)


@pytest.fixture(scope="module")
def responder() -> Puppet:
    """What plays the model."""
    return Puppet()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, responder: Puppet) -> Iterator[Instance]:
    """An instance with two agents, for all tests of this file."""
    wanted("bubblewrap")
    with instance_with_two_agents(tmp_path_factory.mktemp("h"), responder) as made:
        yield made


@pytest.fixture
def instance(built: Instance, responder: Puppet) -> Instance:
    """The instance as if no agent had ever started in it."""
    responder.reset()
    shutil.rmtree(built.agents, ignore_errors=True)
    with built.ledger.transaction() as db:
        first = ("incidents", "crashes", "suspensions", "transcripts", "progress")
        for table in (*first, "broker_calls", "budget_stops", "holds", "bookings", "effects", "turns", "runs"):
            db.execute(f"DELETE FROM {table}")  # noqa: S608
    return built


@contextmanager
def worked(instance: Instance) -> Iterator[None]:
    """A worker that has done at once what a harness waits for."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.02):
            with instance.ledger.transaction() as db:
                waiting = db.execute(
                    "SELECT id FROM effects WHERE kind = 'post_answer' AND state = 'pending'"
                ).fetchall()
            for row in waiting:
                effect = instance.ledger.effects.claim(row["id"])
                if effect is not None:
                    instance.ledger.effects.finish(effect, {"url": "", "id": 1})

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.fixture
def keep(instance: Instance, responder: Puppet) -> Iterator[Callable[..., Kept]]:
    """Starts the host; it is ended with the test."""
    stop = threading.Event()
    threads: list[threading.Thread] = []
    others: list[Instance] = []

    def start(mine: Instance = instance) -> Kept:
        host = Host(mine, stop)
        others.extend([] if mine is instance else [mine])
        thread = threading.Thread(target=host.serve)
        threads.append(thread)
        thread.start()
        return Kept(mine, host, thread, responder)

    with worked(instance):
        yield start
        stop.set()
        for thread in threads:
            thread.join(60)
        for other in others:
            other.close()


def linked_to(target: str) -> Callable[[Path], None]:
    """Puts a link there."""
    return lambda path: path.symlink_to(target)


def listening(path: Path) -> None:
    """Puts a socket there; its address would be too long a name."""
    here = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"/proc/self/fd/{here}/{path.name}")
    os.close(here)


INSTEAD: dict[str, Callable[[Path], None]] = {
    "link to nowhere": linked_to("/nonexistent/x"),
    "link to a foreign file": linked_to("/etc/hostname"),
    "link to a foreign directory": linked_to("/etc"),
    "file": Path.touch,
    "fifo": os.mkfifo,
    "socket": listening,
}


@pytest.mark.parametrize("kind", INSTEAD)
def test_what_a_tool_does_to_its_state_hurts_nobody(instance: Instance, keep: Callable[[], Kept], kind: str) -> None:
    """Whatever stands where the harness has its directories, the host goes on, follows nothing, and the agent starts."""
    state = instance.agents / "iris" / "state"
    state.mkdir(parents=True)
    for name in ("home", "runs"):
        INSTEAD[kind](state / name)
    kept = keep()
    kept.until(lambda: kept.is_up("iris") and kept.is_up("atlas"), "two containers")
    assert kept.pending("open_issue") == []


@pytest.mark.parametrize("kind", ["link to nowhere", "fifo"])
def test_a_fault_of_one_agent_is_its_own(instance: Instance, keep: Callable[[], Kept], kind: str) -> None:
    """An agent whose directories cannot be had is told of once; the others go on, and so does it when it is fixed."""
    place = instance.agents / "iris" / "run"
    place.parent.mkdir(parents=True)
    INSTEAD[kind](place)
    kept = keep()
    kept.until(lambda: kept.is_up("atlas"), "the container of atlas")
    kept.until(lambda: kept.pending("open_issue"), "words to the operators")
    kept.until(lambda: kept.host.faults["iris"].tries > 2, "two more tries")
    (issue,) = kept.pending("open_issue")
    assert "iris cannot be kept on this host" in issue.payload
    place.unlink()
    kept.until(lambda: kept.is_up("iris"), "the container of iris")
    assert len(kept.pending("open_issue")) == 1


def test_each_run_starts_in_a_fresh_container(keep: Callable[[], Kept]) -> None:
    """What one run left in /tmp and running, the next one does not find; what it left in its home is there."""
    kept = keep()
    leave = "echo mine >/tmp/left; echo mine >~/kept; (setsid sleep 1000 >/dev/null 2>&1 &)"
    look = "cat /tmp/left; cat ~/kept; cat /proc/[0-9]*/cmdline | tr '\\0' ' '"
    seen: list[str] = []

    def say(conversation: ModelConversation) -> ModelReply:
        if conversation.made:
            seen.append(conversation.made[-1][1].text)
            return ModelReply("Done.")
        return ModelReply(calls=(ToolCall("run", {"command": leave if "first" in conversation.news else look}),))

    kept.responder.say = say
    first = kept.assign(1, "first")
    kept.until(lambda: kept.is_over(first), "the end of the first run")
    pid = kept.host.containers.pid("iris")
    kept.instance.ledger.runs.add_turn(first, "more", "first again", by_person=True)
    kept.until(lambda: kept.is_over(first), "the end of its second turn")
    assert kept.host.containers.pid("iris") == pid
    second = kept.assign(2, "second")
    kept.until(lambda: kept.is_over(second), "the end of the second run")
    assert kept.host.containers.pid("iris") != pid
    assert "sleep" not in seen[-1]
    assert "left: No such file" in seen[-1]
    assert "mine" in seen[-1]


def test_a_harness_that_dies_in_each_try_is_not_tried_for_ever(keep: Callable[[], Kept]) -> None:
    """A turn whose process is killed five times without a step is given up, with a comment."""
    kept = keep()
    incidents = kept.instance.ledger.incidents
    killed: set[int] = set()

    def die(_: ModelConversation) -> ModelReply:
        epoch, runs = kept.host.containers.epoch("iris"), kept.instance.ledger.runs
        crashes = incidents.count_crashes_at(held[0], 0) if (held := runs.current("iris")) else 0
        # Without an answer until the crash is recorded: an answer that fails before would be an outage of the model.
        while held and incidents.count_crashes_at(held[0], 0) == crashes and kept.thread.is_alive():
            if (pid := kept.host.containers.pid("iris")) and kept.host.containers.epoch("iris") == epoch:
                killed.add(pid)
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        raise ConnectionAbortedError

    kept.responder.say = die
    run = kept.assign(1)
    kept.until(lambda: kept.is_over(run), "the end of it")
    assert len(killed) == MAX_ATTEMPTS
    (said,) = kept.pending("post_answer")
    assert "An operator should look." in said.payload
    assert [sorted(line) for line in kept.instance.ledger.transcripts.of(run)] == [
        ["mind", "turn"],
        ["content", "role"],
    ]


@pytest.mark.parametrize("sandbox", CONTAINED)
def test_a_container_that_dies_comes_back(instance: Instance, keep: Callable[..., Kept], sandbox: Any) -> None:
    """In each kind of container: a command that takes too much is killed in words, and a death is one issue, a restart, and the same turn."""
    wanted(sandbox)
    limits = replace(instance.settings.limits, memory_mb=128)
    kept = keep(Instance(replace(instance.settings, sandbox=sandbox, limits=limits)))
    dirs = kept.host.containers.dirs("iris")
    said: list[str] = []
    killed: list[int] = []

    def say(conversation: ModelConversation) -> ModelReply:
        said.extend(made[1].text for made in conversation.made[len(said) :])
        if not said:
            eat = "python3 -c 'x = bytearray(1 << 29)'; echo at work"
            return ModelReply(calls=(ToolCall("run", {"command": eat}),))
        if not killed:
            record = ContainerRecord.load(dirs)
            assert record is not None
            killed.append(record.harness)
            os.kill(record.harness, signal.SIGKILL)
        return ModelReply("Done.")

    kept.responder.say = say
    run = kept.assign(1)
    kept.until(lambda: kept.is_over(run), "the end of the turn")
    assert "killed: memory limit of 128 MB" in said[0], said
    (issue,) = kept.pending("open_issue")
    assert "the container of iris crashed" in issue.payload
    assert "hive: the container is set up" in issue.payload, "with the end of its log"
    record = ContainerRecord.load(dirs)
    assert record is not None
    assert record.harness not in killed


def test_a_host_that_goes_costs_no_attempt(instance: Instance, responder: Puppet) -> None:
    """A host that is told to go lets its harnesses finish their step, and what they held comes again as before."""
    asked = threading.Event()

    def wait(conversation: ModelConversation) -> ModelReply:
        asked.set()
        return ModelReply(calls=(ToolCall("run", {"command": f"sleep 1; echo {len(conversation.messages)}"}),))

    responder.say = wait
    instance.ledger.runs.start("acme", "iris", f"{FORGE}:acme/app#1", "k1", "do it")
    for _ in range(2):
        asked.clear()
        stop = threading.Event()
        host = Host(instance, stop)
        thread = threading.Thread(target=host.serve)
        thread.start()
        assert asked.wait(SECONDS)
        stop.set()
        thread.join(60)
        assert not thread.is_alive()
    with instance.ledger.transaction() as db:
        row = db.execute("SELECT state, attempts FROM turns").fetchone()
    assert (row["state"], row["attempts"]) == ("pending", 0)


def test_an_agents_token_that_is_rejected_is_reported(keep: Callable[[], Kept]) -> None:
    """The turns of an agent whose token is rejected are suspended, reported once; a new token resumes them."""
    kept = keep()
    ledger, secret_store = kept.instance.ledger, kept.instance.secret_store
    kept.until(lambda: kept.is_up("iris"), "iris")
    good = secret_store.token(FORGE, "iris")
    secret_store.keep_token(FORGE, "iris", "f" * 40)
    try:
        run = kept.assign(1)
        kept.until(lambda: ledger.suspensions.of("acme", Scope.ACCOUNT, "iris"), "a suspension")
        assert labels_of(ledger.run_states.of(f"{FORGE}:acme/app#1")[0]) == {"state/needs-login"}
        told = [effect.payload for effect in kept.pending("open_issue")]
        assert ["rejected iris's token" in words for words in told] == [True]
        assert "f" * 40 not in told[0]
    finally:
        secret_store.keep_token(FORGE, "iris", good)
        ledger.suspensions.resume("acme", Scope.ACCOUNT, "iris", SuspensionReason.TOKEN_REJECTED)
    kept.until(lambda: kept.is_over(run), "the end of the turn")
    assert len(kept.pending("open_issue")) == 1


def test_a_stopped_agent_stays_stopped_and_loses_nothing(keep: Callable[[], Kept]) -> None:
    """By a word at the machine its container ends, in the middle of a turn; its work waits, and goes on by another word."""
    kept = keep()
    asked, may = threading.Event(), threading.Event()

    def wait(conversation: ModelConversation) -> ModelReply:
        asked.set()
        may.wait(SECONDS)
        return ModelReply("Done.")

    kept.responder.say = wait
    run = kept.assign(1)
    assert asked.wait(SECONDS)
    said = [next(agents.stop(kept.instance, "iris")) for _ in range(2)]
    assert said == ["iris is stopped: its work waits until `hive agents start iris`", "iris is stopped already"]
    may.set()
    kept.until(lambda: not kept.host.containers.running("iris"), "the end of its container")
    kept.until(lambda: kept.is_up("atlas"), "the other one")
    list(agents.rebuild(kept.instance, "iris"))
    end = time.monotonic() + 2
    while time.monotonic() < end:
        assert not kept.host.containers.running("iris")
        time.sleep(0.05)
    baseline = kept.instance.ledger.deployments.baseline("iris")
    assert baseline is not None
    kept.instance.ledger.deployments.start(baseline, baseline.sha, (7,), baseline.cursor)
    iris, atlas = agents.rows(kept.instance)
    assert (iris.agent, iris.state, atlas.why, atlas.deploying) == ("iris", "stopped", "", "")
    assert iris.deploying.startswith(f"{baseline.sha[:7]} of #7 verified, and waits, ")
    assert iris.deploying in "\n".join(agents.table([iris, atlas]))
    assert "stopped by" in iris.why
    with kept.instance.ledger.transaction() as db:
        rows = db.execute("SELECT state, attempts FROM turns WHERE run = ?", (run,)).fetchall()
        crashes = db.execute("SELECT count(*) FROM crashes").fetchone()[0]
    assert [(row["state"], row["attempts"]) for row in rows] in ([("pending", 0)], [("done", 1)])
    assert (crashes, kept.pending("open_issue")) == (0, [])
    list(agents.start(kept.instance, "iris"))
    kept.until(lambda: kept.instance.ledger.deployments.current("iris") is None, "the end of what waited")
    kept.until(lambda: kept.is_over(run), "the end of the run")
    kept.until(lambda: kept.is_up("iris"), "its container")
