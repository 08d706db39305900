"""Lets the host go on with a base update: while one is open, its thread looks at the container whose turn it is more often."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hive.instance.instance import Instance
from hive.ledger import Generation, Ledger
from hive.reconcile.cascade import CascadeRunner, CascadeTurn
from hive.reconcile.containers import Containers
from hive.reconcile.reconciler import ManagedAgent, Reconciler

SLICE_SECONDS = 2.0
"""How long others are not looked at meanwhile, at the most, beyond what one step takes."""
LOOK_SECONDS = 0.1
"""How often a container is looked at whose harness says nothing new."""
LISTEN_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class BaseRollout:
    """The base updates of one host; `stop` ends its thread, and `answered` is what the container of an agent answered last."""

    ledger: Ledger
    runner: CascadeRunner
    reconciler: Reconciler
    answered: Callable[[str], str]
    stop: threading.Event

    @classmethod
    def of(
        cls, instance: Instance, containers: Containers, reconciler: Reconciler, stop: threading.Event
    ) -> BaseRollout:
        """Those of the host that keeps these containers."""
        ledger, settings = instance.ledger, instance.settings
        runner = CascadeRunner(ledger, settings.account("core"), settings.meta_of, containers.dirs, reconciler.holds)
        return cls(ledger, runner, reconciler, containers.answered, stop)

    def look(self, targets: Sequence[ManagedAgent], keep: Callable[[ManagedAgent], None]) -> None:
        """Go on with what is open, for a while; `keep` looks after one agent and isolates its faults.

        Raises OSError for errors of directories, and errors of the ledger.
        """
        known = {target.agent: target for target in targets}
        forges = {target.agent: target.repo.forge for target in targets}
        until = time.monotonic() + SLICE_SECONDS
        while (turn := self.runner.keep(forges)).agent and not self.stop.is_set():
            keep(known[turn.agent])
            self._build_ahead(turn, known)
            while self.ledger.deployments.is_under_way(turn.agent):
                if time.monotonic() > until or self.stop.is_set():
                    return
                self._listen(turn.agent)
                keep(known[turn.agent])

    def _listen(self, agent: str) -> None:
        """Wait until the container of an agent answers something else, and not for long."""
        before, until = self.answered(agent), time.monotonic() + LOOK_SECONDS
        while self.answered(agent) == before and time.monotonic() < until and not self.stop.is_set():
            self.stop.wait(LISTEN_SECONDS)

    def _build_ahead(self, turn: CascadeTurn, known: Mapping[str, ManagedAgent]) -> None:
        """Build what comes next, while the container before it is about to answer."""
        target = known.get(turn.ahead)
        baseline = self.ledger.deployments.baseline(turn.ahead) if target is not None else None
        if target is not None and baseline is not None and baseline.running_sha:
            self.reconciler.build_ahead(target, Generation(baseline.running_sha, turn.base))
