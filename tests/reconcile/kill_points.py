"""Where a host can be killed while it deploys: found in the code by running it, and a process that is killed at each.

A point is the beginning or the end of a function that changes something: a row, a link, a directory, a container. The
table is not written down: one deployment is run to its end, and what it passes through is the table.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, cast

from forge.models import Branch, Repo, Repository
from hive.config import Limits
from hive.git_mirror.mirror import Login, Mirror
from hive.ledger import Ledger
from hive.ledger.deployments import FINAL, Deployment
from hive.reconcile.backends import Backend
from hive.reconcile.containers import Containers
from hive.reconcile.reconciler import ManagedAgent, Reconciler
from hive.reconcile.report import Reporter
from hive.reconcile.verify import Policy

AGENT = "iris"
REPO = Repo("forgejo", "agent-configs", AGENT)
SECONDS = 120.0
PROBE_SECONDS = 0.3
CHANGES = {
    "build.py": {"build"},
    "agent_dirs.py": {"point", "prepare"},
    "containers.py": {"start", "stop", "kill"},
    "running_container.py": {"start", "stop", "kill", "clear"},
    "report.py": {"deployed", "failed"},
    "deployments.py": {"transition"},
    "enqueue.py": {"enqueue"},
    "database.py": {"__enter__", "__exit__"},
}
"""Functions that change something, by the files in which they are."""


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

    def run(self, backend: Backend, *, answers: frozenset[str], killer: Killer) -> None:
        """Be the host until the deployment is over and the container of what is meant to run has answered."""
        ledger = self.ledger
        mirror = Mirror(self.root / "mirror.git", "http://127.0.0.1:1/none.git", Login("core", "secret-token"))
        containers = Containers(backend, self.root / "agents")
        reconciler = Reconciler(ledger, containers, Limits(), probe_seconds=PROBE_SECONDS)
        reporter = Reporter(ledger, "core", Repo("forgejo", "hive", "meta"))
        reader = cast("Any", None)  # nothing is looked up: what is deployed was verified
        target = ManagedAgent(
            AGENT, REPO, Policy(5, frozenset({1}), "main"), reader, lambda: mirror, reporter, lambda _: True
        )
        containers.sweep_out(AGENT)
        reconciler.watch(target).next_look = time.monotonic() + 2 * SECONDS
        end = time.monotonic() + SECONDS
        with killer:
            while time.monotonic() < end and not _is_over(ledger, containers):
                reconciler.keep(target)
                running = containers.running(AGENT)
                if running in answers:
                    containers.heard(AGENT, running)
                time.sleep(0.01)
        containers.stop_all()
        ledger.close()

    def end(self) -> dict[str, object]:
        """How it ended: the deployment, the agent's baseline, what its container starts from, and what is owed to the forge."""
        ledger = self.ledger
        try:
            last, baseline = ledger.deployments.newest(AGENT), ledger.deployments.baseline(AGENT)
            assert last is not None
            assert baseline is not None
            rows = ledger._db.rows("SELECT kind, key, payload FROM effects ORDER BY key")
            owed = [(row["kind"], row["key"], _without_times(row["payload"])) for row in rows]
            count = ledger._db.row("SELECT count(*) AS n FROM deployments")
            assert count is not None
            return {
                "deployments": count["n"],
                "state": last.state.value,
                "running": baseline.running_sha,
                "accepted": baseline.sha,
                "rejected": baseline.rejected_sha,
                "pointed": (self.root / "agents" / AGENT / "current").readlink().name,
                "drafts": sorted(path.name for path in (self.root / "agents" / AGENT / "gens").glob(".*")),
                "owed": owed,
            }
        finally:
            ledger.close()


def _is_over(ledger: Ledger, containers: Containers) -> bool:
    last: Deployment | None = ledger.deployments.newest(AGENT)
    baseline = ledger.deployments.baseline(AGENT)
    assert last is not None
    assert baseline is not None
    return last.state in FINAL and containers.answered(AGENT) == baseline.running_sha


def _without_times(payload: str) -> str:
    """What is owed, without how many seconds it took."""
    return " ".join(word for word in payload.replace("\\n", " ").split() if not word.isdigit())


@dataclass
class Killer:
    """Watches which points a host passes, and kills it at one of them; the empty one kills nobody."""

    at: str = ""
    into: Path | None = None
    """Where to write down the points that were passed, in their order, each once."""

    passed: dict[str, None] = field(default_factory=dict)

    def __enter__(self) -> None:
        sys.setprofile(self._look)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        if self.into is not None:
            self.into.write_text(json.dumps(list(self.passed)))

    def _look(self, frame: FrameType, event: str, _: object) -> None:
        if event not in ("call", "return"):
            return
        code = frame.f_code
        name = os.path.basename(code.co_filename)  # noqa: PTH119  for each call of the interpreter
        if code.co_name not in CHANGES.get(name, ()) or "hive" not in code.co_filename:
            return
        state = frame.f_locals.get("state") if code.co_name == "transition" else ""
        point = f"{'before' if event == 'call' else 'after'} {name} {code.co_name} {state}".strip()
        self.passed[point] = None
        if point == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
