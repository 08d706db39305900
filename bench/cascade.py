"""A base update: the containers of a hundred agents rebuilt, beside the same builds and starts by bare calls, one after another."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from tempfile import TemporaryDirectory
from typing import Any, cast

from bench.row import Gap, Row, Unmeasured, at_most, at_most_times
from forge.models import Branch, Repo, Repository
from hive.app.base_rollout import BaseRollout
from hive.config import Limits
from hive.config.base_yaml import read_base
from hive.git_mirror.mirror import Login, Mirror
from hive.ledger import Generation, Ledger
from hive.reconcile.backends import look_for
from hive.reconcile.build import build, environment
from hive.reconcile.cascade import CascadeRunner
from hive.reconcile.containers import Containers
from hive.reconcile.holds import Holds
from hive.reconcile.limiter import Limiter
from hive.reconcile.reconciler import ManagedAgent, Reconciler
from hive.reconcile.report import Reporter
from hive.reconcile.verify import Policy

AGENTS = int(os.environ.get("HIVE_BENCH_CASCADE", "100"))
SECONDS = 600.0
FORGE = "forgejo"
META = Repo(FORGE, "hive", "meta")
BASES = ("env: {PLANET: earth}\n", "env: {PLANET: mars}\n", "env: {PLANET: venus}\n")
TICK_SECONDS = 0.1
GENERATION = re.compile(rb'"generation": *"([0-9a-f]{40})"')
NAMES = "abcdefghijklmnopqrstuvwxyz"


@dataclass
class Doors(threading.Thread):
    """The sockets on which harnesses call their host: a call is heard, and has to wait for its turn."""

    heard: Callable[[str, str], object]
    _selector: DefaultSelector = field(default_factory=DefaultSelector)
    _over: threading.Event = field(default_factory=threading.Event)
    _open: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def add(self, agent: str, path: Path) -> None:
        """Listen for the harness of an agent."""
        door = socket.socket(socket.AF_UNIX)
        door.bind(os.path.relpath(path))
        door.listen()
        self._open.append(door)
        self._selector.register(door, EVENT_READ, agent)

    def run(self) -> None:
        """Hear calls."""
        while not self._over.is_set():
            for key, _ in self._selector.select(0.2):
                at = cast("socket.socket", key.fileobj)
                if isinstance(key.data, str):
                    call, _ = at.accept()
                    self._open.append(call)
                    self._selector.register(call, EVENT_READ, (key.data,))
                    continue
                said = at.recv(65536)
                if found := GENERATION.search(said):
                    self.heard(key.data[0], found[1].decode())
                if not said:
                    self._selector.unregister(at)
                    at.close()

    def close(self) -> None:
        """Hear nothing more."""
        self._over.set()
        self.join()
        for each in self._open:
            each.close()


@dataclass
class Yard:
    """A host with many agents, whose containers run."""

    root: Path
    ledger: Ledger
    containers: Containers
    reconciler: Reconciler
    mirror: Mirror
    commit: str
    names: list[str]
    targets: list[ManagedAgent] = field(default_factory=list)

    def populate(self) -> None:
        """Each agent runs its configuration."""
        reporter, reader = Reporter(self.ledger, "core", META), cast("Any", None)
        for name in self.names:
            repo = Repo(FORGE, "agent-configs", name)
            seen = Repository(5, repo, "main", archived=False, mirror=False, empty=False, private=True)
            branch = Branch("main", self.commit, protected=True)
            self.ledger.deployments.register(name, team="acme", seen=seen, branch=branch, cursor=1)
            policy = Policy(5, frozenset({1}), "main")
            target = ManagedAgent(name, repo, policy, reader, lambda: self.mirror, reporter, lambda _: True)
            self.reconciler.watch(target).next_look = time.monotonic() + 86400
            self.targets.append(target)
        self._until(lambda: all(map(self.containers.answered, self.names)), lambda: None)

    def bare(self, text: str) -> float:
        """Build and start each container on a base by bare calls, each when the one before it has called; seconds."""
        base, begun = read_base(text), time.perf_counter()
        self.ledger.bases.accept(FORGE, "e" * 40, base.digest, text)
        wanted = Generation(self.commit, base.digest)
        for name in self.names:
            dirs = self.containers.dirs(name)
            build(self.reconciler.planner.plan(name, self.mirror, "main", wanted), wanted, dirs.gens)
            dirs.point(wanted)
            self.containers.stop(name)
            self.containers.start(name, str(wanted), environment(dirs.gens / wanted))
            end = time.monotonic() + SECONDS
            while self.containers.answered(name) != wanted:
                if time.monotonic() > end:
                    raise Unmeasured(f"{name} did not call: {self.containers.log(name, 3)}")
                time.sleep(0.001)
        taken = time.perf_counter() - begun
        with self.ledger.transaction() as db:
            db.execute("UPDATE baselines SET running_base = ?", (base.digest,))
        return taken

    def rolled_out(self, text: str) -> float:
        """Let a merged base be rolled out; seconds."""
        runner = CascadeRunner(self.ledger, "core", lambda _: META, self.containers.dirs, Holds(self.ledger))
        rollout = BaseRollout(self.ledger, runner, self.reconciler, self.containers.answered, threading.Event())
        base, begun = read_base(text), time.perf_counter()
        self.ledger.bases.accept(FORGE, "f" * 40, base.digest, text)
        opened = self.ledger.cascades.begin(FORGE, team="acme", base=base.digest, sha="f" * 40, pulls=(9,))
        self._until(lambda: not self.ledger.cascades.open(), lambda: rollout.look(self.targets, self.reconciler.keep))
        taken = time.perf_counter() - begun
        failed = [step.agent for step in self.ledger.cascades.steps(opened.id) if step.has_failed]
        if failed:
            raise Unmeasured(f"{len(failed)} containers could not be rebuilt")
        return taken

    def _until(self, is_so: Callable[[], bool], meanwhile: Callable[[], None]) -> None:
        end = time.monotonic() + SECONDS
        while not is_so():
            if time.monotonic() > end:
                raise Unmeasured("it came to no end")
            for target in self.targets:
                self.reconciler.keep(target)
            meanwhile()
            time.sleep(TICK_SECONDS)


def cascade() -> Iterator[Row | Gap]:
    """The rows."""
    backend, why = look_for("bubblewrap")
    if backend is None:
        raise Unmeasured(why)
    with ExitStack() as stack:
        root = Path(stack.enter_context(TemporaryDirectory(prefix="hive-bench-", ignore_cleanup_errors=True)))
        mirror, commit = _configuration(root)
        ledger = Ledger(root / "ledger.db")
        stack.callback(ledger.close)
        containers = Containers(backend, root / "agents", Limiter.find(Limits()))
        stack.callback(containers.stop_all)
        doors = Doors(containers.heard)
        stack.callback(doors.close)
        names = [f"a{NAMES[number // 26]}{NAMES[number % 26]}" for number in range(AGENTS)]
        for name in names:
            doors.add(name, containers.dirs(name).sockets / "forge.sock")
        doors.start()
        yard = Yard(
            root,
            ledger,
            containers,
            Reconciler(ledger, containers, Limits(), probe_seconds=SECONDS),
            mirror,
            commit,
            names,
        )
        yard.populate()
        first, taken, last = yard.bare(BASES[0]), yard.rolled_out(BASES[1]), yard.bare(BASES[2])
        begun = time.perf_counter()
        for target in yard.targets:
            yard.reconciler.keep(target)
        idle = (time.perf_counter() - begun) * 1000
    label = f"a base update: {AGENTS} containers rebuilt"
    yield Row(label, taken, "s", "bare builds and starts, before and after", (first + last) / 2, at_most_times(1.2))
    yield Row(f"a pass over {AGENTS} agents in which nothing is to be done", idle, "ms", goal=at_most(500))


def _configuration(root: Path) -> tuple[Mirror, str]:
    """A configuration in a mirror, and its commit."""
    origin = root / "origin"
    origin.mkdir()

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=origin, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    (origin / "agent.yaml").write_text("lane: app\n")
    git("init", "--quiet", "--initial-branch=main")
    git("add", "--all")
    git("-c", "user.name=mara", "-c", "user.email=mara@forge.invalid", "commit", "--quiet", "--message=x")
    git("clone", "--quiet", "--bare", str(origin), str(root / "mirror.git"))
    return Mirror(root / "mirror.git", "http://127.0.0.1:1/none.git", Login("core", "of-no-forge")), git(
        "rev-parse", "HEAD"
    )
