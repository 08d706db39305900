"""Where a host can be killed while it deploys: found in the code by running it, and a process that is killed at each.

A point is the beginning or the end of a function that changes something: a row, a link, a directory, a container. The
table is not written down: one deployment is run to its end, and what it passes through is the table.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, cast

from forge.models import Branch, Repo, Repository
from hive.agent.enter import READY
from hive.config import Limits
from hive.config.base_yaml import read_base
from hive.git_mirror.mirror import Login, Mirror
from hive.ledger import Generation, Ledger
from hive.reconcile.backends import Backend
from hive.reconcile.cascade import CascadeRunner
from hive.reconcile.containers import Containers
from hive.reconcile.holds import Holds
from hive.reconcile.reconciler import ManagedAgent, Reconciler
from hive.reconcile.report import Reporter
from hive.reconcile.verify import Policy

AGENT = "iris"
REPO = Repo("forgejo", "agent-configs", AGENT)
SECONDS = 240.0
PROBE_SECONDS = 0.3
CHANGES = {
    "build.py": {"build"},
    "nix_build.py": {"build"},
    "agent_dirs.py": {"point", "prepare"},
    "containers.py": {"start", "stop", "kill"},
    "running_container.py": {"start", "stop", "kill", "clear"},
    "report.py": {"deployed", "failed"},
    "deployments.py": {"transition"},
    "cascades.py": {"plan", "start", "mark", "end"},
    "enqueue.py": {"enqueue"},
    "database.py": {"__enter__", "__exit__"},
    "client.py": {"begin"},
    "machines.py": {"_configure", "_replaced", "_point", "_start", "_settle", "_stop", "_kill", "_run"},
}
"""Functions that change something, by the files in which they are."""

READS = {"show", "list"}
"""Words of a tool that change nothing."""


@dataclass(frozen=True)
class Scene:
    """What surrounds a host: its containers, and when they are heard. This one is for all that need nothing prepared."""

    backend: Backend | None = None
    probe_seconds: float = PROBE_SECONDS

    def prepare(self, root: Path) -> None:
        """Lay out what it needs in a place."""
        assert root.is_dir()

    @contextmanager
    def served(self, root: Path, killer: Killer) -> Iterator[None]:
        """Let others serve the hosts of a place, as long as it takes; one of them may be killed."""
        assert root.is_dir()
        assert not killer.at
        yield

    def enter(self, root: Path) -> Backend:
        """Become a process of this host; returns what makes its containers."""
        assert root.is_dir()
        assert self.backend is not None
        return self.backend

    def listen(self, root: Path, containers: Containers, answers: frozenset[str]) -> None:
        """Hear the container that runs, if its commit is one that answers."""
        assert root.is_dir()
        running = containers.running(AGENT)
        if running in answers:
            containers.heard(AGENT, running)

    def end(self, root: Path) -> dict[str, object]:
        """How it ended there, beyond what every host writes down."""
        assert root.is_dir()
        return {}


@dataclass
class Place:
    """One agent of a host, its ledger and its mirror, below a directory; its repository's commits are in the mirror."""

    root: Path

    @property
    def ledger(self) -> Ledger:
        """The ledger, opened anew: each process has its own."""
        return Ledger(self.root / "ledger.db")

    def prepare(self, old: str, new: str) -> None:
        """An operator's merge of pull request 7 was verified, and nothing runs: the host was just started."""
        ledger = self.ledger
        seen = Repository(5, REPO, "main", archived=False, mirror=False, empty=False, private=True)
        branch = Branch("main", old, protected=True)
        ledger.deployments.register(AGENT, team="acme", seen=seen, branch=branch, cursor=1)
        baseline = ledger.deployments.baseline(AGENT)
        assert baseline is not None
        ledger.deployments.start(baseline, new, (7,), 2)
        ledger.close()

    def prepare_base(self, old: str, text: str) -> Generation:
        """An operator's merge of pull request 7 of the hive's repository was verified, which brings a base; returns what is to run."""
        ledger, base = self.ledger, read_base(text)
        seen = Repository(5, REPO, "main", archived=False, mirror=False, empty=False, private=True)
        branch = Branch("main", old, protected=True)
        ledger.deployments.register(AGENT, team="acme", seen=seen, branch=branch, cursor=1)
        ledger.bases.accept(REPO.forge, "f" * 40, base.digest, text)
        ledger.cascades.begin(REPO.forge, team="acme", base=base.digest, sha="f" * 40, pulls=(7,))
        ledger.close()
        return Generation(old, base.digest)

    def run(self, scene: Scene, *, answers: frozenset[str], killer: Killer) -> None:
        """Be the host until the deployment is over and the container of what is meant to run has answered."""
        backend = scene.enter(self.root)
        ledger = self.ledger
        mirror = Mirror(self.root / "mirror.git", "http://127.0.0.1:1/none.git", Login("core", "secret-token"))
        containers = Containers(backend, self.root / "agents")
        reconciler = Reconciler(ledger, containers, Limits(), probe_seconds=scene.probe_seconds)
        reporter = Reporter(ledger, "core", Repo("forgejo", "hive", "meta"))
        reader = cast("Any", None)  # nothing is looked up: what is deployed was verified
        target = ManagedAgent(
            AGENT, REPO, Policy(5, frozenset({1}), "main"), reader, lambda: mirror, reporter, lambda _: True
        )
        meta = Repo(REPO.forge, "hive", "meta")
        runner = CascadeRunner(ledger, "core", lambda _: meta, containers.dirs, Holds(ledger))
        containers.sweep_out(AGENT)
        reconciler.watch(target).next_look = time.monotonic() + 2 * SECONDS
        end = time.monotonic() + SECONDS
        with killer:
            while time.monotonic() < end and not _is_over(ledger, containers):
                runner.keep({AGENT: REPO.forge})
                reconciler.keep(target)
                scene.listen(self.root, containers, answers)
                containers.reap()
                time.sleep(0.01)
        containers.stop_all()
        ledger.close()

    def end(self, scene: Scene) -> dict[str, object]:
        """How it ended: the deployment, the agent's baseline, what its container starts from, and what is owed to the forge."""
        ledger = self.ledger
        try:
            last, baseline = _last(ledger), ledger.deployments.baseline(AGENT)
            assert baseline is not None
            rows = ledger._db.rows("SELECT kind, key, payload FROM effects ORDER BY key")
            owed = {_owed(row["kind"], row["key"], _without_times(row["payload"])): None for row in rows}
            steps = ledger.cascades.steps(1)
            count = ledger._db.row("SELECT count(*) AS n FROM deployments")
            assert count is not None
            return {
                "deployments": count["n"],
                "state": last["state"],
                "running": str(baseline.generation),
                "cascade": [(step.agent, step.state.value, step.has_failed) for step in steps],
                "open": len(ledger.cascades.open()),
                "accepted": baseline.sha,
                "rejected": baseline.rejected_sha,
                "pointed": (self.root / "agents" / AGENT / "current").readlink().name,
                "drafts": sorted(path.name for path in (self.root / "agents" / AGENT / "gens").glob(".*")),
                "owed": list(owed),
                **scene.end(self.root),
            }
        finally:
            ledger.close()


def _is_over(ledger: Ledger, containers: Containers) -> bool:
    baseline = ledger.deployments.baseline(AGENT)
    assert baseline is not None
    is_open = ledger.deployments.current(AGENT) is not None or ledger.cascades.open()
    return not is_open and containers.answered(AGENT) == baseline.generation


def _last(ledger: Ledger) -> Mapping[str, Any]:
    """The newest deployment, whatever it brought."""
    row = ledger._db.row("SELECT * FROM deployments ORDER BY id DESC LIMIT 1")
    assert row is not None
    return dict(row)


def _owed(kind: str, key: str, payload: str) -> tuple[str, str, str]:
    """What is owed to the forge; how often a comment is brought up to date depends on how long it took."""
    return (kind, "", "") if kind == "show_cascade" else (kind, key, payload)


def _without_times(payload: str) -> str:
    """What is owed, without how many seconds it took, and without how far a container came in a given time."""
    said = re.sub(rf"(- )?{re.escape(READY)}", "", payload.replace("\\n", " "))
    return " ".join(word for word in said.split() if not word.isdigit())


def itself(_: FrameType) -> int:
    """Who passes a point is killed."""
    return os.getpid()


@dataclass
class Killer:
    """Watches which points a process passes, and kills it at one of them; the empty one kills nobody."""

    at: str = ""
    into: Path | None = None
    """Where to write down the points that were passed, in their order, each once."""

    victim: Callable[[FrameType], int | None] = itself
    """Who is killed at a point; where it is nobody there is no point."""

    changes: Mapping[str, set[str]] = field(default_factory=lambda: CHANGES)
    """Functions that change something, by the files in which they are."""

    hit: Path | None = None
    """A file that is made when somebody is killed."""

    passed: dict[str, None] = field(default_factory=dict)
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> None:
        threading.setprofile(self._look)
        sys.setprofile(self._look)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(cast("Any", None))

    def _pass(self, point: str) -> None:
        """Write down a point, at once: who passes it may be killed."""
        with self._writing:
            self.passed[point] = None
            if self.into is not None:
                self.into.write_text(json.dumps(list(self.passed)))

    def _look(self, frame: FrameType, event: str, _: object) -> None:
        if event not in ("call", "return"):
            return
        code = frame.f_code
        name = os.path.basename(code.co_filename)  # noqa: PTH119  for each call of the interpreter
        if code.co_name not in self.changes.get(name, ()) or "hive" not in code.co_filename:
            return
        detail = _detail(frame)
        if detail is None or (victim := self.victim(frame)) is None:
            return
        point = f"{'before' if event == 'call' else 'after'} {name} {code.co_name} {detail}".strip()
        if point not in self.passed:
            self._pass(point)
        if point == self.at:
            self.at = ""
            if self.hit is not None:
                self.hit.touch()
            os.kill(victim, signal.SIGKILL)


def _detail(frame: FrameType) -> str | None:
    """What a function that does several things does this time; None if that changes nothing."""
    match frame.f_code.co_name:
        case "transition":
            return str(frame.f_locals.get("state"))
        case "begin" if "verb" in frame.f_locals:
            verb = frame.f_locals.get("verb")
            return None if verb in ("observe", "logs") else str(verb)
        case "_run":
            words = [word for word in frame.f_locals.get("words", ())[:3] if not word.startswith(("-", "/"))]
            return None if not words or words[0] == "journalctl" or READS & {*words} else " ".join(words[:2])
        case _:
            return ""
