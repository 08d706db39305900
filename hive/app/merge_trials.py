"""Tries at each start of the host that no bot can merge, and holds deployments until a forge has shown it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from bots.markdown import listed
from forge.protocol import ForgeError
from hive.backoff import MERGE_TRIALS
from hive.instance.instance import Instance
from hive.ledger import NEVER, Act, Scope, SuspensionReason
from hive.outbox.incidents import IncidentReporter
from hive.provision.merge_trial import MergeTrial, TrialResult
from hive.secret_store import NoSecret
from hive.supervisor.heartbeat import Heartbeat

LOOP = "trials"
PAUSE_SECONDS = 0.5
UNTRIED = "whether bots can merge on {forge} is not known yet: it is tried when the forge answers"
FOUND = "a bot could approve its own work on {forge}: an issue in {meta} says which, and `hive doctor` shows more"
TITLE = "🔴 {forge}: a bot could merge, and nothing is deployed"
BODY = """\
An account of the hive can do on {forge} what only operators may:

{what}

Until it cannot, no merged configuration is deployed, and no roster is followed: an approval would prove nothing. What runs goes on.

Run `hive init` on the machine of the hive: it puts the protections back. They are tried again each minute, and this issue closes by itself.
"""
OVER = "🟢 {accounts} accounts of the hive were refused in {repositories} repositories: bots cannot merge."
MOST = 20


@dataclass
class MergeTrials:
    """What the trials of this start have shown. `look` is for one thread; `why_held` and `is_held` for any."""

    instance: Instance
    incidents: IncidentReporter
    _passed: set[str] = field(default_factory=set)
    _why: dict[str, str] = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)
    _failures: dict[str, int] = field(default_factory=dict)

    def is_held(self, forge: str) -> bool:
        """Whether nothing that was merged on a forge counts for now."""
        return forge not in self._passed

    def why_held(self, team: str) -> str | None:
        """Why no deployment of a team begins, empty while it is being tried; None if deployments may begin."""
        forge = self.instance.settings.teams[team].forge
        return self._why.get(forge, "") if self.is_held(forge) else None

    def follow(self, instance: Instance) -> None:
        """Other agents can run from now on: try all of them; what passed counts until that is done."""
        self.instance = instance
        self._due.clear()

    def look(self, heartbeat: Heartbeat) -> float:
        """Try the forges that are due; returns after how many seconds to look again. Raises errors of the ledger."""
        for forge in self.instance.settings.forges:
            if time.monotonic() >= self._due.get(forge, 0.0):
                self._try(forge)
            heartbeat.beat()
        return PAUSE_SECONDS

    def _try(self, forge: str) -> None:
        try:
            result = MergeTrial(self.instance, forge).run()
        except (ForgeError, NoSecret):
            if self.is_held(forge):
                self._hold(forge, SuspensionReason.MERGES_UNTRIED, UNTRIED.format(forge=forge))
            self._later(forge)
            return
        if result.open:
            self._found(forge, result)
            self._later(forge)
        else:
            self._pass(forge, result)

    def _pass(self, forge: str, result: TrialResult) -> None:
        counts = {"accounts": str(result.accounts), "repositories": str(result.repositories)}
        ledger = self.instance.ledger
        with ledger.transaction():
            for team in self._teams(forge):
                for reason in (SuspensionReason.MERGES_UNTRIED, SuspensionReason.BOTS_CAN_MERGE):
                    ledger.suspensions.resume(team, Scope.DEPLOYMENTS, "", reason)
                self.incidents.end(team, f"merges:{forge}", OVER.format(**counts))
            ledger.audit.add("host", Act.MERGES_REFUSED, forge=forge, **counts)
        self._passed.add(forge)
        self._why.pop(forge, None)
        self._due[forge] = float("inf")

    def _found(self, forge: str, result: TrialResult) -> None:
        ledger, team = self.instance.ledger, self.instance.settings.first_team(forge)
        self._passed.discard(forge)
        what, more = result.open[:MOST], len(result.open) - MOST
        body = BODY.format(forge=forge, what=listed((*what, *([f"and {more} more"] if more > 0 else []))))
        with ledger.transaction():
            is_new = self.incidents.begin(team, f"merges:{forge}", TITLE.format(forge=forge), body.strip())
            if is_new or not self._why.get(forge):
                ledger.audit.add("host", Act.BOTS_CAN_MERGE, team=team, forge=forge, first=result.open[0])
            self._hold(
                forge,
                SuspensionReason.BOTS_CAN_MERGE,
                FOUND.format(forge=forge, meta=self.instance.settings.meta),
            )

    def _hold(self, forge: str, reason: SuspensionReason, why: str) -> None:
        """Let it be seen that nothing is deployed: by `hive queue`, and by `hive agents list`."""
        with self.instance.ledger.transaction():
            for team in self._teams(forge):
                self.instance.ledger.suspensions.suspend(team, Scope.DEPLOYMENTS, "", reason, why, until=NEVER)
        self._why[forge] = why

    def _later(self, forge: str) -> None:
        failures = self._failures[forge] = self._failures.get(forge, 0) + 1
        self._due[forge] = time.monotonic() + MERGE_TRIALS.delay(failures)

    def _teams(self, forge: str) -> list[str]:
        return [name for name, team in self.instance.settings.teams.items() if team.forge == forge]
