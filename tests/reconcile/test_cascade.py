"""Another base rebuilds every container in its order, one at a time; what cannot be rebuilt goes on as it was, and is said."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest

from forge.models import Branch, Repo, Repository
from hive.app.base_rollout import BaseRollout
from hive.config import Limits
from hive.config.base_yaml import read_base
from hive.config.freeze import is_frozen, read_window
from hive.ledger import NEVER, Baseline, Cascade, CascadeStep, Generation, Ledger, Scope, StepState, SuspensionReason
from hive.outbox.cascade_text import cascade_text
from hive.reconcile.backends import Bubblewrap
from hive.reconcile.cascade import CascadeRunner
from hive.reconcile.containers import Containers
from hive.reconcile.holds import Holds
from hive.reconcile.reconciler import ManagedAgent, Reconciler
from hive.reconcile.report import Reporter
from hive.reconcile.starts import Starts
from hive.reconcile.verify import Policy
from tests.reconcile.conftest import Origin
from tests.reconcile.test_reconciler import SLEEPS

FORGE = "forgejo"
META = Repo(FORGE, "hive", "meta")
AGENTS = ("iris", "atlas", "lexis")
EARTH, MARS = "env: {PLANET: earth}\n", "env: {PLANET: mars}\n"
SECONDS = 120.0


@dataclass
class Fleet:
    """Three agents of one host, whose containers are a script in the place of bwrap, and the hands of those who merge."""

    root: Path
    origin: Origin
    ledger: Ledger
    backend: Bubblewrap
    freeze: tuple[str, ...] = ()
    silent: set[tuple[str, str]] = field(default_factory=set)
    """Agents and the artifacts from which their containers give no sign of life."""

    order: list[str] = field(default_factory=list)
    """Whose containers were started, in their order."""

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """A host begins, as after the death of the one before it."""
        self.containers = Containers(self.backend, self.root / "agents")
        holds = Holds(self.ledger, map(read_window, self.freeze))
        self.reconciler = Reconciler(self.ledger, self.containers, Limits(), probe_seconds=1.5, holds=holds)
        self.runner = CascadeRunner(self.ledger, "core", lambda _: META, self.containers.dirs, holds)
        self.rollout = BaseRollout(self.ledger, self.runner, self.reconciler, self.containers.answered, Event())
        reporter, reader = Reporter(self.ledger, "core", META), cast("Any", None)
        self.targets = [
            ManagedAgent(
                *(name, Repo(FORGE, "agent-configs", name), Policy(5, frozenset({1}), "main"), reader),
                *(lambda: self.origin.mirror, reporter, lambda _: True),
            )
            for name in AGENTS
        ]
        for target in self.targets:
            self.reconciler.watch(target).next_look = time.monotonic() + 3600

    def die(self) -> None:
        """The host is killed, and its containers with it."""
        for name in AGENTS:
            self.containers.kill(name)
        self.containers.stop_all()
        self.begin()

    def keep(self, target: ManagedAgent) -> None:
        """Look after one agent; its container answers, unless it is silent. Never are two of them being replaced."""
        self.reconciler.keep(target)
        running = self.containers.running(target.agent)
        if running and (target.agent, running) not in self.silent and self.containers.answered(target.agent) != running:
            self.containers.heard(target.agent, running)
            self.order.append(target.agent)
        assert sum(self.ledger.deployments.is_under_way(name) for name in AGENTS) <= 1

    def until(self, is_so: Callable[[], object]) -> None:
        """Be the host until something is so."""
        end = time.monotonic() + SECONDS
        while not is_so():
            assert time.monotonic() < end, f"it did not come: {self.steps()}"
            for target in self.targets:
                self.keep(target)
            self.rollout.look(self.targets, self.keep)

    def merge(self, text: str, number: int = 9) -> Cascade:
        """Operators merged another base, and the host verified it."""
        base = read_base(text)
        self.ledger.bases.accept(FORGE, "f" * 40, base.digest, text)
        return self.ledger.cascades.begin(FORGE, team="acme", base=base.digest, sha="f" * 40, pulls=(number,))

    def steps(self) -> list[CascadeStep]:
        """The containers of the newest cascade."""
        newest = self.ledger.cascades.newest(FORGE)
        return [] if newest is None else self.ledger.cascades.steps(newest.id)

    def is_over(self) -> bool:
        """Whether no cascade is open."""
        return not self.ledger.cascades.open()

    def baseline(self, agent: str) -> Baseline:
        """How an agent stands."""
        found = self.ledger.deployments.baseline(agent)
        assert found is not None
        return found

    def settings(self, agent: str) -> dict[str, Any]:
        """What the artifact of an agent says."""
        said: dict[str, Any] = json.loads((self.root / "agents" / agent / "current" / "agent.json").read_text())
        return said

    def owed(self, kind: str) -> list[dict[str, Any]]:
        """What is owed to the forge, of a kind."""
        return [
            json.loads(row["payload"]) for row in self.ledger._db.rows("SELECT * FROM effects WHERE kind = ?", kind)
        ]


@pytest.fixture
def fleet(origin: Origin, tmp_path: Path) -> Iterator[Fleet]:
    """A host whose three agents run what was merged first; atlas is to be rebuilt behind lexis."""
    program = tmp_path / "bwrap"
    program.write_text(SLEEPS)
    program.chmod(0o755)
    ledger = Ledger(tmp_path / "ledger.db")
    plain = origin.commit({"agent.yaml": "lane: app\n"})
    behind = origin.commit({"agent.yaml": "lane: app\ndepends_on: [lexis]\n"})
    for name in AGENTS:
        seen = Repository(
            5,
            Repo(FORGE, "agent-configs", name),
            "main",
            **dict.fromkeys(("archived", "mirror", "empty", "private"), False),
        )
        branch = Branch("main", behind if name == "atlas" else plain, protected=True)
        ledger.deployments.register(name, team="acme", seen=seen, branch=branch, cursor=1)
    made = Fleet(tmp_path, origin, ledger, Bubblewrap(str(program)))
    try:
        made.until(lambda: all(made.containers.answered(name) for name in AGENTS))
        made.order.clear()
        yield made
    finally:
        made.containers.stop_all()
        ledger.close()


def test_all_are_rebuilt_in_their_order(fleet: Fleet) -> None:
    """The first of the roster, what atlas depends on, atlas: each once, with what is new, and tag, log and comment say so."""
    cascade = fleet.merge(EARTH)
    fleet.until(fleet.is_over)
    assert fleet.order == ["iris", "lexis", "atlas"]
    for name in AGENTS:
        stands = fleet.baseline(name)
        assert stands.generation == Generation(stands.sha, cascade.base) != stands.sha
        assert fleet.containers.running(name) == stands.generation
        assert fleet.settings(name)["env"] == {"PLANET": "earth"}
        assert fleet.ledger.deployments.newest(name) is None, "no commit was brought"
    assert [step.state for step in fleet.steps()] == [StepState.STARTED] * 3
    assert not any(step.has_failed for step in fleet.steps())
    assert [each["name"] for each in fleet.owed("create_tag")] == ["building/9", "deployed/9"]
    assert [each["path"] for each in fleet.owed("commit_file")] == ["deployed/base"]
    assert {each["ref"]["number"] for each in fleet.owed("show_cascade")} == {9}
    assert not fleet.owed("post_comment")
    said = [(each["sha"], each["status"]["state"], each["status"]["description"]) for each in fleet.owed("set_status")]
    head = "f" * 40
    assert said == [
        (head, "pending", "🟡 containers are rebuilt, one after another"),
        (head, "success", "🟢 deployed/9"),
    ]
    fleet.merge(EARTH)
    fleet.until(fleet.is_over)
    assert [step.state for step in fleet.steps()] == [StepState.UNNEEDED] * 3
    assert fleet.order == ["iris", "lexis", "atlas"], "what runs on it already is left alone"


def test_one_that_does_not_answer_goes_on_as_it_was(fleet: Fleet) -> None:
    """Its old artifact is started again, the next ones go on, and it is tried once more only when somebody wants it."""
    base = read_base(EARTH).digest
    before = fleet.baseline("lexis")
    wanted = Generation(before.running_sha, base)
    fleet.silent.add(("lexis", wanted))
    fleet.merge(EARTH)
    fleet.until(fleet.is_over)
    assert [(step.agent, step.has_failed) for step in fleet.steps()] == [
        ("iris", False),
        ("lexis", True),
        ("atlas", False),
    ]
    assert "no heartbeat" in fleet.steps()[1].why
    after = fleet.baseline("lexis")
    assert (after.generation, after.sha, after.rejected_sha) == (before.generation, before.sha, "")
    assert fleet.containers.running("lexis") == before.generation == fleet.containers.answered("lexis")
    assert fleet.baseline("atlas").running_base == base
    assert [each["name"] for each in fleet.owed("create_tag")] == ["building/9", "failed/9"]
    assert "lexis" in fleet.owed("create_tag")[1]["message"]
    assert fleet.owed("set_status")[-1]["status"]["description"] == "🔴 1 not rebuilt"
    assert not fleet.owed("commit_file"), "successes only"
    assert not fleet.owed("propose_revert"), "nothing of its configuration is to be undone"
    fleet.until(fleet.is_over)
    assert fleet.baseline("lexis").running_base == ""
    fleet.silent.clear()
    newest = fleet.ledger.cascades.newest(FORGE)
    assert newest is not None
    assert fleet.ledger.cascades.again(newest, "lexis")
    fleet.until(fleet.is_over)
    assert fleet.baseline("lexis").running_base == base
    assert [each["name"] for each in fleet.owed("create_tag")] == ["building/9", "failed/9", "deployed/9"]


def test_what_this_host_does_not_have_fails_before_anything_is_stopped(fleet: Fleet) -> None:
    """A base that cannot be built here leaves each container untouched, and says which package is absent."""
    pids = {name: fleet.containers.pid(name) for name in AGENTS}
    fleet.merge("packages: [nosuchprogram]\n")
    fleet.until(fleet.is_over)
    assert all(step.has_failed for step in fleet.steps())
    assert all("this host has no 'nosuchprogram'" in step.why for step in fleet.steps())
    assert {name: fleet.containers.pid(name) for name in AGENTS} == pids


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_host_that_dies_in_the_middle_goes_on(fleet: Fleet, after: int) -> None:
    """Killed when some are done and one is under way: each ends on the new base, none twice, none is left out."""
    cascade, kept = fleet.merge(EARTH), {target.agent: target for target in fleet.targets}
    while sum(step.ended_at > 0 for step in fleet.steps()) < after or not any(
        step.is_under_way for step in fleet.steps()
    ):
        turn = fleet.runner.keep(dict.fromkeys(AGENTS, FORGE))
        if sum(step.ended_at > 0 for step in fleet.steps()) < after:
            fleet.keep(kept[turn.agent])
    fleet.reconciler.keep(kept[turn.agent])
    fleet.die()
    fleet.until(fleet.is_over)
    assert [step.has_failed for step in fleet.steps()] == [False, False, False]
    assert all(fleet.baseline(name).running_base == cascade.base for name in AGENTS)
    rows = fleet.ledger._db.rows("SELECT agent FROM deployments WHERE cascade = ?", cascade.id)
    assert sorted(row["agent"] for row in rows) == sorted(AGENTS)


def test_who_is_held_waits_and_holds_up_nobody(fleet: Fleet) -> None:
    """A suspended agent and a stopped one are rebuilt when that is over; until then the cascade is open, and says why."""
    suspend, resume = fleet.ledger.suspensions.suspend, fleet.ledger.suspensions.resume
    suspend("acme", Scope.DEPLOYMENTS, "iris", SuspensionReason.PAUSED, "deployments suspended by mara", until=NEVER)
    suspend("acme", Scope.AGENT, "lexis", SuspensionReason.STOPPED, "stopped by mara", until=NEVER)
    fleet.merge(EARTH)
    fleet.until(lambda: fleet.baseline("atlas").running_base)
    for target in fleet.targets:
        fleet.keep(target)
    fleet.rollout.look(fleet.targets, fleet.keep)
    waits = {step.agent: step.why for step in fleet.steps() if step.is_queued}
    assert waits == {"iris": "deployments suspended by mara", "lexis": "its agent is stopped by mara"}
    assert not fleet.is_over()
    resume("acme", Scope.DEPLOYMENTS, "iris", SuspensionReason.PAUSED)
    resume("acme", Scope.AGENT, "lexis", SuspensionReason.STOPPED)
    fleet.until(fleet.is_over)
    assert all(fleet.baseline(name).running_base for name in AGENTS)


def test_a_freeze_holds_all(fleet: Fleet) -> None:
    """Merged in a freeze window, nothing begins before it is over."""
    fleet.freeze = ("00:00-23:59", "23:00-01:00")
    fleet.die()
    fleet.merge(EARTH)
    for _ in range(3):
        fleet.rollout.look(fleet.targets, fleet.keep)
    assert all(step.is_queued and "freeze window" in step.why for step in fleet.steps())
    fleet.freeze = ()
    fleet.die()
    fleet.until(fleet.is_over)
    assert all(fleet.baseline(name).running_base for name in AGENTS)


def test_a_word_ends_the_waiting_for_a_freeze(fleet: Fleet) -> None:
    """What is released is rebuilt in the window; an agent that somebody stopped waits on, and is not forgotten to be released."""
    fleet.freeze = ("00:00-23:59", "23:00-01:00")
    fleet.die()
    cascade, cascades = fleet.merge(EARTH), fleet.ledger.cascades
    fleet.rollout.look(fleet.targets, fleet.keep)
    assert all(is_frozen(step.why) for step in fleet.steps())
    assert "`/deploy now`" in cascade_text(cascade, fleet.steps())
    stop = (Scope.AGENT, "lexis", SuspensionReason.STOPPED)
    fleet.ledger.suspensions.suspend("acme", *stop, "stopped by mara", until=NEVER)
    assert cascades.release(cascade)
    assert not cascades.release(cascade), "what was released waits for no window"
    fleet.until(lambda: fleet.baseline("iris").running_base and fleet.baseline("atlas").running_base)
    fleet.rollout.look(fleet.targets, fleet.keep)
    assert [(step.agent, step.why) for step in fleet.steps() if step.is_queued] == [
        ("lexis", "its agent is stopped by mara")
    ]
    fleet.ledger.suspensions.resume("acme", *stop)
    fleet.until(fleet.is_over)
    assert fleet.baseline("lexis").running_base == cascade.base


def test_few_containers_start_at_the_same_time(fleet: Fleet) -> None:
    """The next one begins when one has answered, or has been silent for long; nobody is left out."""
    runs = {name: Generation(fleet.baseline(name).running_sha, "") for name in AGENTS}
    fleet.silent |= set(runs.items())
    fleet.die()
    now = [0.0]
    fleet.reconciler._probe_seconds = 600.0  # the machine may be slow, and the clock of starts is the test's
    fleet.reconciler.starts = Starts(most=1, seconds=20.0, clock=lambda: now[0])
    running: list[list[str]] = []
    for at in (0.0, 1.0, 21.0, 42.0):
        now[0] = at
        for _ in range(3):
            for target in fleet.targets:
                fleet.keep(target)
        running.append([name for name in AGENTS if fleet.containers.running(name)])
    assert running == [["iris"], ["iris"], ["iris", "atlas"], ["iris", "atlas", "lexis"]]
    fleet.silent.clear()
    fleet.die()
    fleet.reconciler.starts = Starts(most=1, seconds=20.0, clock=lambda: now[0])
    fleet.until(lambda: all(fleet.containers.answered(name) for name in AGENTS))


def test_what_is_released_is_left_to_a_newer_base_too(fleet: Fleet) -> None:
    """Nobody is rebuilt on a base that does not count any more."""
    fleet.freeze = ("00:00-23:59", "23:00-01:00")
    fleet.die()
    first = fleet.merge(EARTH)
    fleet.rollout.look(fleet.targets, fleet.keep)
    assert fleet.ledger.cascades.release(first)
    fleet.merge(MARS)
    assert {step.state for step in fleet.ledger.cascades.steps(first.id)} == {StepState.SUPERSEDED}


def test_a_word_tries_all_that_failed_again(fleet: Fleet) -> None:
    """Those that are rebuilt already are left alone, and one word is enough for all of the others."""
    base = read_base(EARTH).digest
    for name in ("lexis", "atlas"):
        fleet.silent.add((name, Generation(fleet.baseline(name).running_sha, base)))
    cascade, cascades = fleet.merge(EARTH), fleet.ledger.cascades
    fleet.until(fleet.is_over)
    fleet.silent.clear()
    fleet.order.clear()
    assert cascades.retry(cascade) == ["lexis", "atlas"]
    assert cascades.retry(cascade) == [], "what is queued has not failed"
    fleet.until(fleet.is_over)
    assert fleet.order == ["lexis", "atlas"]
    assert all(fleet.baseline(name).running_base == base for name in AGENTS)


def test_a_change_that_waits_brings_the_base_along(fleet: Fleet) -> None:
    """An agent whose own change waits is not rebuilt twice: when that begins, it is on the new base."""
    fleet.ledger.suspensions.suspend(
        "acme", Scope.DEPLOYMENTS, "lexis", SuspensionReason.PAUSED, "by mara", until=NEVER
    )
    second = fleet.origin.commit({"agent.yaml": "lane: app\nminutes: 5\n"})
    fleet.ledger.deployments.start(fleet.baseline("lexis"), second, (7,), 2)
    cascade = fleet.merge(EARTH)
    fleet.until(fleet.is_over)
    assert {step.agent: step.state for step in fleet.steps()}["lexis"] is StepState.JOINED
    assert fleet.baseline("lexis").running_base == ""
    fleet.ledger.suspensions.resume("acme", Scope.DEPLOYMENTS, "lexis", SuspensionReason.PAUSED)
    fleet.until(lambda: fleet.baseline("lexis").running_sha == second)
    assert fleet.containers.running("lexis") == Generation(second, cascade.base)


def test_a_newer_base_takes_the_queue(fleet: Fleet) -> None:
    """What an older one has not begun is left to the newer one; the one under way is brought to its end first."""
    first = fleet.merge(EARTH)
    fleet.runner.keep(dict.fromkeys(AGENTS, FORGE))
    second = fleet.merge(MARS, 10)
    fleet.until(fleet.is_over)
    assert [step.state for step in fleet.ledger.cascades.steps(first.id)].count(StepState.SUPERSEDED) == 2
    assert all(fleet.baseline(name).running_base == second.base for name in AGENTS)
    assert all(fleet.settings(name)["env"] == {"PLANET": "mars"} for name in AGENTS)
    assert [each["name"] for each in fleet.owed("create_tag")] == ["building/9", "building/10", "deployed/10"]


def test_a_new_commit_is_built_on_the_base_that_counts(fleet: Fleet) -> None:
    """A change merged later is built on the base; without a base again, the commit is the artifact."""
    cascade = fleet.merge(EARTH)
    fleet.until(fleet.is_over)
    second = fleet.origin.commit({"agent.yaml": "lane: app\nminutes: 5\nenv: {PLANET: venus}\n"})
    fleet.ledger.deployments.start(fleet.baseline("iris"), second, (7,), 2)
    fleet.until(lambda: fleet.baseline("iris").running_sha == second)
    assert fleet.containers.running("iris") == Generation(second, cascade.base)
    assert fleet.settings("iris")["env"] == {"PLANET": "venus"}, "an agent's own variable wins"
    fleet.merge("{}\n", 10)
    fleet.until(fleet.is_over)
    assert fleet.containers.running("iris") == second == fleet.baseline("iris").generation
    assert fleet.settings("atlas")["env"] == {}
